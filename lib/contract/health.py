"""Whether sheet, table and index agree, and whether the vectors are sound: what a check found, and what a repair would do."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from lib.contract.model import Reading, Request
from lib.contract.operations import Gate
from lib.contract.states import DriftKind


class SheetSide(Reading):
    """The sheet as it was last read, by the newest preview. It may have changed since: ``read_at`` says how old this is."""

    source_name: str
    read_at: datetime
    records: int
    differences: int = Field(0, description="rows that were new, changed or removed and have not been applied")
    plan_id: str


class Drift(Reading):
    """Where table and index disagree. A count is null where there is no index to compare with."""

    entries: int
    waiting: int = Field(0, description="entries in the queue: on their way, so no drift")
    failed: int = Field(0, description="entries that failed or were given up on: known, so no drift")
    vectors: int | None = Field(None, description="vectors in the served index")
    counts: dict[DriftKind, int | None]
    sheet: SheetSide | None = None

    @property
    def total(self) -> int:
        """Everything that disagrees."""
        return sum(count or 0 for count in self.counts.values())


class ListHealth(Reading):
    """How evenly the vectors of a large index lie in its lists. An imbalance of 1 is perfect."""

    lists: int
    empty: int
    median: int
    largest: int
    imbalance: float


class VectorHealth(Reading):
    """What is odd about the vectors themselves."""

    vectors: int
    not_finite: int
    zero: int
    off_norm: int = Field(description="length other than 1 by more than the kind of index explains")
    duplicate_groups: int = Field(description="how many vectors are there more than once")
    duplicate_surplus: int = Field(description="how many could be spared")
    largest_group: int = 0
    lists: ListHealth | None = Field(None, description="null for a kind of index without lists")
    examples: dict[str, list[str]] = Field({}, description="finding → a few keys")
    seconds: float


class Recall(Reading):
    """Of the true nearest, how many a search finds. Exact for an index that compares with every vector."""

    exact: bool
    k: int = 10
    sampled: int = 0
    recall_ratio: float | None = None
    low_ratio: float | None = Field(None, description="lower end of the 95 % interval")
    high_ratio: float | None = None
    search_seconds: float | None = Field(None, description="one search of the index, median")
    exact_seconds: float | None = Field(None, description="one exact search, mean")


class IndexCheck(Reading):
    """One check of the served generation."""

    check_id: str
    generation: int | None
    revision: int
    checked_at: datetime
    checked_by: str
    seconds: float
    drift: Drift
    vectors: VectorHealth | None = None
    recall: Recall | None = None


class RepairPlan(Reading):
    """What a repair would do, shown before it is done."""

    check_id: str
    to_embed: int = Field(0, description="entries that would go back into the queue")
    rebuild: bool = Field(False, description="whether a new generation would be built, because the index itself is wrong")
    seconds: float | None = Field(None, description="how long the last build took; null when unknown")
    gate: Gate


class HealthReading(Reading):
    """The newest check, and what a repair of it would do."""

    latest: IndexCheck | None = None
    looked: IndexCheck | None = Field(None, description="the newest that also looked at the vectors; the others only count")
    repair: RepairPlan | None = None
    taken_at: datetime


class DriftRow(Reading):
    """One row behind a number."""

    entry_id: int
    key: str | None = None
    detail: str = ""


class DriftPage(Reading):
    """The rows behind one number, as they were when it was counted."""

    check_id: str
    kind: DriftKind
    items: list[DriftRow]
    total: int
    listed: int = Field(0, description="how many rows are kept; the count is exact even when the list is cut")
    next_cursor: str | None = None
    taken_at: datetime


class RepairRequest(Request):
    """Repair what this check found. Refused when a newer check has been made since."""

    check_id: str = Field(min_length=1, max_length=64)
