"""Changing the model: every row is embedded again, and what that costs is shown first."""

from __future__ import annotations

from pydantic import Field

from lib.contract.model import Reading, Request
from lib.contract.operations import Gate
from lib.contract.states import EmbedderKind


class ReembedRequest(Request):
    """The embedder every row is to have. ``url``, ``model`` and ``dimension`` count for openai only; null: as it stands in Settings."""

    embedder: EmbedderKind
    url: str | None = Field(None, max_length=300)
    model: str | None = Field(None, max_length=200)
    dimension: int | None = Field(None, ge=1, le=8192)


class ReembedPlan(Reading):
    """What re-embedding would cost, before it is done. Money is never guessed."""

    embedder: str = Field(description="the new model and its dimension")
    served: str | None = Field(None, description="the model of the served generation")
    rows: int
    cached: int = Field(description="rows whose vector of this model is known already: no call")
    to_embed: int
    seconds: float | None = Field(None, description="from a measured rate on this machine; null when unknown")
    gate: Gate
