"""Compare one sheet with the table, record by record: every rule a record breaks, and every column that differs."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from sqlalchemy import Connection

from lib.contract.imports import MAX_CELL_CHARACTERS, ColumnMapping, FieldDifference, RowError
from lib.contract.states import Change, RowRule
from lib.service.sheets.cells import hash_content, hash_record, join_text
from lib.service.sheets.reading import Record, too_long
from lib.service.storage.entries import get_entries, hashes_by_key

MAX_KEY_CHARACTERS = 500
#: How much of a bad cell its error shows.
MAX_SHOWN_CHARACTERS = 80


@dataclass(slots=True)
class ComparedRow:
    """One row of the plan, before it is written."""

    position: int
    row: int | None
    change: Change
    key: str
    text: str = ""
    texts: dict[str, str | None] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)
    content_hash: bytes | None = None
    record_hash: bytes | None = None
    entry_id: int | None = None
    differences: list[FieldDifference] = field(default_factory=list)
    errors: list[RowError] = field(default_factory=list)

    def as_tuple(self, plan_id: str) -> tuple[Any, ...]:
        """In the order of ``plans.PLAN_ROW_COLUMNS``."""
        return (
            plan_id,
            self.position,
            self.row,
            self.change.value,
            self.key,
            self.text,
            json.dumps(self.texts, ensure_ascii=False),
            json.dumps(self.fields, ensure_ascii=False),
            self.content_hash,
            self.record_hash,
            self.entry_id,
            json.dumps([d.model_dump() for d in self.differences], ensure_ascii=False) if self.differences else None,
            json.dumps([e.model_dump() for e in self.errors], ensure_ascii=False) if self.errors else None,
        )


def store_texts(texts: dict[str, str]) -> dict[str, str | None]:
    """How text columns are kept: a single one is null, for its value is the text itself."""
    return dict.fromkeys(texts) if len(texts) == 1 else dict(texts)


def restore_texts(texts: dict[str, str | None], text: str) -> dict[str, str]:
    """What :func:`store_texts` was given."""
    return {name: text if value is None else value for name, value in texts.items()}


class Comparison:
    """Classifies records against the table, batch by batch; what the sheet never named, it lacks.

    It remembers eight bytes for each key, however long keys are, and nothing of the table: a sheet of any length fits.
    """

    def __init__(self, *, header: list[str], mapping: ColumnMapping) -> None:
        self._mapping, self._names, self._width = mapping, header, len(header)
        at = {name: header.index(name) for name in (mapping.key, *mapping.text, *mapping.fields)}
        self._key_at = at[mapping.key]
        self._text_at = [(name, at[name]) for name in mapping.text]
        self._fields_at = [(name, at[name]) for name in mapping.fields]
        self._first_row_of: dict[int, int] = {}
        self.counts: Counter[str] = Counter()
        self.rules: Counter[str] = Counter()
        self.records = 0

    def compare(self, connection: Connection, records: list[Record]) -> list[ComparedRow]:
        """The plan's rows for these records, with before → after; entries that are the same already make none."""
        known = hashes_by_key(connection, [record.cells[self._key_at] for record in records if len(record.cells) > self._key_at])
        rows = [row for record in records if (row := self.classify(record, known)) is not None]
        add_differences(connection, rows)
        return rows

    def classify(self, record: Record, known: Mapping[str, tuple[int, bytes]]) -> ComparedRow | None:
        """The plan's row for this record; None when the entry is the same already."""
        self.records += 1
        cells = record.cells + [""] * (self._width - len(record.cells))
        key = cells[self._key_at]
        texts = {name: cells[at] for name, at in self._text_at}
        fields = {name: cells[at] for name, at in self._fields_at}
        text = join_text(texts)
        row = ComparedRow(self.records, record.row, Change.INVALID, key, text, store_texts(texts), fields)
        # Also of a bad record the key is taken down: it still says that its entry is wanted, and must not be removed.
        first_row = self._first_row_of.setdefault(_short(key), record.row)
        row.errors = self._find_errors(record, key, text, first_row)
        if row.errors:
            _show_nul(row)
            self.counts[Change.INVALID] += 1
            return row
        row.content_hash, row.record_hash = hash_content(text), hash_record(key, texts, fields)
        row.entry_id, record_hash = known.get(key, (None, None))
        row.change = Change.NEW if row.entry_id is None else Change.CHANGED if row.record_hash != record_hash else Change.UNCHANGED
        self.counts[row.change] += 1
        return None if row.change is Change.UNCHANGED else row

    def removals(self, page: Sequence[Any]) -> list[ComparedRow]:
        """Those of these entries that no record named."""
        gone = [entry for entry in page if _short(entry.key) not in self._first_row_of]
        first = self.records + self.counts[Change.REMOVED] + 1
        rows = [
            ComparedRow(position, None, Change.REMOVED, entry.key, entry_id=entry.entry_id)
            for position, entry in enumerate(gone, start=first)
        ]
        self.counts[Change.REMOVED] += len(rows)
        return rows

    def _find_errors(self, record: Record, key: str, text: str, first_row: int) -> list[RowError]:
        """Every rule the record breaks. ``first_row`` is the first that has its key."""
        found = [self._find_key_error(record, key, first_row), self._find_text_error(text), self._find_width_error(record.cells)]
        errors = [error for error in found if error] + self._find_cell_errors(record.cells)
        if errors:
            self.rules.update({error.code for error in errors if error.code})
        return errors

    def _find_key_error(self, record: Record, key: str, first_row: int) -> RowError | None:
        column = self._mapping.key
        if not key.strip():
            return _error(RowRule.KEY_EMPTY, column, key, "The key is empty.", "Give the row a key no other row has.")
        if len(key) > MAX_KEY_CHARACTERS:
            rule = f"The key is longer than {MAX_KEY_CHARACTERS} characters."
            return _error(RowRule.KEY_TOO_LONG, column, key, rule, "Choose a shorter key column.")
        if first_row != record.row:
            rule = f"The key stands in row {first_row:,} already."
            return _error(RowRule.KEY_TWICE, column, key, rule, "Keys must differ: change or delete one of the rows.")
        return None

    def _find_text_error(self, text: str) -> RowError | None:
        if text:
            return None
        columns = ", ".join(self._mapping.text)
        return _error(RowRule.TEXT_EMPTY, columns, "", "There is no text to embed.", "Write something in this column.")

    def _find_width_error(self, cells: list[str]) -> RowError | None:
        if len(cells) <= self._width or not any(cells[self._width :]):
            return None
        extra = next(filter(None, cells[self._width :]))
        rule = f"The row has {len(cells)} cells, the header {self._width}."
        return _error(RowRule.TOO_MANY_CELLS, None, extra, rule, "Look for a delimiter inside a cell that lacks quotation marks.")

    def _find_cell_errors(self, cells: list[str]) -> list[RowError]:
        errors = []
        for place, cell in enumerate(cells):
            if too_long(cell):
                rule = f"A cell holds {len(cell):,} characters; the limit is {MAX_CELL_CHARACTERS:,}."
                errors.append(_error(RowRule.CELL_TOO_LONG, self._name_of(place), cell, rule, "Shorten the cell or split the row."))
            elif "\x00" in cell:
                errors.append(_error(RowRule.NUL, self._name_of(place), cell, "A cell holds a NUL.", "Remove it."))
        return errors

    def _name_of(self, place: int) -> str | None:
        return self._names[place] if place < self._width else None


