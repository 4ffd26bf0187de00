"""Items by filter: list them, count them, and do one thing with all of them. Every change keeps counters and trail."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.queue import ItemAction, ItemFilter, ItemSelection
from lib.contract.states import FailureCause, ItemState
from lib.contract.trace import EventKind
from lib.service.storage.counters import add_to_counters, count_items, get_counters
from lib.service.storage.item_events import add_events
from lib.service.storage.items import PRIORITY_SECONDS

#: Where the count of a filter stops: further on it would cost a look at every row.
COUNT_LIMIT = 10_000

_SHOWN_AT = {
    ItemState.PENDING: "i.enqueued_at",
    ItemState.LEASED: "i.enqueued_at",
    ItemState.FAILED: "i.failed_at",
    ItemState.DISCARDED: "i.failed_at",
}
#: "lease_id IS NOT NULL" is what the partial index of leases answers.
_STATE = {state: f"i.state = '{state}'" + (" AND i.lease_id IS NOT NULL" if state is ItemState.LEASED else "") for state in ItemState}
_COLUMNS = (
    "i.entry_id, e.key, SUBSTR(e.text, 1, 200) AS text, i.state, i.cause, i.error, i.attempts, i.leased_by, e.import_id, i.priority, "
    "i.shorten_to, i.enqueued_at, i.available_at, i.failed_at"
)
_FROM = "FROM items i JOIN entries e ON e.entry_id = i.entry_id"

#: (shown at, entry id) of the last item of a page
Place = tuple[float, int]


def list_items(connection: Connection, wanted: ItemFilter, *, now: float, after: Place | None, limit: int) -> list[sa.Row[Any]]:
    """Items that match, newest first: by when they failed, or were enqueued."""
    parameters: dict[str, Any] = {"limit": limit}
    where = _where(wanted, parameters, now)
    parts = []
    for state in [wanted.state] if wanted.state else list(ItemState):
        page = _beyond(state, after, parameters)
        # Each state by the index that is its own, and never more of it than the page could show.
        parts.append(_newest(state, _COLUMNS, where + page))
    statement = f"{' UNION ALL '.join(parts)} ORDER BY shown_at DESC, entry_id LIMIT :limit"
    return list(connection.execute(sa.text(statement), parameters).all())


def _newest(state: ItemState, columns: str, narrowed: str) -> str:
    """The newest items of one state, as a part of a union: constants but for the names of parameters."""
    at = _SHOWN_AT[state]
    source = f"{_FROM} WHERE {_STATE[state]}{narrowed} ORDER BY {at} DESC, i.entry_id LIMIT :limit"
    return f"SELECT * FROM (SELECT {columns}, {at} AS shown_at {source}) p"  # noqa: S608


def _beyond(state: ItemState, after: Place | None, parameters: dict[str, Any]) -> str:
    """Behind the place where the page before ended. The first half is for the index, which does not see through an OR."""
    if after is None:
        return ""
    parameters |= {"at": after[0], "id": after[1]}
    at = _SHOWN_AT[state]
    return f" AND {at} <= :at AND ({at} < :at OR i.entry_id > :id)"


def count_matching(connection: Connection, wanted: ItemFilter, *, now: float, limit: int | None = COUNT_LIMIT) -> int:
    """How many match, from the counters where they know; else counted, up to one beyond ``limit``."""
    if not wanted.narrows:
        counts = get_counters(connection)
        return sum(counts[state] for state in ([wanted.state] if wanted.state else ItemState))
    if wanted.state is ItemState.FAILED and wanted.cause and wanted == ItemFilter(state=wanted.state, cause=wanted.cause):
        return get_counters(connection)[f"failed_{wanted.cause}"]
    parameters: dict[str, Any] = {"most": limit + 1} if limit else {}
    states = " OR ".join(f"({_STATE[state]})" for state in ([wanted.state] if wanted.state else ItemState))
    most = " LIMIT :most" if limit else ""
    counted = f"SELECT COUNT(*) FROM (SELECT 1 {_FROM} WHERE ({states}){_where(wanted, parameters, now)}{most}) c"  # noqa: S608
    return int(connection.execute(sa.text(counted), parameters).scalar_one())


def _where(wanted: ItemFilter, parameters: dict[str, Any], now: float) -> str:
    parts = []
    if wanted.cause:
        parameters["cause"] = wanted.cause.value
        parts.append("i.cause = :cause")
    if wanted.import_job_id:
        parameters["import_id"] = wanted.import_job_id
        parts.append("e.import_id = :import_id")
    if wanted.worker_id:
        parameters["worker"] = wanted.worker_id
        parts.append("i.leased_by = :worker")
    if wanted.older_than_seconds:
        parameters["before"] = now - wanted.older_than_seconds
        parts.append("i.enqueued_at <= :before")
    if wanted.text:
        parameters["text"] = f"%{_escape(wanted.text.lower())}%"
        parts.append("(LOWER(e.key) LIKE :text ESCAPE '!' OR LOWER(e.text) LIKE :text ESCAPE '!')")
    return "".join(f" AND {part}" for part in parts)


def _escape(text: str) -> str:
    return text.replace("!", "!!").replace("%", "!%").replace("_", "!_")


# --- doing one thing with many ---------------------------------------------------------------------------------------

_FROM_STATES: dict[ItemAction, tuple[ItemState, ...]] = {
    ItemAction.RETRY: (ItemState.FAILED,),
    ItemAction.DISCARD: (ItemState.FAILED,),
    ItemAction.PUT_FIRST: (ItemState.PENDING,),
    ItemAction.PUT_BACK: (ItemState.PENDING,),
}
_KINDS = {
    ItemAction.RETRY: EventKind.RETRIED,
    ItemAction.DISCARD: EventKind.DISCARDED,
    ItemAction.PUT_FIRST: EventKind.PUT_FIRST,
    ItemAction.PUT_BACK: EventKind.PUT_BACK,
}
_SET = {
    ItemAction.RETRY: (
        "state = 'pending', attempts = 0, leased_by = NULL, cause = NULL, error = NULL, shorten_to = COALESCE(:shorten_to, shorten_to), "
        f"priority = :priority, available_at = :now, due_at = :now - {PRIORITY_SECONDS} * :priority"
    ),
    ItemAction.DISCARD: "state = 'discarded', attempts = 0, leased_by = NULL",
    ItemAction.PUT_FIRST: f"priority = 1, due_at = available_at - {PRIORITY_SECONDS}",
    ItemAction.PUT_BACK: "priority = 0, due_at = available_at",
}


def states_for(action: ItemAction, selection: ItemSelection) -> tuple[ItemState, ...]:
    """The states the action is for; a retry means the discarded ones only when they are named, by id or by state."""
    states = _FROM_STATES[action]
    if action is ItemAction.RETRY and (selection.entry_ids is not None or selection.state is ItemState.DISCARDED):
        states = (ItemState.FAILED, ItemState.DISCARDED)
    return tuple(state for state in states if selection.state in {None, state})


def take_chunk(
    connection: Connection, action: ItemAction, selection: ItemSelection, *, now: float, upto: float, after: Place | None, limit: int
) -> list[sa.Row[Any]]:
    """The next items the action is for: (entry_id, state, cause, attempts, shown_at). ``upto``: none that failed or came later."""
    parameters: dict[str, Any] = {"limit": limit, "upto": upto}
    where = _where(selection, parameters, now) + _named(selection, parameters, connection.dialect.name)
    if action is ItemAction.PUT_FIRST:
        where += " AND i.priority = 0"
    elif action is ItemAction.PUT_BACK:
        where += " AND i.priority > 0"
    parts = []
    for state in states_for(action, selection):
        page = _beyond(state, after, parameters)
        parts.append(_newest(state, "i.entry_id, i.state, i.cause, i.attempts", f" AND {_SHOWN_AT[state]} <= :upto{where}{page}"))
    if not parts:
        return []
    statement = f"{' UNION ALL '.join(parts)} ORDER BY shown_at DESC, entry_id LIMIT :limit"
    return list(connection.execute(sa.text(statement), parameters).all())


def _named(selection: ItemSelection, parameters: dict[str, Any], dialect: str) -> str:
    if selection.entry_ids is None:
        return ""
    parameters["ids"] = json.dumps(selection.entry_ids)
    return f" AND i.entry_id IN ({_listed(dialect)})"


def _listed(dialect: str) -> str:
    each = "json_each(:ids)" if dialect == "sqlite" else "json_array_elements_text(CAST(:ids AS json))"
    return f"SELECT CAST(value AS BIGINT) FROM {each}"  # noqa: S608 - one of two names


def move_items(
    connection: Connection,
    action: ItemAction,
    taken: Sequence[sa.Row[Any]],
    *,
    now: float,
    actor: str,
    job_id: str | None = None,
    shorten_to: int | None = None,
    priority: int = 0,
) -> None:
    """Do it with the items that were taken in this transaction."""
    parameters: dict[str, Any] = {"now": now, "shorten_to": shorten_to, "priority": priority}
    used = {name: value for name, value in parameters.items() if f":{name}" in _SET[action]}
    statement = f"UPDATE items SET {_SET[action]} WHERE entry_id IN ({_listed(connection.dialect.name)})"  # noqa: S608
    connection.execute(sa.text(statement), used | {"ids": json.dumps([item.entry_id for item in taken])})
    _count_moved(connection, action, taken)
    detail = f"only its first {shorten_to:,} characters" if shorten_to else None
    kind = _KINDS[action].value
    add_events(connection, [(item.entry_id, now, kind, actor, item.attempts, item.cause, detail, job_id) for item in taken])


def _count_moved(connection: Connection, action: ItemAction, taken: Sequence[sa.Row[Any]]) -> None:
    to = {ItemAction.RETRY: ItemState.PENDING, ItemAction.DISCARD: ItemState.DISCARDED}.get(action)
    if to is not None:
        for (state, cause), count in Counter((item.state, item.cause) for item in taken).items():
            count_items(connection, state, cause, -count)
        add_to_counters(connection, **{to.value: len(taken)})


# --- failures by cause -----------------------------------------------------------------------------------------------


def list_causes(connection: Connection) -> list[tuple[FailureCause, int]]:
    """Every cause something has failed for, and how many."""
    counts = get_counters(connection)
    found = [(cause, counts[f"failed_{cause}"]) for cause in FailureCause]
    return sorted(((cause, count) for cause, count in found if count), key=lambda each: -each[1])


def cause_span(connection: Connection, cause: FailureCause) -> tuple[float | None, float | None]:
    """When the first and the last of those that still stand failed for this cause."""
    one = "SELECT failed_at FROM items WHERE state = 'failed' AND cause = :cause ORDER BY failed_at {way} LIMIT 1"
    first, last = (connection.execute(sa.text(one.format(way=way)), {"cause": cause.value}).scalar_one_or_none() for way in ("ASC", "DESC"))
    return first, last


def settled_state(connection: Connection, entry_ids: Sequence[int], *, since: float) -> tuple[list[sa.Row[Any]], int]:
    """Of these items: those that failed again since then, and how many are still on their way."""
    query = sa.text(
        "SELECT i.entry_id, e.key, i.state, i.cause, i.error, i.failed_at FROM items i JOIN entries e ON e.entry_id = i.entry_id "  # noqa: S608
        f"WHERE i.entry_id IN ({_listed(connection.dialect.name)})"
    )
    rows = connection.execute(query, {"ids": json.dumps(list(entry_ids))}).all()
    failed = [row for row in rows if row.state == ItemState.FAILED and (row.failed_at or 0) >= since]
    return failed, sum(row.state in {ItemState.PENDING, ItemState.LEASED} for row in rows)
