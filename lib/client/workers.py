"""Workers and the shift log: what people want of the one, and write into the other."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lib.client.paths import path_of
from lib.client.transport import Call, Transport
from lib.contract.shift import NoteRequest, ShiftEntry, ShiftReading
from lib.contract.states import Desired
from lib.contract.workers import (
    DrainWish,
    DrainWorkersWish,
    Forecast,
    ScaleRequest,
    Worker,
    WorkerLog,
    WorkersReading,
    WorkersWish,
    WorkerWish,
)

Expected = dict[str, Desired]


class WorkersClient:
    """The part of the client that runs the workers. ``expected`` is what the person was shown; Refused when it has changed since."""

    transport: Transport

    def list_workers(self) -> WorkersReading:
        """All workers."""
        return self.transport.get(WorkersReading, "/api/workers")

    def pause_worker(self, worker_id: str, reason: str = "", expected: Desired | None = None) -> Worker:
        """Let one worker claim nothing until resumed."""
        return self._wish(worker_id, "pause", WorkerWish(reason=reason, expected=expected))

    def resume_worker(self, worker_id: str, reason: str = "", expected: Desired | None = None) -> Worker:
        """Let one worker claim work again."""
        return self._wish(worker_id, "resume", WorkerWish(reason=reason, expected=expected))

    def drain_worker(
        self, worker_id: str, reason: str = "", expected: Desired | None = None, deadline_seconds: int | None = None
    ) -> Worker:
        """Let one worker finish what it holds and take no more; after the deadline what it holds goes back to the queue."""
        return self._wish(worker_id, "drain", DrainWish(reason=reason, expected=expected, deadline_seconds=deadline_seconds))

    def pause_workers(self, reason: str = "", worker_ids: Sequence[str] | None = None, expected: Expected | None = None) -> WorkersReading:
        """Pause those named, or every embedding worker."""
        return self._wish_all("pause", WorkersWish(reason=reason, worker_ids=_list(worker_ids), expected=expected))

    def resume_workers(self, reason: str = "", worker_ids: Sequence[str] | None = None, expected: Expected | None = None) -> WorkersReading:
        """Resume those named, or every embedding worker."""
        return self._wish_all("resume", WorkersWish(reason=reason, worker_ids=_list(worker_ids), expected=expected))

    def drain_workers(
        self,
        reason: str = "",
        worker_ids: Sequence[str] | None = None,
        expected: Expected | None = None,
        deadline_seconds: int | None = None,
    ) -> WorkersReading:
        """Drain those named, or every embedding worker."""
        wish = DrainWorkersWish(reason=reason, worker_ids=_list(worker_ids), expected=expected, deadline_seconds=deadline_seconds)
        return self._wish_all("drain", wish)

    def scale_workers(self, embedding: int, expected: int | None = None) -> WorkersReading:
        """Run so many embedding workers on the service's machine."""
        return self.transport.post(WorkersReading, "/api/workers/scale", ScaleRequest(embedding=embedding, expected=expected))

    def get_forecast(self, workers: int | None = None, batch_size: int | None = None) -> Forecast:
        """How long the backlog would take with so many workers and such batches."""
        return self.transport.get(Forecast, "/api/workers/forecast", {"workers": workers, "batch_size": batch_size})

    def get_worker_log(self, worker_id: str, at: datetime) -> WorkerLog:
        """What the worker wrote around a moment."""
        return self.transport.get(WorkerLog, path_of("/api/workers", worker_id, "log"), {"at": at.isoformat()})

    def list_shift(self, since: datetime | None = None, limit: int = 50) -> ShiftReading:
        """The shift log, newest first."""
        return self.transport.get(ShiftReading, "/api/shift", {"since": since.isoformat() if since else None, "limit": limit})

    def add_note(self, text: str, at: datetime | None = None) -> ShiftEntry:
        """Write something into the shift log, pinned to its time."""
        return self.transport.post(ShiftEntry, "/api/shift/notes", NoteRequest(text=text, at=at))

    def delete_note(self, entry_id: int) -> None:
        """Take a note back."""
        self.transport.send(Call("DELETE", path_of("/api/shift/notes", str(entry_id))))

    def _wish(self, worker_id: str, verb: str, wish: WorkerWish) -> Worker:
        return self.transport.post(Worker, path_of("/api/workers", worker_id, verb), wish)

    def _wish_all(self, verb: str, wish: WorkersWish) -> WorkersReading:
        return self.transport.post(WorkersReading, f"/api/workers/{verb}", wish)


def _list(worker_ids: Sequence[str] | None) -> list[str] | None:
    return None if worker_ids is None else list(worker_ids)
