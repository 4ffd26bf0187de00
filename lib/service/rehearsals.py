"""Rehearsals as people see them: asked for, listed, read, searched on both sides, thrown away; and what of them is kept how long."""

from __future__ import annotations

import json
import shutil
import threading
import time
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection

from lib.contract.errors import ErrorCode
from lib.contract.index import SearchHit, SearchRequest
from lib.contract.jobs import Job
from lib.contract.model import utc_now
from lib.contract.operations import Gate, Reason, Started
from lib.contract.rehearsals import (
    KEPT_DAYS,
    KEPT_REHEARSALS,
    ImportChange,
    ModelChange,
    Promotion,
    Rehearsal,
    RehearsalHead,
    RehearsalPage,
    RehearsedResult,
    RehearseRequest,
)
from lib.contract.states import JobState, Operation, Role
from lib.service import gate
from lib.service.config import Config
from lib.service.embedders import Embedder, EmbedderUnusable, EmbeddingFailed, open_embedder
from lib.service.engine import JobQueue
from lib.service.errors import GateRefused, ServiceError
from lib.service.index.shadow import Shadow
from lib.service.index.stored import DamagedIndex
from lib.service.intentions import start_or_wait
from lib.service.jobs import Start, get_job
from lib.service.operations.rehearsals import AFTER_FILE, BEFORE_FILE, ROWS_FILE
from lib.service.operations.rehearsed import REPORT_FILE
from lib.service.reembedding import open_wanted
from lib.service.security import Identity
from lib.service.storage import jobs as job_rows
from lib.service.storage.audit import outcome_of, record_action
from lib.service.storage.database import Database
from lib.service.storage.jobs import JobFilter
from lib.service.storage.plans import get_plan
from lib.service.storage.promotions import find_promotions

log = structlog.get_logger("rehearsals")

KEEP = timedelta(days=KEPT_DAYS)
#: Rehearsals the list goes back.
LISTED = 20
_AGAIN = "Rehearse it again."


class Rehearsals:
    """What may be asked about changes that were tried and not made."""

    def __init__(self, database: Database, config: Config, queue: JobQueue) -> None:
        self._database, self._config, self._queue = database, config, queue
        self._opening = threading.Lock()
        self._embedders: dict[str, Embedder] = {}

    def start_rehearsal(self, request: RehearseRequest, start: Start, who: Identity) -> Started:
        """Try it on sample rows; 404 when there is no such plan, 403 and 422 for a model as for the change itself, 409 by the gate."""
        change = request.change
        if isinstance(change, ModelChange):
            if not who.may(Role.ADMIN):  # texts leave for wherever the model is, as with the change itself
                raise ServiceError(ErrorCode.FORBIDDEN, f"Another model needs the role {Role.ADMIN}; {who.actor} is {who.role}.")
            name = open_wanted(self._database, self._config, change.request).name
        else:
            with self._database.read() as connection:
                plan = get_plan(connection, change.plan_id)
            name = plan.source_name if plan else ""  # without one the gate says so
        named = replace(start, arguments=start.arguments | {"name": name})
        return start_or_wait(self._database, self._queue, named, when_free=start.when_free)

    def list_rehearsals(self) -> RehearsalPage:
        """The newest first, those that run or failed as well."""
        with self._database.read() as connection:
            found = [job for _, job in job_rows.list_jobs(connection, JobFilter(operation=Operation.REHEARSE), limit=LISTED)]
            promoted = find_promotions(connection, [job.job_id for job in found])
        heads = [self._head(job, promoted.get(job.job_id)) for job in found]
        return RehearsalPage(items=heads, taken_at=utc_now())

    def _head(self, job: Job, promotion: Promotion | None) -> RehearsalHead:
        result, change = job.result or {}, _change_of(job)
        return RehearsalHead(
            rehearsal_id=job.job_id,
            kind=change.kind,
            name=str(job.arguments.get("name")),
            state=job.state,
            verdict=result.get("verdict"),
            rows=result.get("rows"),
            requested_by=job.requested_by,
            created_at=job.created_at,
            expires_at=_expires_at(self._folder(job.job_id)),
            promotion=promotion,
            plan_id=change.plan_id if isinstance(change, ImportChange) else None,
        )

    def get_rehearsal(self, rehearsal_id: str) -> Rehearsal:
        """The report; 404 when there is no such rehearsal, 409 while it is made or when it failed, 410 when it is no longer kept."""
        job, report = self._find(rehearsal_id)
        change = _change_of(job)
        with self._database.read() as connection:
            promotion = find_promotions(connection, [rehearsal_id]).get(rehearsal_id)
            decision = _decide(connection, change, promotion)
        known = {"gate": decision.model_dump(), "promotion": promotion, "taken_at": utc_now()}
        return Rehearsal.model_validate(report | known | {"expires_at": _expires_at(self._folder(rehearsal_id)) or utc_now()})

    def _find(self, rehearsal_id: str) -> tuple[Job, dict[str, Any]]:
        job = get_job(self._database, rehearsal_id)
        if job.operation is not Operation.REHEARSE:
            raise ServiceError(ErrorCode.NOT_FOUND, "There is no such rehearsal.")
        if job.state is not JobState.SUCCEEDED:
            words = "is still being made" if job.is_active else f"was not made: its job is {job.state}"
            raise ServiceError(ErrorCode.NOT_READY, f"The report {words}.", action="Look at its job.")
        try:
            report: dict[str, Any] = json.loads((self._folder(rehearsal_id) / REPORT_FILE).read_bytes())
        except FileNotFoundError as gone:
            raise ServiceError(ErrorCode.EXPIRED, "The rehearsal is no longer kept.", action=_AGAIN) from gone
        return job, report

    def _folder(self, rehearsal_id: str) -> Path:
        return self._config.rehearsals_dir / rehearsal_id

    def search_rehearsal(self, rehearsal_id: str, request: SearchRequest) -> RehearsedResult:
        """One text looked for on both sides of the sample; else as the report."""
        began = time.monotonic()
        _, report = self._find(rehearsal_id)
        folder = self._folder(rehearsal_id) / str(report["attempt"])
        try:
            rows = json.loads((folder / ROWS_FILE).read_bytes())
            before, after = (
                self._search(folder / file, rows[side], report["settings"][side], request)
                for side, file in (("before", BEFORE_FILE), ("after", AFTER_FILE))
            )
        except (FileNotFoundError, DamagedIndex) as gone:
            raise ServiceError(ErrorCode.EXPIRED, f"The rehearsal cannot be searched any more: {gone}", action=_AGAIN) from gone
        return RehearsedResult(rehearsal_id=rehearsal_id, before=before, after=after, seconds=time.monotonic() - began, taken_at=utc_now())

    def _search(self, path: Path, rows: dict[str, list[str]], settings: dict[str, Any], request: SearchRequest) -> list[SearchHit]:
        shadow = Shadow(path)
        try:
            vector = self._open(settings).embed([request.text])[0]
        except (EmbedderUnusable, EmbeddingFailed) as failure:
            action = "Look at Embedding in Settings; the rehearsal is as it was."
            raise ServiceError(ErrorCode.INTERNAL, f"The question could not be embedded: {failure}", action=action) from failure
        found = [(rows[str(ident)], score) for ident, score in shadow.search(vector, request.k)]
        return [SearchHit(key=key, text=text, score=round(score, 6), fields={}) for (key, text), score in found]

    def _open(self, settings: dict[str, Any]) -> Embedder:
        """Kept open: a search asks two models, and opening one takes half a second."""
        name = json.dumps(settings, sort_keys=True)
        with self._opening:
            if name not in self._embedders:
                if len(self._embedders) > 1:
                    self._embedders.clear()
                self._embedders[name] = open_embedder(self._config, settings)
            return self._embedders[name]

    def delete_rehearsal(self, rehearsal_id: str, *, actor: str, request_id: str) -> None:
        """Throw it away before its time; 404 when there is none, 409 while it runs."""
        with self._database.write() as connection:
            job = job_rows.get_job(connection, rehearsal_id)
            if job is None or job.operation is not Operation.REHEARSE:
                raise ServiceError(ErrorCode.NOT_FOUND, "There is no such rehearsal.")
            decision = gate.decide_throw_away(job)
            outcome = outcome_of(decision)
            before = {"name": job.arguments.get("name")}
            record_action(
                connection,
                actor=actor,
                action="delete_rehearsal",
                object_id=rehearsal_id,
                before=before,
                outcome=outcome,
                request_id=request_id,
            )
        if not decision.allowed:
            raise GateRefused(decision)
        shutil.rmtree(self._folder(rehearsal_id), ignore_errors=True)


