"""What people did, as a table. Pure HTML."""

from __future__ import annotations

import json
from collections.abc import Iterable
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
    return ", ".join(
        f"{name}: {value if isinstance(value, str | int | float) else json.dumps(value, default=str)}" for name, value in values.items()
    )
