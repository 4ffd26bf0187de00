"""Which entries an export writes: its filter as SQL."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy import ColumnElement, Connection

from lib.contract.exports import ExportFilter
from lib.contract.states import EntryState, ItemState
from lib.service.storage.schema import entries, items

_PAGE = 2000

#: state of an entry → those of its item; one that is embedded has none
_ITEM_STATES: dict[EntryState, tuple[ItemState, ...]] = {
    EntryState.WAITING: (ItemState.PENDING, ItemState.LEASED),
    EntryState.FAILED: (ItemState.FAILED,),
    EntryState.DISCARDED: (ItemState.DISCARDED,),
}


@dataclass(frozen=True)
class Matching:
    """How many entries a filter lets through, and how many of them might hold a cell that is too long."""

    entries: int
    maybe_too_long: int


def count_matching(connection: Connection, wanted: ExportFilter, *, longer_than: int) -> Matching:
    """How many entries match; ``longer_than``: also how many have a text, or fields in all, of more characters than that."""
    length = sa.func.length(entries.c.text), sa.func.length(sa.cast(entries.c.fields, sa.Text))
    too_long = sa.func.sum(sa.case((sa.or_(*(each > longer_than for each in length)), 1), else_=0))
    row = connection.execute(sa.select(sa.func.count(), too_long).select_from(entries).where(*_conditions(connection, wanted))).one()
    return Matching(int(row[0]), int(row[1] or 0))


def stream_matching(connection: Connection, wanted: ExportFilter) -> Iterator[list[sa.Row[Any]]]:
    """All matching entries in pages, in the order they were first seen."""
    conditions, after = _conditions(connection, wanted), 0
    query = sa.select(entries).where(*conditions).order_by(entries.c.entry_id).limit(_PAGE)
    while page := list(connection.execute(query.where(entries.c.entry_id > after)).all()):
        yield page
        after = page[-1].entry_id


def _conditions(connection: Connection, wanted: ExportFilter) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if wanted.text:
        found.append(entries.c.key.contains(wanted.text, autoescape=True) | entries.c.text.contains(wanted.text, autoescape=True))
    if wanted.updated_since:
        found.append(entries.c.updated_at >= wanted.updated_since)
    if wanted.state:
        found.append(_in_state(wanted.state))
    found += [_has_field(connection, place, *pair) for place, pair in enumerate(wanted.fields.items())]
    return found


def _in_state(state: EntryState) -> ColumnElement[bool]:
    item = sa.select(items.c.entry_id).where(items.c.entry_id == entries.c.entry_id)
    if state is EntryState.EMBEDDED:
        return ~item.exists()
    return item.where(items.c.state.in_(_ITEM_STATES[state])).exists()


def _has_field(connection: Connection, place: int, name: str, value: str) -> ColumnElement[bool]:
    # The name is a value, not a path: it may hold dots and quotation marks.
    clause = f"entries.fields ->> :name_{place} = :value_{place}"
    if connection.dialect.name == "sqlite":
        clause = f"EXISTS (SELECT 1 FROM json_each(entries.fields) j WHERE j.key = :name_{place} AND j.value = :value_{place})"  # noqa: S608
    return sa.text(clause).bindparams(**{f"name_{place}": name, f"value_{place}": value})  # type: ignore[return-value]  # a clause like any other
