"""Reembed: give every row a vector of another model, then switch to it in one moment. The old index serves until the new one is whole."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.contract.queue import CAUSES
from lib.contract.reembedding import ReembedRequest
from lib.contract.settings import SettingValue
from lib.service.embedders import Embedder, EmbedderUnusable, EmbeddingFailed, current_embedder, open_embedder
from lib.service.operations.index import build_anew, look_at_published
from lib.service.operations.rehearsed import take_rehearsed_vectors
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.storage import items
from lib.service.storage import reembedding as rows
from lib.service.storage.settings import get_embedder_settings, put_setting

BATCH_ROWS = 512
#: A provider that does not answer is asked again this often, waiting longer each time.
TRIES = 4
WAIT_SECONDS = 2.0
#: Imports go on meanwhile: what they bring is embedded in rounds, the last of them while the workers stand still.
ROUNDS = 5
_KEPT = "Nothing was switched. Start it again when the cause is mended: what was embedded is kept."

Settings = dict[str, SettingValue]


def wanted_settings(connection: Connection, request: ReembedRequest) -> Settings:
    """The settings that choose the embedder as they would be afterwards."""
    wanted = get_embedder_settings(connection)
    for name, value in request.model_dump(mode="json", exclude_none=True).items():
        wanted[f"embedding.{name}"] = value
    return wanted


def reembed(context: JobContext) -> dict[str, Any]:
    """Embed aside, switch, publish. Up to the switch a cancel leaves everything as it was; the vectors made are kept for the next try."""
    embedded = context.step("embed_aside", _embed_aside, context)
    waiting = context.step("switch_model", _switch, context)
    published = context.step("rebuild_index", build_anew, context)
    return {"embedded": embedded, "queued": waiting} | published | look_at_published(context)


def _open_wanted(context: JobContext) -> tuple[Settings, Embedder]:
    """The settings as they would be afterwards, and the embedder they choose."""
    with context.database.read() as connection:
        settings = wanted_settings(connection, ReembedRequest.model_validate(context.job.arguments))
    return settings, open_chosen(context, settings)


def open_chosen(context: JobContext, settings: Settings) -> Embedder:
    """The embedder these settings choose; OperationFailed when it cannot be used."""
    try:
        return open_embedder(context.config, settings)
    except EmbedderUnusable as unusable:
        raise OperationFailed(JobFailure.UNEXPECTED, str(unusable), "Choose another model, or mend this one.") from unusable


def _embed_aside(context: JobContext) -> int:
    _, embedder = _open_wanted(context)
    take_rehearsed_vectors(context, embedder)
    done = 0
    for _ in range(ROUNDS):
        with context.database.read() as connection:
            left = rows.count_without(connection, embedder.fingerprint)
        came = _embed_round(context, embedder, left)
        done += came
        if came < BATCH_ROWS:
            break
    return done


def _embed_round(context: JobContext, embedder: Embedder, total: int) -> int:
    """Every entry that has no vector of this model as of now; texts the model refuses are left to the queue, which says why."""
    after, done = 0, 0
    while True:
        context.tell("embedding with the new model", done, total)
        with context.database.read() as connection:
            page = rows.list_without(connection, embedder.fingerprint, after=after, limit=BATCH_ROWS)
        if not page:
            return done
        after = page[-1].entry_id
        texts = {bytes(row.content_hash): row.text for row in page}
        vectors = embed_texts(context, embedder, texts, action=_KEPT)
        with context.write() as connection:
            items.store_vectors(connection, embedder.fingerprint, vectors)
        done += len(page)


def embed_texts(context: JobContext, embedder: Embedder, texts: dict[bytes, str], *, action: str) -> list[tuple[bytes, bytes]]:
    """(content hash, vector) of each text; what the model refuses is left out. ``action``: what to do when it does not answer at all."""
    todo, waits = dict(texts), 0
    while todo:
        try:
            made = embedder.embed(list(todo.values()))
        except EmbeddingFailed as failure:
            if failure.position is not None and not failure.retryable:
                del todo[list(todo)[failure.position]]
            elif waits == TRIES - 1 or not failure.retryable:
                words, helps = CAUSES[failure.cause]
                raise OperationFailed(JobFailure.UNEXPECTED, f"{words} {helps} ({failure.detail[:200]})", action) from failure
            else:
                context.wait(WAIT_SECONDS * 2**waits, "waiting for the model")
                waits += 1
        else:
            return [(content_hash, row.tobytes()) for content_hash, row in zip(todo, made, strict=True)]
    return []


def _switch(context: JobContext) -> int:
    """One transaction: the settings, and which vectors count. Before it everything is as it was, after it all is of the new model."""
    settings, embedder = _open_wanted(context)
    before = current_embedder(context.database, context.config)
    if before.fingerprint == embedder.fingerprint:  # died between the switch and the checkpoint
        return 0
    context.tell("switching")
    with context.hold_workers("while the model is switched"), context.write() as connection:
        old = get_embedder_settings(connection)
        now = utc_now()
        rows.note_model(connection, before.fingerprint, old, now=now)
        rows.note_model(connection, embedder.fingerprint, settings, now=now)
        for name, value in settings.items():
            if old[name] != value:
                put_setting(connection, name, value, by=context.job.requested_by, now=now)
        return rows.switch_model(connection, fingerprint=embedder.fingerprint, now=now)
