"""What re-embedding with another model would cost, before anybody starts it."""

from __future__ import annotations

import time

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.reembedding import ReembedPlan, ReembedRequest
from lib.contract.settings import SETTINGS
from lib.contract.states import EmbedderKind, Operation
from lib.service import gate
from lib.service.config import Config
from lib.service.embedders import Embedder, EmbedderUnusable, EmbeddingFailed, open_embedder
from lib.service.errors import ServiceError
from lib.service.index.generations import Generations
from lib.service.operations.reembedding import wanted_settings
from lib.service.storage import reembedding as rows
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database

#: So many rows are embedded to learn the rate of a model on this machine; a provider's is not measured, for it may cost money.
SAMPLE = 128


def plan_reembedding(database: Database, config: Config, request: ReembedRequest) -> ReembedPlan:
    """Rows, how many of them need no call, and how long it takes. 422 when the model cannot be opened or a value is not valid."""
    embedder = open_wanted(database, config, request)
    with database.read() as connection:
        decision = gate.decide(connection, Operation.REEMBED, request.model_dump(mode="json"))
        entries = get_counters(connection)["entries"]
        to_embed = rows.count_without(connection, embedder.fingerprint)
        sample = [row.text for row in rows.list_without(connection, embedder.fingerprint, after=0, limit=SAMPLE)]
    served = Generations(config.index_dir).current()
    return ReembedPlan(
        embedder=embedder.name,
        served=served.embedder if served else None,
        rows=entries,
        cached=max(0, entries - to_embed),
        to_embed=to_embed,
        seconds=_estimate(embedder, sample, to_embed) if request.embedder is EmbedderKind.WORDLLAMA else None,
        gate=decision,
    )


def open_wanted(database: Database, config: Config, request: ReembedRequest) -> Embedder:
    """The embedder that was asked for; 422 when it cannot be opened or a value is not valid."""
    with database.read() as connection:
        settings = wanted_settings(connection, request)
    for name, value in settings.items():
        if why := SETTINGS[name].check(value):
            field = name.removeprefix("embedding.")
            raise ServiceError(ErrorCode.INVALID, why, errors=[FieldError(pointer=f"/body/{field}", detail=why)])
    try:
        return open_embedder(config, settings)
    except EmbedderUnusable as unusable:
        raise ServiceError(ErrorCode.INVALID, str(unusable)) from unusable


def _estimate(embedder: Embedder, sample: list[str], rows_left: int) -> float | None:
    if not sample:
        return 0.0
    began = time.perf_counter()
    try:
        embedder.embed(sample)
    except EmbeddingFailed:
        return None
    return round((time.perf_counter() - began) / len(sample) * rows_left, 2)
