"""Twelve bytes for each record of a source, by which it is said later which rows have moved."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b

from lib.service.sheets.reading import Record

_MARK = struct.Struct("<QI")
#: Rows that have moved are named up to this many of a kind.
NAMED_ROWS = 5
#: How much of a key is shown.
SHOWN_CHARACTERS = 60


def _digest(text: str, size: int) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=size).digest(), "little")


class RowMarks:
    """Marks of the records that pass by. Which rows moved is named by them; whether any did, a fingerprint says."""

    def __init__(self, key_at: int) -> None:
        self._key_at = key_at
        self._packed = bytearray()

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records, marked in passing."""
        for record in records:
            self._packed += _MARK.pack(*self._mark(record))
            yield record

    def _mark(self, record: Record) -> tuple[int, int]:
        return _digest(self.key_of(record), 8), _digest("\x1f".join(record.cells), 4)

    def key_of(self, record: Record) -> str:
        """What tells the record apart."""
        return record.cells[self._key_at] if len(record.cells) > self._key_at else ""

    def pack(self) -> bytes:
        """To be kept."""
        return bytes(self._packed)


class Moves(RowMarks):
    """Compares the records that pass by with the marks of an earlier reading."""

    def __init__(self, key_at: int, packed: bytes) -> None:
        super().__init__(key_at)
        self._before: dict[int, int | None] = dict(_MARK.iter_unpack(packed))
        self._seen = 0
        self._changed: list[Record] = []
        self._new: list[Record] = []
        self.moved = {"changed": 0, "new": 0}

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """The same records, compared in passing."""
        for record in records:
            self._compare(record)
            yield record

    def _compare(self, record: Record) -> None:
        key, cells = self._mark(record)
        if key not in self._before:
            self._note("new", self._new, record)
        elif (was := self._before[key]) is not None:
            self._before[key] = None  # seen; a key that comes twice is an invalid row of the plan anyway
            self._seen += 1
            if was != cells:
                self._note("changed", self._changed, record)

    def _note(self, kind: str, named: list[Record], record: Record) -> None:
        self.moved[kind] += 1
        if len(named) < NAMED_ROWS:
            named.append(record)

    def describe(self) -> str:
        """Which rows moved, in words; the first of each kind by number and key."""
        gone = len(self._before) - self._seen
        parts = [
            f"{verb} {self._name(named, self.moved[kind])}"
            for kind, verb, named in (("changed", "edited:", self._changed), ("new", "new:", self._new))
            if named
        ]
        if gone:
            parts.append("1 row is gone" if gone == 1 else f"{gone:,} rows are gone")
        return "; ".join(parts) or "its rows stand in other places"

    def _name(self, named: Sequence[Record], count: int) -> str:
        listed = ", ".join(f"row {record.row:,} ({self.key_of(record)[:SHOWN_CHARACTERS]})" for record in named)
        return f"{listed} and {count - len(named):,} more" if count > len(named) else listed
