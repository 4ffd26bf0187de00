"""Where is my row? One entry's road from the sheet to the index, told from what each station has kept; what is missing is called a gap."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.errors import ErrorCode
from lib.contract.model import utc_now
from lib.contract.queue import CAUSES
from lib.contract.states import FailureCause, ItemState
from lib.contract.trace import EntryTrace, EventKind, Station, TraceEvent, TraceMatch, TraceMatches, Turn
from lib.service.errors import ServiceError
from lib.service.queue import forecast_backlog, read_queue
from lib.service.storage import item_events, traces
from lib.service.storage.database import Database

MATCHES = 20
EXPORTS = 5
_ITEM_WORDS = {
    ItemState.PENDING: "It waits to be embedded.",
    ItemState.LEASED: "A worker is embedding it now.",
    ItemState.FAILED: "It could not be embedded and waits for a person.",
    ItemState.DISCARDED: "It was given up on: no search finds it until it is retried or its text changes.",
}
#: The same of a row that is embedded again: until that is done it has the vector it had.
_AGAIN_WORDS = {
    ItemState.PENDING: "It waits to be embedded again, and is searchable by its present vector until then.",
    ItemState.LEASED: "A worker is embedding it again; it is searchable by its present vector until then.",
    ItemState.FAILED: "It could not be embedded again and waits for a person; it is searchable by the vector it has.",
    ItemState.DISCARDED: "Embedding it again was given up on; it is searchable by the vector it has.",
}
_EVENT_WORDS = {
    EventKind.ATTEMPT_FAILED: "Attempt {attempt} failed; it is tried again by itself.",
    EventKind.FAILED: "Attempt {attempt} failed, and it is not tried again by itself.",
    EventKind.LAPSED: "Attempt {attempt} was lost: the worker fell silent.",
    EventKind.RETRIED: "Put back into the queue with fresh attempts.",
    EventKind.DISCARDED: "Given up on.",
    EventKind.PUT_FIRST: "Put before others in the queue.",
    EventKind.PUT_BACK: "Put back in line.",
    EventKind.RENEWED: "Wanted embedded again; its vector is used until the new one is there.",
}
_CHANGE_WORDS = {"new": "Added", "changed": "Changed", "removed": "Removed"}


def find_rows(database: Database, query: str) -> TraceMatches:
    """Rows whose key is or begins with ``query``, then those whose text contains it."""
    wanted = query.strip()
    with database.read() as connection:
        found = {row.entry_id: row for row in traces.find_by_key(connection, wanted, MATCHES + 1)}
        if len(found) <= MATCHES:
            found |= {row.entry_id: row for row in traces.find_by_phrase(connection, wanted, MATCHES + 1) if row.entry_id not in found}
        removed = None if found else traces.find_removed(connection, wanted)
    matches = [TraceMatch(entry_id=row.entry_id, key=row.key, text=row.text) for row in found.values()]
    if removed is not None:
        matches = [TraceMatch(entry_id=removed.entry_id, key=removed.key, text=(removed.text or "")[:200], removed=True)]
    return TraceMatches(items=matches[:MATCHES], more=len(matches) > MATCHES, taken_at=utc_now())


def trace_entry(database: Database, entry_id: int, *, served_revision: int, turned_back: bool = False) -> EntryTrace:
    """Everything that is known of the entry; 404 when nothing is. ``turned_back``: the index waits for a person."""
    with database.read() as connection:
        entry = traces.get_entry(connection, entry_id)
        if entry is None:
            return _trace_removed(connection, entry_id)
        is_current = entry.vector_entry_id is not None and entry.vector_content_hash == entry.content_hash
        indexed, since = _index_events(connection, entry, served_revision) if is_current else ([], None)
        events = [
            *_source_events(connection, entry.key, entry),
            *_queue_events(connection, entry),
            *_vector_events(entry, is_current=is_current),
            *indexed,
            *_export_events(connection, entry),
        ]
        turn = _turn(connection, entry, turned_back=turned_back)
    where = _where(entry, is_current=is_current, is_served=is_current and entry.vector_revision <= served_revision)
    return EntryTrace(
        entry_id=entry_id,
        key=entry.key,
        text=entry.text[:2000],
        where=where,
        searchable_since=since,
        turn=turn,
        events=_in_order(events),
        taken_at=utc_now(),
    )


def _trace_removed(connection: Connection, entry_id: int) -> EntryTrace:
    gone = traces.get_removed(connection, entry_id)
    if gone is None:
        raise ServiceError(ErrorCode.NOT_FOUND, f"There is no entry {entry_id}.", action="Search for its key.")
    trail = [_queue_event(event) for event in item_events.list_events(connection, entry_id)]
    return EntryTrace(
        entry_id=entry_id,
        key=gone.key,
        text=(gone.text or "")[:2000],
        where="It is not in the table any more: an import removed it.",
        events=_in_order([*_source_events(connection, gone.key, None), *trail]),
        taken_at=utc_now(),
    )


def _in_order(events: list[TraceEvent]) -> list[TraceEvent]:
    """Oldest first, and of one moment in the order of the road; a gap stays where its station put it."""
    at, placed = datetime.min.replace(tzinfo=UTC), []
    for event in events:
        at = event.at or at
        placed.append((at, event))
    return [event for _, event in sorted(placed, key=lambda each: each[0])]


def _where(entry: sa.Row[Any], *, is_current: bool, is_served: bool) -> str:
    if entry.item_state is not None:
        return (_AGAIN_WORDS if entry.item_anew and is_served else _ITEM_WORDS)[ItemState(entry.item_state)]
    if not is_current:
        return "It has no vector of its present text, and does not wait for one: start a re-embedding on Index."
    return "It is searchable." if is_served else "It has its vector, and becomes searchable with the next index refresh."


def _turn(connection: Connection, entry: sa.Row[Any], *, turned_back: bool) -> Turn | None:
    """A row becomes searchable with the refresh that follows the whole queue, however early its own turn comes."""
    if entry.item_state not in {ItemState.PENDING, ItemState.LEASED}:
        return None
    ahead = traces.count_ahead(connection, entry) if entry.item_state == ItemState.PENDING else 0
    queue = read_queue(connection, turned_back=turned_back)
    mine = forecast_backlog(connection, ahead + 1, queue.taken_at.timestamp())
    return Turn(
        ahead=ahead,
        embedded_low_seconds=mine.low if mine else None,
        embedded_high_seconds=mine.high if mine else None,
        searchable_low_seconds=queue.searchable_low_seconds,
        searchable_high_seconds=queue.searchable_high_seconds,
    )


def _source_events(connection: Connection, key: str, entry: sa.Row[Any] | None) -> list[TraceEvent]:
    changes = traces.list_changes(connection, key)
    events = [_source_event(connection, key, change, entry) for change in changes]
    if entry is not None and not any(change.change == "new" for change in changes):
        words = "First seen; which import brought it is no longer kept."
        events.insert(0, TraceEvent(station=Station.TABLE, at=entry.created_at, text=words, gap=True))
    return events


def _source_event(connection: Connection, key: str, change: sa.Row[Any], entry: sa.Row[Any] | None) -> TraceEvent:
    row = traces.find_row_number(connection, change.plan_id, key) if change.plan_id else None
    source = change.source_name or "a sheet that is no longer kept"
    where = f"row {row:,} of {source}" if row else source
    undone = " Undone since." if change.outcome == "reversed" else ""
    words = f"{_CHANGE_WORDS.get(change.change, change.change.capitalize())} by an import: {where}.{undone}"
    at = _changed_at(change, entry)
    return TraceEvent(station=Station.SOURCE, at=at, text=words, actor=change.requested_by, job_id=change.job_id)


def _changed_at(change: sa.Row[Any], entry: sa.Row[Any] | None) -> datetime | None:
    """The moment the table changed, where the entry knows it: the job ends later, perhaps after what the change led to."""
    known: list[datetime] = [entry.updated_at, entry.created_at] if entry is not None and change.started_at else []
    finished: datetime | None = change.finished_at
    return next((at for at in known if change.started_at <= at <= (finished or utc_now())), finished)


def _queue_events(connection: Connection, entry: sa.Row[Any]) -> list[TraceEvent]:
    events = [_queue_event(event) for event in item_events.list_events(connection, entry.entry_id)]
    if entry.item_state is None:
        return events
    events.append(TraceEvent(station=Station.QUEUE, at=entry.item_enqueued_at, text="Enqueued to be embedded."))
    if entry.item_state == ItemState.LEASED:
        words = f"Attempt {entry.item_attempts}: {entry.item_leased_by} is embedding it."
        events.append(TraceEvent(station=Station.QUEUE, at=utc_now(), text=words, actor=entry.item_leased_by))
    elif entry.item_state == ItemState.PENDING and entry.item_available_at > utc_now():
        words = f"The next attempt comes at {entry.item_available_at:%H:%M:%S} UTC."
        events.append(TraceEvent(station=Station.QUEUE, at=utc_now(), text=words))
    return events


def _queue_event(event: sa.Row[Any]) -> TraceEvent:
    kind, cause = EventKind(event.kind), FailureCause(event.cause) if event.cause else None
    tried = kind in {EventKind.ATTEMPT_FAILED, EventKind.FAILED, EventKind.LAPSED}
    words = _EVENT_WORDS[kind].format(attempt=event.attempt)
    if kind is EventKind.RETRIED and event.detail:
        words = f"{words} Embedded is {event.detail}."
    return TraceEvent(
        station=Station.QUEUE,
        at=event.at,
        text=f"{words} {CAUSES[cause][0]}" if cause and tried else words,
        actor=event.actor,
        job_id=event.job_id,
        cause=cause if tried else None,
        raw_error=event.detail if tried else None,
    )


def _vector_events(entry: sa.Row[Any], *, is_current: bool) -> list[TraceEvent]:
    if entry.vector_entry_id is None:
        return []
    how = (
        f"Embedded by {entry.vector_embedded_by}, attempt {entry.vector_attempts}."
        if entry.vector_embedded_by
        else "Its vector was known already."
    )
    short = f" Of its first {entry.vector_shortened_to:,} characters only." if entry.vector_shortened_to else ""
    old = "" if is_current else " That was an earlier text; a search finds the row by it until the new one is embedded."
    return [TraceEvent(station=Station.VECTOR, at=entry.vector_embedded_at, text=how + short + old, actor=entry.vector_embedded_by)]


def _index_events(connection: Connection, entry: sa.Row[Any], served_revision: int) -> tuple[list[TraceEvent], datetime | None]:
    """Since when it is searchable: the first generation that was published with this vector in it."""
    for build in traces.list_builds_after(connection, entry.vector_embedded_at):
        result = build.result or {}
        knows = result.get("revision")
        # Without a revision the job is only sure to have seen what was embedded before it began.
        if (knows is not None and knows >= entry.vector_revision) or (knows is None and build.started_at >= entry.vector_embedded_at):
            words = f"Searchable, with generation {result.get('generation', '?')} of the index."
            event = TraceEvent(station=Station.INDEX, at=build.finished_at, text=words, actor=build.requested_by, job_id=build.job_id)
            return [event], build.finished_at
    if entry.vector_revision <= served_revision:
        words = "Searchable; since which generation is no longer kept."
        return [TraceEvent(station=Station.INDEX, at=None, text=words, gap=True)], None
    return [], None


def _export_events(connection: Connection, entry: sa.Row[Any]) -> list[TraceEvent]:
    events = []
    for export in traces.list_exports_after(connection, entry.created_at, EXPORTS):
        narrowed = {name: value for name, value in (export.arguments.get("filter") or {}).items() if value}
        text = str(narrowed.pop("text", "")).lower()
        if text and text not in entry.key.lower() and text not in entry.text.lower():
            continue
        name = (export.result or {}).get("name") or "an export"
        words = f"Exported in {name}." if not narrowed else f"Perhaps exported in {name}: that one was narrowed by {', '.join(narrowed)}."
        events.append(
            TraceEvent(
                station=Station.EXPORT,
                at=export.finished_at,
                text=words,
                actor=export.requested_by,
                job_id=export.job_id,
                gap=bool(narrowed),
            )
        )
    return events
