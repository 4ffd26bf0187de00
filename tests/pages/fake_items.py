"""The part of the fake service that speaks of the queue's items."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from lib.contract.jobs import LogLine
from lib.contract.queue import (
    FIXES,
    Failure,
    FailureGroup,
    FailureGroups,
    FailureReport,
    Item,
    ItemFilter,
    ItemPage,
    ItemSelection,
    RequeueRequest,
)
from lib.contract.states import FailureCause, ItemState
from lib.contract.trace import EntryTrace, Station, TraceEvent, TraceMatch, TraceMatches
from lib.contract.workers import WorkerLog
from tests.pages.canned import JOB_ID, ago, now


def item(failure: Failure) -> Item:
    """A failure as a row of the item list."""
    facts = failure.model_dump(exclude={"explanation", "action"})
    more = {"text": f"text of {failure.key}", "import_job_id": JOB_ID, "priority": 0, "shorten_to": None}
    return Item(state=ItemState.FAILED, enqueued_at=failure.failed_at - timedelta(minutes=2), **facts, **more)


def trace(entry_id: int = 101) -> EntryTrace:
    events = [
        TraceEvent(station=Station.SOURCE, at=ago(hours=3), text="Added by an import: row 7 of playbook.csv.", actor="ada", job_id=JOB_ID),
        TraceEvent(
            station=Station.QUEUE,
            at=ago(hours=2),
            text="Attempt 1 failed; it is tried again by itself. The embedding service asked to slow down.",
            actor="embedding-1",
            cause=FailureCause.QUOTA,
            raw_error="HTTP 429: <slow> down",
        ),
        TraceEvent(station=Station.INDEX, text="Searchable; since which generation is no longer kept.", gap=True),
    ]
    return EntryTrace(entry_id=entry_id, key="KB-101", text="Refunds take long.", where="It is searchable.", events=events, taken_at=now())


class FakeItems:
    """Lists from ``failures``; remembers what it was asked to do."""

    failures: list[Failure]

    def _note(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def _act(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def get_worker_log(self, worker_id: str, at: datetime) -> WorkerLog:
        self._note("get_worker_log", worker_id, at)
        lines = [LogLine(at=at, level="warning", message="embedding_failed cause=quota rows=1 detail=HTTP 429: <slow> down")]
        return WorkerLog(worker_id=worker_id, at=at, lines=lines, taken_at=now())

    def list_items(self, wanted: ItemFilter | None = None, limit: int = 50, cursor: str | None = None) -> ItemPage:
        self._note("list_items", wanted, limit, cursor)
        wanted = wanted or ItemFilter()
        some = [item(failure) for failure in self.failures if wanted.cause in {None, failure.cause}]
        if wanted.state is ItemState.PENDING:
            some = [each.model_copy(update={"state": ItemState.PENDING, "cause": None}) for each in some]
        return ItemPage(items=some[:limit] if wanted.text is None else [], total=len(some), taken_at=now())

    def list_failure_groups(self) -> FailureGroups:
        self._note("list_failure_groups")
        groups = []
        for cause in FailureCause:
            some = [failure for failure in self.failures if failure.cause is cause]
            if some:
                facts: dict[str, Any] = {"cause": cause, "explanation": some[0].explanation, "action": some[0].action, "fix": FIXES[cause]}
                more: dict[str, Any] = {"count": len(some), "first_at": ago(hours=1), "last_at": ago(minutes=1), "samples": some[:3]}
                groups.append(FailureGroup(shorten_to=8192 if cause is FailureCause.TEXT_TOO_LONG else None, **facts, **more))
        return FailureGroups(groups=groups, taken_at=now())

    def retry_failures(self, selection: ItemSelection) -> FailureReport:
        self._act("retry_failures", selection)
        return FailureReport(done=len(selection.entry_ids or self.failures), skipped=0)

    def discard_failures(self, selection: ItemSelection) -> FailureReport:
        self._act("discard_failures", selection)
        return FailureReport(done=len(selection.entry_ids or self.failures), skipped=1)

    def put_items_first(self, selection: ItemSelection) -> FailureReport:
        self._act("put_items_first", selection)
        return FailureReport(done=0, skipped=0, job_id=JOB_ID)

    def put_items_back(self, selection: ItemSelection) -> FailureReport:
        self._act("put_items_back", selection)
        return FailureReport(done=3, skipped=0)

    def start_requeue(self, request: RequeueRequest, idempotency_key: str | None = None) -> str:
        self._act("start_requeue", request, idempotency_key)
        return JOB_ID

    def find_rows(self, query: str) -> TraceMatches:
        self._note("find_rows", query)
        keys = {"one": ["KB-101"], "two": ["KB-101", "KB-102"]}.get(query, [])
        some = [TraceMatch(entry_id=int(key[3:]), key=key, text="Refunds take long.") for key in keys]
        return TraceMatches(items=some, more=len(some) > 1, taken_at=now())

    def trace_entry(self, entry_id: int) -> EntryTrace:
        self._note("trace_entry", entry_id)
        return trace(entry_id)
