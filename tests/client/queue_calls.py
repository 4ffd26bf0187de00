"""The calls of the client that speak of the queue: method, address, query and answer of each."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lib.client.api import Client
from lib.contract.model import Reading, utc_now
from lib.contract.queue import (
    FailureGroups,
    FailurePage,
    FailureReport,
    ItemFilter,
    ItemPage,
    ItemSelection,
    QueueHistory,
    QueueReading,
    Window,
)
from lib.contract.states import FailureCause, ItemState
from lib.contract.trace import EntryTrace, TraceMatches

NOW = utc_now()
QUEUE = QueueReading(entries=1, pending=1, leased=0, failed=0, embedded=0, taken_at=NOW)
REPORT = FailureReport(done=2, skipped=0)

QUEUE_CALLS: dict[str, tuple[Callable[[Client], Any], str, str, dict[str, str], Reading]] = {
    "get_queue": (lambda c: c.get_queue(), "GET", "/api/queue", {}, QUEUE),
    "get_queue_history": (
        lambda c: c.get_queue_history(Window.H1),
        "GET",
        "/api/queue/history",
        {"window": "1h"},
        QueueHistory(window=Window.H1, step_seconds=1, points=[], taken_at=NOW),
    ),
    "list_failures": (
        lambda c: c.list_failures(FailureCause.QUOTA),
        "GET",
        "/api/queue/failures",
        {"cause": "quota", "limit": "50"},
        FailurePage(items=[], total=0, taken_at=NOW),
    ),
    "retry_failures": (lambda c: c.retry_failures(ItemSelection(entry_ids=[1])), "POST", "/api/queue/failures/retry", {}, REPORT),
    "discard_failures": (lambda c: c.discard_failures(ItemSelection()), "POST", "/api/queue/failures/discard", {}, REPORT),
    "list_failure_groups": (
        lambda c: c.list_failure_groups(),
        "GET",
        "/api/queue/failures/groups",
        {},
        FailureGroups(groups=[], taken_at=NOW),
    ),
    "list_items": (
        lambda c: c.list_items(ItemFilter(state=ItemState.FAILED, text="a b"), 7),
        "GET",
        "/api/queue/items",
        {"state": "failed", "text": "a b", "limit": "7"},
        ItemPage(items=[], total=0, taken_at=NOW),
    ),
    "put_items_first": (lambda c: c.put_items_first(ItemSelection()), "POST", "/api/queue/items/first", {}, REPORT),
    "put_items_back": (lambda c: c.put_items_back(ItemSelection()), "POST", "/api/queue/items/back", {}, REPORT),
    "find_rows": (
        lambda c: c.find_rows("KB 1"),
        "GET",
        "/api/entries/find",
        {"query": "KB 1"},
        TraceMatches(items=[], taken_at=NOW),
    ),
    "trace_entry": (
        lambda c: c.trace_entry(7),
        "GET",
        "/api/entries/7/trace",
        {},
        EntryTrace(entry_id=7, key="k", text="t", where="It is searchable.", events=[], taken_at=NOW),
    ),
}