def _error(code: RowRule, column: str | None, value: str, rule: str, fix: str) -> RowError:
    """One broken rule, with as much of the cell as a page can show."""
    shown = value if len(value) <= MAX_SHOWN_CHARACTERS else value[:MAX_SHOWN_CHARACTERS] + "…"
    return RowError(code=code, column=column, value=shown.replace("\x00", "␀"), rule=rule, fix=fix)


def _short(key: str) -> int:
    """Eight bytes that stand for a key: two of a million keys share theirs once in forty million sheets."""
    return int.from_bytes(blake2b(key.encode(), digest_size=8).digest(), "big")


def _show_nul(row: ComparedRow) -> None:
    """PostgreSQL keeps no NUL, not even to show it."""
    seen: Callable[[str | None], str | None] = lambda value: value.replace("\x00", "␀") if value else value  # noqa: E731
    row.key, row.text = row.key.replace("\x00", "␀"), row.text.replace("\x00", "␀")
    row.texts = {name: seen(value) for name, value in row.texts.items()}
    row.fields = {name: value.replace("\x00", "␀") for name, value in row.fields.items()}


def add_differences(connection: Connection, rows: list[ComparedRow]) -> None:
    """Fill in before → after of changed and removed rows from the table."""
    named = [row for row in rows if row.entry_id is not None]
    for start in range(0, len(named), 1000):
        some = named[start : start + 1000]
        before = get_entries(connection, [row.entry_id for row in some if row.entry_id is not None])
        for row in some:
            if entry := before.get(row.entry_id or 0):
                row.text = entry.text if row.change is Change.REMOVED else row.text
                row.differences = _differences(entry, row)


def _differences(entry: Any, row: ComparedRow) -> list[FieldDifference]:
    before = {**restore_texts(entry.texts, entry.text), **entry.fields}
    after = {} if row.change is Change.REMOVED else {**restore_texts(row.texts, row.text), **row.fields}
    return [
        FieldDifference(column=name, before=before.get(name), after=after.get(name))
        for name in dict.fromkeys((*before, *after))
        if before.get(name) != after.get(name)
    ]
