"""The rehearsal room: an import or another model tried on sample rows beside production, compared, and promoted or thrown away."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from lib.contract.golden import GoldenDifference
from lib.contract.imports import ImportRequest
from lib.contract.index import SearchHit
from lib.contract.model import Reading, Request
from lib.contract.operations import Gate
from lib.contract.reembedding import ReembedRequest
from lib.contract.states import ACTIVE_JOB_STATES, JobState, Verdict

#: Rows that are tried unless somebody says otherwise, and the bounds of what can be said.
SAMPLE_ROWS, LEAST_ROWS, MOST_ROWS = 5_000, 100, 10_000
#: A rehearsal is kept so long, and no more than so many are.
KEPT_DAYS, KEPT_REHEARSALS = 7, 5


class ImportChange(ImportRequest):
    """Try what exactly this import would do."""

    kind: Literal["import"] = "import"

    @property
    def request(self) -> ImportRequest:
        """What promoting it starts."""
        return ImportRequest.model_validate(self.model_dump(exclude={"kind"}))


class ModelChange(ReembedRequest):
    """Try another model."""

    kind: Literal["reembed"] = "reembed"

    @property
    def request(self) -> ReembedRequest:
        """What promoting it starts."""
        return ReembedRequest.model_validate(self.model_dump(exclude={"kind"}))


RehearsedChange = Annotated[ImportChange | ModelChange, Field(discriminator="kind")]


class RehearseRequest(Request):
    """Try a change on sample rows. Nothing that is served, kept or queued is touched."""

    change: RehearsedChange
    rows: int = Field(SAMPLE_ROWS, ge=LEAST_ROWS, le=MOST_ROWS, description="how many rows are tried at most")


class Promotion(Reading):
    """The start of exactly what was rehearsed, from wherever it was started."""

    job_id: str
    promoted_by: str
    promoted_at: datetime
    state: JobState | None = Field(None, description="of that job; null when it is no longer kept")

    @property
    def stands(self) -> bool:
        """Whether it is under way or done: one that came to nothing may be tried again."""
        return self.state in {None, JobState.SUCCEEDED, *ACTIVE_JOB_STATES}


class RehearsalHead(Reading):
    """One rehearsal in the list."""

    rehearsal_id: str = Field(description="also its job's id")
    kind: Literal["import", "reembed"]
    name: str = Field(description="of the sheet, or of the model")
    state: JobState
    verdict: Verdict | None = Field(None, description="null until it is done")
    rows: int | None = Field(None, description="how many were tried")
    requested_by: str
    created_at: datetime
    expires_at: datetime | None = Field(None, description="null when nothing of it is kept: it runs, failed, expired or was removed")
    promotion: Promotion | None = Field(None, description="null: it was not promoted")
    plan_id: str | None = Field(None, description="the plan that was tried; null for a model")


class RehearsalPage(Reading):
    """The newest rehearsals."""

    items: list[RehearsalHead]
    taken_at: datetime


class SampleCounts(Reading):
    """What was tried, of how much. The rows of golden questions always take part."""

    rows: int = Field(description="tried, before and after together")
    new: int = 0
    changed: int = 0
    removed: int = 0
    unchanged: int = 0
    touched: int = Field(0, description="rows the whole change touches")
    table_rows: int = Field(0, description="rows of the table")


class RehearsedSide(Reading):
    """The sample as it is, or as it would be: each built and searched in the same way."""

    embedder: str
    dimension: int
    vectors: int
    refused: int = Field(0, description="rows the model gives no vector")
    shared: int = Field(0, description="rows whose vector another row has as well: a search cannot tell them apart")
    factory: str | None = Field(None, description="FAISS' word for the kind of index the sample is searched in")
    whole_factory: str | None = Field(None, description="and for the kind the whole index has with so many rows")
    index_bytes: int | None = Field(None, description="what the whole index would take at this size per row")


class Rehearsal(Reading):
    """The report: before and after, side by side."""

    rehearsal_id: str
    name: str
    change: RehearsedChange
    verdict: Verdict
    flags: list[str] = Field([], description="why it would be worse, in words")
    counts: SampleCounts
    before: RehearsedSide
    after: RehearsedSide
    queries: int = Field(0, description="rows whose nearest were looked up on both sides")
    overlap_ratio: float | None = Field(
        None, description="of their 10 nearest before, how many are still among them, in the table's proportions"
    )
    overlap_low_ratio: float | None = Field(None, description="95 % interval")
    overlap_high_ratio: float | None = None
    questions: list[GoldenDifference] = Field([], description="golden questions whose answer changes, those that get worse first")
    questions_asked: int = 0
    embedded: int = Field(0, description="texts embedded for it; promoting takes their vectors and embeds them no second time")
    to_embed: int | None = Field(None, description="texts the whole change still has to embed after that")
    seconds: float | None = Field(None, description="how long that takes at the rate measured here; null when nothing was measured")
    made_at: datetime
    expires_at: datetime
    promotion: Promotion | None = Field(None, description="null: it was not promoted")
    gate: Gate = Field(description="whether it may be promoted now")
    taken_at: datetime


class RehearsedResult(Reading):
    """One search asked of both sides of the sample."""

    rehearsal_id: str
    before: list[SearchHit]
    after: list[SearchHit]
    seconds: float
    taken_at: datetime