def _change_of(job: Job) -> ImportChange | ModelChange:
    return RehearseRequest.model_validate({"change": job.arguments["change"]}).change


def _expires_at(folder: Path) -> datetime | None:
    """None: nothing of it is kept."""
    try:
        return datetime.fromtimestamp((folder / REPORT_FILE).stat().st_mtime, UTC) + KEEP
    except FileNotFoundError:
        return None


def _decide(connection: Connection, change: ImportChange | ModelChange, promotion: Promotion | None) -> Gate:
    """May it be promoted now? The same gate as of the import, or of the change of the model."""
    if promotion and promotion.stands:
        words = f"It has been promoted already, by {promotion.promoted_by}."
        link = f"/?job={promotion.job_id}"
        return gate.refuse(Reason.ALREADY_SO, words, holder=promotion.job_id, since=promotion.promoted_at, link=link)
    operation = Operation.IMPORT if isinstance(change, ImportChange) else Operation.REEMBED
    try:
        return gate.decide(connection, operation, change.request.model_dump(mode="json", exclude_none=True))
    except ServiceError as gone:
        return gate.refuse(Reason.PLAN_STALE, gone.detail or "The plan is gone. Preview the source again.", link="/Import")


def sweep_rehearsals(database: Database, config: Config) -> None:
    """Drop what is too old, what is too much, and what attempts that died have left."""
    kept: list[tuple[datetime, Path]] = []
    for folder in config.rehearsals_dir.iterdir():
        expires = _expires_at(folder)
        if expires is None:
            with database.read() as connection:
                job = job_rows.get_job(connection, folder.name)
            if job is None or not job.is_active:
                _drop(folder)
        elif expires < utc_now():
            _drop(folder)
        else:
            kept.append((expires, folder))
    for _, folder in sorted(kept, reverse=True)[KEPT_REHEARSALS:]:
        _drop(folder)


def _drop(folder: Path) -> None:
    with suppress(FileNotFoundError):
        shutil.rmtree(folder)
        log.info("rehearsal_dropped", rehearsal_id=folder.name)
