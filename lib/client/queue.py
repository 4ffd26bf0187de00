"""The queue: its items, what failed, what to do about it, and where a row is."""

from __future__ import annotations

from lib.client.operations import LIMIT
from lib.client.paths import path_of
from lib.client.starts import start_job
from lib.client.transport import Transport
from lib.contract.queue import (
    FailureGroups,
    FailurePage,
    FailureReport,
    ItemFilter,
    ItemPage,
    ItemSelection,
    QueueHistory,
    QueueReading,
    RequeueRequest,
    Window,
)
from lib.contract.states import FailureCause
from lib.contract.trace import EntryTrace, TraceMatches


class QueueClient:
    """The part of the client that speaks of items."""

    transport: Transport

    def get_queue(self) -> QueueReading:
        """The queue now."""
        return self.transport.get(QueueReading, "/api/queue")

    def get_queue_history(self, window: Window = Window.M15) -> QueueHistory:
        """Samples of the window."""
        return self.transport.get(QueueHistory, "/api/queue/history", {"window": window})

    def list_items(self, wanted: ItemFilter | None = None, limit: int = LIMIT, cursor: str | None = None) -> ItemPage:
        """Items that match, newest first."""
        asked = (wanted or ItemFilter()).model_dump(mode="json", exclude={"entry_ids"})
        return self.transport.get(ItemPage, "/api/queue/items", asked | {"limit": limit, "cursor": cursor})

    def put_items_first(self, selection: ItemSelection) -> FailureReport:
        """Embed these pending items before others."""
        return self.transport.post(FailureReport, "/api/queue/items/first", selection)

    def put_items_back(self, selection: ItemSelection) -> FailureReport:
        """Put these pending items back in line."""
        return self.transport.post(FailureReport, "/api/queue/items/back", selection)

    def list_failures(self, cause: FailureCause | None = None, limit: int = LIMIT, cursor: str | None = None) -> FailurePage:
        """Failures, newest first."""
        return self.transport.get(FailurePage, "/api/queue/failures", {"cause": cause, "limit": limit, "cursor": cursor})

    def list_failure_groups(self) -> FailureGroups:
        """What failed by cause, the largest group first."""
        return self.transport.get(FailureGroups, "/api/queue/failures/groups")

    def retry_failures(self, selection: ItemSelection) -> FailureReport:
        """Let failed items wait again; too many for one answer go on as a job."""
        return self.transport.post(FailureReport, "/api/queue/failures/retry", selection)

    def discard_failures(self, selection: ItemSelection) -> FailureReport:
        """Give up on failed items; too many for one answer go on as a job."""
        return self.transport.post(FailureReport, "/api/queue/failures/discard", selection)

    def start_requeue(self, request: RequeueRequest, idempotency_key: str | None = None) -> str:
        """Do one thing with every item that matches; the job's id."""
        return start_job(self.transport, "/api/operations/requeue", request, idempotency_key)

    def find_rows(self, query: str) -> TraceMatches:
        """Rows by key, by how the key begins, or by a phrase of the text."""
        return self.transport.get(TraceMatches, "/api/entries/find", {"query": query})

    def trace_entry(self, entry_id: int) -> EntryTrace:
        """The road of one row."""
        return self.transport.get(EntryTrace, path_of("/api/entries", str(entry_id), "trace"))
