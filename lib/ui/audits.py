"""What people did, as a table. Pure HTML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from html import escape
from urllib.parse import quote

from lib.contract.audit import AuditEntry
from lib.ui.format import UNKNOWN, shorten
from lib.ui.marks import Column, Mark, Tone, badge, code, moment, table
from lib.ui.session import Params, now, zone

_COLUMNS = (
    Column(title="When"),
    Column(title="Who"),
    Column(title="Action"),
    Column(title="On"),
    Column(title="Before → after", wide=True),
    Column(title="Outcome"),
    Column(title="Request"),
)
#: What says nothing; 0 and False do.
_EMPTY: tuple[object, ...] = (None, "", [], {})
#: An id or a checksum: its beginning tells it from the others, and the CSV has all of it.
_ID = re.compile(r"[0-9a-f]{32,}")


def audit_table(entries: Iterable[AuditEntry], *, caption: str) -> str:
    """One line per action; what it was done to leads to everything done to it."""
    return table(_COLUMNS, [_row(entry) for entry in entries], caption=caption)


def _row(entry: AuditEntry) -> tuple[str, ...]:
    change = " → ".join(_compact(side) for side in (entry.before, entry.after) if side) or UNKNOWN
    return (
        moment(entry.at, now=now(), zone=zone()),
        escape(entry.actor),
        escape(entry.action.replace("_", " ")),
        _object(entry.object_id),
        f'<span class="sy-wrap">{escape(shorten(change, 240))}</span>',
        badge(mark_outcome(entry.outcome)),
        code(entry.request_id, short=8),
    )


def _object(object_id: str | None) -> str:
    if not object_id:
        return UNKNOWN
    link = f"/Settings?{Params.TAB}=Audit&{Params.OBJECT}={quote(object_id)}"
    return f'<a href="{link}" target="_self" title="Everything done to {escape(object_id)}">{code(object_id, short=24)}</a>'


def mark_outcome(outcome: str) -> Mark:
    """How an action ended, in the tones of everything else."""
    lower = outcome.lower()
    if any(word in lower for word in ("refus", "denied", "forbidden", "conflict", "dropped")):
        return Mark(Tone.HELD, "block", outcome)
    if any(word in lower for word in ("fail", "error")):
        return Mark(Tone.BAD, "error", outcome)
    return Mark(Tone.DONE, "check_circle", outcome)


def _compact(values: dict[str, object]) -> str:
    """Names and values as words; what is empty is left out unless there is nothing else."""
    told = [f"{name.replace('_', ' ')}: {_plain(value)}" for name, value in _flat(values) if len(values) == 1 or value not in _EMPTY]
    return ", ".join(told)


def _flat(values: dict[str, object], prefix: str = "") -> Iterator[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name} ")
        else:
            yield prefix + name, value


def _plain(value: object) -> str:
    if value in _EMPTY:
        return "empty"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return " · ".join(map(_plain, value))
    if isinstance(value, str):
        return f"{value[:8]}…" if _ID.fullmatch(value) else value
    return str(value) if isinstance(value, int | float) else json.dumps(value, default=str)
