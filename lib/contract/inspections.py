"""What is inside a FAISS file or a snapshot's set that somebody brought in, and what would change if it were served."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from lib.contract.faults import Fault
from lib.contract.golden import GoldenDifference
from lib.contract.index import SearchHit
from lib.contract.model import Reading, Request
from lib.contract.operations import Gate
from lib.contract.states import Verdict


class SnapshotSource(Request):
    """A snapshot of this service."""

    kind: Literal["snapshot"] = "snapshot"
    snapshot_id: str = Field(max_length=64)


class UploadedSource(Request):
    """A file that was uploaded. ``sha256``: what it should be, when somebody knows."""

    kind: Literal["upload"] = "upload"
    upload_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    sha256: str | None = Field(None, pattern=r"^[0-9a-f]{64}$")


class InspectRequest(Request):
    """Read a file safely, and compare it with what is served. Nothing is changed."""

    source: Annotated[SnapshotSource | UploadedSource, Field(discriminator="kind")]


class RestoreRequest(Request):
    """Serve what was inspected. ``typed_name``: its name, typed by the person."""

    inspection_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    typed_name: str = Field("", max_length=255)


class GoBackRequest(Request):
    """Serve an earlier generation again. ``expected``: the one served when the person looked; ``generation``: null is the one before it."""

    generation: int | None = Field(None, ge=1)
    expected: int | None = Field(None, ge=1)


class GoBackReading(Reading):
    """Whether one can go back, and to which generation; or that it was done."""

    served: int | None
    previous: int | None
    gate: Gate


class SampleRow(Reading):
    """One vector of the file: its id, and the table's entry of that id, if there is one."""

    entry_id: int
    key: str | None = None
    text: str | None = None


class InspectedFacts(Reading):
    """What is inside."""

    kind: str
    dimension: int
    vectors: int
    metric: str
    size_bytes: int
    sha256: str
    has_ids: bool
    first_id: int | None = None
    last_id: int | None = None
    duplicate_vectors: int = Field(0, description="vectors that another one equals")
    zero_vectors: int = 0
    off_norm: int = Field(0, description="vectors whose length is not 1, within 5 %")
    norm_min: float | None = None
    norm_mean: float | None = None
    norm_max: float | None = None
    self_hits: int = Field(0, description="of the vectors tried, how many find themselves first")
    self_tried: int = 0
    # What only a set's manifest tells:
    embedder: str | None = None
    generation: int | None = None
    revision: int | None = None
    built_at: datetime | None = None
    faiss_version: str | None = None
    sample: list[SampleRow] = []


class InspectedComparison(Reading):
    """The file beside the table and beside the served generation."""

    served_generation: int | None
    table_vectors: int = Field(description="entries with a vector of the model in use")
    in_both: int
    only_in_file: int = Field(description="rows the table no longer has: a search leaves them out, the next refresh removes them")
    only_in_table: int = Field(description="rows the file lacks: not found until the next refresh")
    changed: int = Field(description="rows whose text was embedded anew since the file was made")
    compared: int = Field(0, description="unchanged rows whose vector was compared with the table's")
    wrong: int = Field(0, description="of those, how many hold another vector than the table's")
    queries: int = 0
    recall_ratio: float | None = Field(None, description="of the exact 10 nearest among the unchanged rows, how many the file finds")
    recall_low_ratio: float | None = Field(None, description="95 % interval")
    recall_high_ratio: float | None = None
    recall_served_ratio: float | None = Field(None, description="the same of the served generation")


class Obstacle(Reading):
    """One reason why it cannot be served."""

    fault: Fault
    detail: str


class Inspection(Reading):
    """The whole report. ``verdict`` says what it comes to; ``refused`` means that nothing of it was read."""

    inspection_id: str
    name: str
    verdict: Verdict
    flags: list[str] = Field([], description="why it is worse than what is served, in words")
    obstacles: list[Obstacle] = Field([], description="why it cannot be restored; when refused, the one reason")
    facts: InspectedFacts | None = None
    comparison: InspectedComparison | None = None
    questions: list[GoldenDifference] = Field([], description="golden questions whose answer would change, those that get worse first")
    questions_asked: int = 0
    trusted_revision: int | None = Field(None, description="up to which revision of the table its vectors proved right; null: none")
    table_revision: int | None = None
    gate: Gate = Field(description="whether it may be restored now")
    taken_at: datetime


class InspectedResult(Reading):
    """What a search of the inspected file found."""

    inspection_id: str
    hits: list[SearchHit]
    unknown: int = Field(0, description="hits whose row the table does not have")
    seconds: float
    taken_at: datetime
