"""The served generation, and searching it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, Self

from pydantic import Field, model_validator

from lib.contract.model import Reading, Request


class LastCheck(Reading):
    """What the newest check of sheet, table and index came to."""

    checked_at: datetime
    generation: int | None = None
    disagree: int
    sheet_name: str | None = None
    sheet_records: int | None = None
    sheet_read_at: datetime | None = None
    sheet_differences: int | None = Field(None, description="rows of it that were not applied when it was last read")


class IndexReading(Reading):
    """The served generation. Everything about it is null until a first one is built."""

    generation: int | None = None
    vectors: int = 0
    dimension: int | None = None
    metric: str | None = None
    factory: str | None = None
    embedder: str | None = None
    size_bytes: int | None = None
    sha256: str | None = Field(None, description="of the FAISS file; a refreshed one gets it a moment after it is served")
    built_at: datetime | None = None
    build_seconds: float | None = None
    built_by_job: str | None = None
    built_by: str | None = Field(None, description="who asked for that job; null when the job is forgotten by age")
    previous_generation: int | None = None
    turned_back: bool = Field(False, description="people went back to it: nothing is taken in by itself until they refresh or rebuild")
    tombstones: int = Field(0, description="vectors of rows that have left the table since: in the file, left out of every answer")
    ids_consistent: bool | None = Field(None, description="whether the file holds exactly the ids its manifest says")
    unindexed: int = Field(0, description="entries whose newest vector the served generation lacks, and removals it still has")
    last_check: LastCheck | None = Field(None, description="null: nothing was checked yet")
    taken_at: datetime


class SearchRequest(Request):
    """Find the entries nearest in meaning to a text."""

    text: str = Field(min_length=1, max_length=10_000)
    k: int = Field(10, ge=1, le=100)


class ProbeRequest(Request):
    """Find the entries nearest in meaning to a text, or to an entry there is; narrowed, or in the generation before."""

    text: str | None = Field(None, min_length=1, max_length=10_000)
    like_key: str | None = Field(None, min_length=1, max_length=500, description="the neighbours of this row, instead of a text")
    k: int = Field(10, ge=1, le=100)
    fields: dict[str, str] = Field({}, max_length=10, description="only entries whose fields have exactly these values")
    generation: Literal["served", "previous"] = Field("served", description="previous: the one to go back to, asked with its own model")

    @model_validator(mode="after")
    def _one_question(self) -> Self:
        if (self.text is None) == (self.like_key is None):
            raise ValueError("give a text, or the key of a row whose neighbours are wanted")
        return self


class SearchHit(Reading):
    """One entry found. ``score`` is the cosine of the two texts' vectors: 1 is identical."""

    key: str
    text: str
    score: float
    fields: dict[str, str] = {}


class SearchResult(Reading):
    """Hits, best first. ``generation`` is null when there is no index yet."""

    generation: int | None
    hits: list[SearchHit]
    seconds: float
    searched: int = Field(0, description="the nearest looked through for these; with a filter there may be more beyond them")
    taken_at: datetime
