"""What each column of a sheet probably is: as last time, else by its name and its cells, with how sure that is."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Any

from lib.contract.imports import ColumnMapping, ColumnSuggestion, Use
from lib.contract.states import Confidence
from lib.service.storage.database import Database
from lib.service.storage.mappings import find_mapping, source_key

#: column names that usually hold the key, in the order they are believed
_KEY_NAMES = ("key", "id", "sku", "code", "ref", "name", "slug")
#: and those that seldom are worth embedding, however long their cells are
_FIELD_NAMES = re.compile(r"date|month|version|rank|owner|category|updated|created|state|tag|type|price|count|url|link", re.IGNORECASE)
#: from this average length on a column probably holds text worth finding, from the second it surely does
_WORDY, _SURELY_WORDY = 20, 60


@dataclass(frozen=True)
class Suggestion:
    """A whole mapping, the same column by column, and what an earlier import used that this sheet lacks."""

    mapping: ColumnMapping | None
    columns: list[ColumnSuggestion] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def suggest_columns(database: Database, source: dict[str, Any], name: str, columns: list[str], sample: list[list[str]]) -> Suggestion:
    """As this source was mapped when it was last imported, if it still has those columns; else a first guess."""
    with database.read() as connection:
        last = find_mapping(connection, source_key(source, name))
    if last is None:
        return guess_columns(columns, sample)
    mapping = ColumnMapping.model_validate(last.mapping)
    missing = [each for each in (mapping.key, *mapping.text, *mapping.fields) if each not in columns]
    kept = [each for each in mapping.text if each in columns]
    if mapping.key in missing or not kept:
        return replace(guess_columns(columns, sample), missing=missing)
    mapping = ColumnMapping(key=mapping.key, text=kept, fields=[each for each in mapping.fields if each in columns])
    why = f"as in the import by {last.used_by} on {last.used_at:%Y-%m-%d}"
    return Suggestion(mapping, [_as_last_time(each, mapping, why) for each in columns], missing)


def _as_last_time(column: str, mapping: ColumnMapping, why: str) -> ColumnSuggestion:
    use: Use = "key" if column == mapping.key else "text" if column in mapping.text else "field" if column in mapping.fields else "nothing"
    return ColumnSuggestion(column=column, use=use, confidence=Confidence.REMEMBERED, why=why)


def guess_columns(columns: list[str], sample: list[list[str]]) -> Suggestion:
    """A first guess people correct: a key by its name (else the first column), long or wordy columns as text, the rest as fields."""
    if len(columns) < 2:
        return Suggestion(None)
    cells = {name: [row[place] for row in sample if place < len(row)] for place, name in enumerate(columns)}
    key = _guess_key(columns, cells)
    rest = [name for name in columns if name != key.column]
    others = [_guess_use(name, cells[name]) for name in rest]
    if not any(each.use == "text" for each in others):
        longest = max(rest, key=lambda name: _length(cells[name]))
        why = "no column is wordy; this one is the longest"
        others[rest.index(longest)] = ColumnSuggestion(column=longest, use="text", confidence=Confidence.GUESS, why=why)
    named = {use: [each.column for each in others if each.use == use] for use in ("text", "field")}
    by_column = {each.column: each for each in (key, *others)}
    mapping = ColumnMapping(key=key.column, text=named["text"], fields=named["field"])
    return Suggestion(mapping, [by_column[name] for name in columns])


def _guess_key(columns: list[str], cells: dict[str, list[str]]) -> ColumnSuggestion:
    lower = {name.lower(): name for name in reversed(columns)}
    named = next((lower[name] for name in _KEY_NAMES if name in lower), None)
    column = named or columns[0]
    seen = cells[column]
    differ = bool(seen) and all(seen) and len(set(seen)) == len(seen)
    if not differ and seen:
        why = "some of its first cells are empty or the same: look twice"
        return ColumnSuggestion(column=column, use="key", confidence=Confidence.GUESS, why=why)
    if named is None:
        why = "no column is called key or id; this is the first"
        return ColumnSuggestion(column=column, use="key", confidence=Confidence.GUESS, why=why)
    why = "its name says so, and its first cells differ" if differ else "its name says so"
    return ColumnSuggestion(column=column, use="key", confidence=Confidence.SURE if differ else Confidence.LIKELY, why=why)


def _guess_use(name: str, cells: list[str]) -> ColumnSuggestion:
    if _FIELD_NAMES.search(name):
        return ColumnSuggestion(column=name, use="field", confidence=Confidence.SURE, why="its name is one of a detail")
    if (length := _length(cells)) < _WORDY:
        return ColumnSuggestion(column=name, use="field", confidence=Confidence.LIKELY, why="its cells are short")
    confidence = Confidence.SURE if length >= _SURELY_WORDY else Confidence.LIKELY
    return ColumnSuggestion(column=name, use="text", confidence=confidence, why=f"its cells have about {length:.0f} characters")


def _length(cells: list[str]) -> float:
    return sum(map(len, cells)) / max(1, len(cells))
