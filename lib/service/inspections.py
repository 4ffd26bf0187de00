"""Inspections as people see them: asked for, read, searched, restored; and going back to the generation before."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import Connection

from lib.contract.errors import ErrorCode
from lib.contract.faults import BadFile
from lib.contract.index import SearchRequest
from lib.contract.inspections import (
    GoBackReading,
    GoBackRequest,
    InspectedResult,
    Inspection,
    InspectRequest,
    RestoreRequest,
    SnapshotSource,
)
from lib.contract.jobs import Job
from lib.contract.model import utc_now
from lib.contract.operations import Gate, Started
from lib.contract.states import JobState, Operation, Verdict
from lib.service import gate
from lib.service.config import Config
from lib.service.engine import JobQueue
from lib.service.errors import GateRefused, ServiceError
from lib.service.index.durable import FolderBusy
from lib.service.index.generations import Generations
from lib.service.index.manifest import INDEX_FILE, Manifest
from lib.service.index.sandbox import examine
from lib.service.intentions import start_or_wait
from lib.service.jobs import Start, get_job
from lib.service.operations.inspections import REPORT_FILE
from lib.service.search import Search
from lib.service.storage.audit import outcome_of, record_action
from lib.service.storage.database import Database
from lib.service.storage.snapshots import get_snapshot
from lib.service.uploads import Uploads

#: What was inspected is kept so long; then it is inspected anew.
KEEP_SECONDS = 24 * 3600.0
#: How long a search of such a file waits for another one to end.
SEARCH_WAIT_SECONDS = 10.0
#: How long going back waits for what is written into the index folder at this moment.
GO_BACK_WAIT_SECONDS = 3.0
_AGAIN = "Inspect it again."


class Inspections:
    """What may be asked about a strange file and about the generations on disk."""

    def __init__(self, database: Database, config: Config, queue: JobQueue, uploads: Uploads, search: Search) -> None:
        self._database, self._config, self._queue = database, config, queue
        self._uploads, self._search = uploads, search
        self._generations = Generations(config.index_dir, lock_seconds=GO_BACK_WAIT_SECONDS)
        self._searching = threading.Lock()

    def start_inspection(self, request: InspectRequest, start: Start) -> Started:
        """Read a snapshot or an uploaded file safely; 404 when it is not there, 409 when it has not arrived in full."""
        source = request.source
        if isinstance(source, SnapshotSource):
            with self._database.read() as connection:
                snapshot = get_snapshot(connection, source.snapshot_id)
            if snapshot is None:
                raise ServiceError(ErrorCode.NOT_FOUND, f"There is no snapshot {source.snapshot_id}.")
            name = snapshot.name
        else:
            self._uploads.path_of_complete(source.upload_id)
            name = self._uploads.get_upload(source.upload_id).name
        return self._start(start, name)

    def _start(self, start: Start, name: str) -> Started:
        named = replace(start, arguments=start.arguments | {"name": name})
        return start_or_wait(self._database, self._queue, named, when_free=start.when_free)

    def get_inspection(self, inspection_id: str) -> Inspection:
        """The report; 404 when there is no such inspection, 409 while it is made or when it failed, 410 when it was removed by age."""
        job = self._find(inspection_id)
        if job.state is not JobState.SUCCEEDED:
            words = "is still being made" if job.is_active else f"was not made: its job is {job.state}"
            raise ServiceError(ErrorCode.NOT_READY, f"The report {words}.", action="Look at its job.")
        with self._database.read() as connection:
            decision = gate.decide(connection, Operation.RESTORE, {"inspection_id": inspection_id})
        return Inspection.model_validate(self._report(inspection_id) | {"gate": decision.model_dump(), "taken_at": utc_now()})

    def _find(self, inspection_id: str) -> Job:
        job = get_job(self._database, inspection_id)
        if job.operation is not Operation.INSPECT:
            raise ServiceError(ErrorCode.NOT_FOUND, "There is no such inspection.")
        return job

    def _report(self, inspection_id: str) -> dict[str, Any]:
        try:
            report: dict[str, Any] = json.loads((self._config.quarantine_dir / inspection_id / REPORT_FILE).read_bytes())
        except FileNotFoundError as gone:
            raise _expired() from gone
        return report

    def search_inspection(self, inspection_id: str, request: SearchRequest) -> InspectedResult:
        """Search the inspected file, in a process of its own; 409 when it holds nothing that a text could be looked for in."""
        began, name = time.monotonic(), self._find(inspection_id).arguments.get("name")
        facts = self._report(inspection_id).get("facts")
        if facts is None or not facts["has_ids"]:
            raise ServiceError(ErrorCode.NOT_READY, f"“{name}” cannot be searched: it was refused, or its vectors have no ids.")
        vector = self._search.embed_query(request.text)
        if facts["dimension"] != len(vector):
            words = f"Its vectors have {facts['dimension']} components, those of the model in use {len(vector)}: no text can be looked for."
            raise ServiceError(ErrorCode.NOT_READY, words)
        path = self._config.quarantine_dir / inspection_id / INDEX_FILE
        try:
            with self._one_search():
                found = examine(path, facts=False, queries=np.asarray([vector]), k=request.k).answers[0]
        except BadFile as bad:
            raise ServiceError(ErrorCode.NOT_READY, f"It could not be searched: {bad}", action=_AGAIN) from bad
        except FileNotFoundError as gone:
            raise _expired() from gone
        hits = self._search.describe(found)
        seconds, unknown = time.monotonic() - began, len(found) - len(hits)
        return InspectedResult(inspection_id=inspection_id, hits=hits, unknown=unknown, seconds=seconds, taken_at=utc_now())

    @contextmanager
    def _one_search(self) -> Iterator[None]:
        """Each search of a strange file holds all of it in memory, so there is one at a time; who waits holds a thread, so not for long."""
        if not self._searching.acquire(timeout=SEARCH_WAIT_SECONDS):
            words = "Another search of an inspected file is still going on."
            raise ServiceError(ErrorCode.NOT_READY, words, action="Try again in a moment.")
        try:
            yield
        finally:
            self._searching.release()

    def start_restore(self, request: RestoreRequest, start: Start) -> Started:
        """Serve what was inspected; 409 when it may not be, when its name was not typed, or when something is in the way."""
        job = self._find(request.inspection_id)
        if (job.result or {}).get("verdict") in (Verdict.GOOD, Verdict.WORSE):
            self._report(request.inspection_id)  # what was removed by age is not waited for
        return self._start(start, str(job.arguments.get("name")))

    def get_go_back(self) -> GoBackReading:
        """Whether one can go back, and to which generation."""
        served, target = self._generations.current(), self._generations.previous()
        with self._database.read() as connection:
            decision = _decide(connection, served, target, None)
        return GoBackReading(served=served.generation if served else None, previous=target.generation if target else None, gate=decision)

    def go_back(self, request: GoBackRequest, *, actor: str, request_id: str) -> GoBackReading:
        """Serve an earlier generation again, at once; 409 when there is none, or something is about to publish another."""
        with self._database.write() as connection:  # nothing that publishes can be started while this is decided and done
            served = self._generations.current()
            target = self._target(request.generation)
            decision = _decide(connection, served, target, request.expected)
            record_action(
                connection,
                actor=actor,
                action="go_back",
                object_id=str(target.generation) if target else None,
                before={"generation": served.generation if served else None},
                after={"generation": target.generation} if target and decision.allowed else None,
                outcome=outcome_of(decision),
                request_id=request_id,
            )
            if decision.allowed and target is not None:
                self._point_at(target)
        if not decision.allowed:
            raise GateRefused(decision)
        return self.get_go_back()

    def _point_at(self, target: Manifest) -> None:
        try:
            self._generations.go_back(target.generation)
        except (LookupError, FolderBusy) as error:  # swept this moment; or a worker that hangs holds the folder
            raise ServiceError(ErrorCode.NOT_READY, str(error), action="Look again, then decide.") from error

    def _target(self, generation: int | None) -> Manifest | None:
        if generation is None:
            return self._generations.previous()
        return next((each for each in self._generations.list_generations() if each.generation == generation), None)


def _expired() -> ServiceError:
    return ServiceError(ErrorCode.EXPIRED, "What was inspected was removed by age.", action=_AGAIN)


def _decide(connection: Connection, served: Manifest | None, target: Manifest | None, expected: int | None) -> Gate:
    return gate.decide_go_back(
        connection,
        served=served.generation if served else None,
        target=target.generation if target else None,
        same_model=served is not None and target is not None and served.fingerprint == target.fingerprint,
        expected=expected,
    )


def sweep_quarantine(config: Config) -> None:
    """Drop what was inspected long ago."""
    before = time.time() - KEEP_SECONDS
    for folder in config.quarantine_dir.iterdir():
        with suppress(FileNotFoundError):
            if folder.stat().st_mtime < before:
                shutil.rmtree(folder, ignore_errors=True)
