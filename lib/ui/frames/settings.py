"""Settings: what the service is told, who told it, and what people did."""

from __future__ import annotations

import json
from functools import partial
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.audit import AuditEntry, AuditPage
from lib.contract.events import Topic
from lib.contract.settings import SETTINGS, Setting, SettingReading, SettingValue
from lib.ui.dialogs import Answer, Question, ask
from lib.ui.format import UNKNOWN, shorten
from lib.ui.live import connection_gate, last_known, latest_settings, live_block
from lib.ui.marks import Column, Mark, Tone, badge, code, moment, table
from lib.ui.notices import describe_error, show_trouble
from lib.ui.session import get_client, now, zone
from lib.ui.widgets import gated_button, show_heading, show_nothing, show_unknown

AUDIT_ROWS = 50
SECTIONS = tuple(dict.fromkeys(setting.section for setting in SETTINGS.values()))


@st.fragment(key="settings")
def show_settings() -> None:
    """Every setting, grouped by its section."""
    with live_block("settings"):
        reading = latest_settings()
        if reading is None:
            show_unknown("Settings")
            return
        stands = {setting.name: setting for setting in reading.settings}
        for section in SECTIONS:
            show_heading(section, Topic.SETTINGS if section == SECTIONS[0] else None)
            with st.container(border=True, key=f"section_{section}", gap="small"):
                for setting in SETTINGS.values():
                    if setting.section == section:
                        _show_setting(setting, stands.get(setting.name))


def _show_setting(setting: Setting, stands: SettingReading | None) -> None:
    words, value, button = st.columns([3.2, 2, 1], vertical_alignment="center")
    words.html(f"<b>{escape(setting.title)}</b><br><span class='sy-note'>{escape(setting.help)}</span>")
    value.html(setting_value(setting, stands))
    with button, st.container(horizontal=True, horizontal_alignment="right"):
        if stands is not None and gated_button("Change", connection_gate(), key=f"change_{setting.name}"):
            ask(
                Question(
                    title=f"Change “{setting.title}”",
                    body=f"{setting.help}\n\nNow: **{format_value(setting, stands.value)}** "
                    f"· default: {format_value(setting, setting.default)}",
                    verb="Save",
                    inputs=partial(_ask_value, setting, stands.value),
                    perform=partial(_save, setting, stands.value),
                )
            )


def setting_value(setting: Setting, stands: SettingReading | None) -> str:
    """How the setting stands, and who made it so."""
    if stands is None:
        return UNKNOWN
    by = (
        f"by {escape(stands.changed_by or UNKNOWN)}, {moment(stands.changed_at, now=now(), zone=zone())}"
        if stands.changed_at
        else "default"
    )
    if stands.changed_at and stands.value != setting.default:
        by += f" · default {format_value(setting, setting.default)}"
    return f"<b>{escape(format_value(setting, stands.value))}</b><br><span class='sy-note'>{by}</span>"


def format_value(setting: Setting, value: SettingValue) -> str:
    """A value with its unit."""
    return f"{value:,} {setting.unit}".strip() if isinstance(value, int) else str(value)


def _ask_value(setting: Setting, stands: SettingValue) -> Answer:
    if setting.choices:
        value: SettingValue = st.radio(
            setting.title, setting.choices, index=setting.choices.index(str(stands)), key="dialog_value", horizontal=True
        )
    else:
        value = int(
            st.number_input(
                f"{setting.title} ({setting.unit})",
                value=int(stands),
                step=1,
                key="dialog_value",
                help=f"Between {setting.minimum:,} and {setting.maximum:,}.",
            )
        )
    problem = "Nothing changed yet." if value == stands else setting.check(value) or ""
    if value != stands:
        st.html(
            f'<span class="sy-was">{escape(format_value(setting, stands))}</span> → '
            f'<span class="sy-is"><b>{escape(format_value(setting, value))}</b></span>'
        )
    return Answer(value, problem)


def _save(setting: Setting, stands: SettingValue, value: SettingValue) -> str:
    get_client().put_setting(setting.name, value, stands)
    return f"{setting.title}: {format_value(setting, stands)} → {format_value(setting, value)}"


@st.fragment(key="audit")
def show_audit() -> None:
    """What people did, newest first, refusals included."""
    with live_block("audit"):
        show_heading("What people did", note="newest first, refusals included")
        cursors: list[str | None] = st.session_state.setdefault("audit_cursors", [None])
        try:
            page = last_known(f"audit_{cursors[-1]}", lambda: _list_audit(cursors[-1]))
        except ClientError as error:
            show_trouble(describe_error(error, "The audit list cannot be read"))
            return
        if page is None:
            show_unknown("What people did")
        elif not page.items:
            show_nothing("Nobody has done anything yet.", "Every action is listed here with who, what, before and after.")
        else:
            st.html(table(_COLUMNS, [_row(entry) for entry in page.items], caption="Actions, newest first"))
            _show_paging(page, cursors)


_COLUMNS = (
    Column(title="When"),
    Column(title="Who"),
    Column(title="Action"),
    Column(title="On"),
    Column(title="Before → after", wide=True),
    Column(title="Outcome"),
    Column(title="Request"),
)


def _row(entry: AuditEntry) -> tuple[str, ...]:
    change = " → ".join(_compact(side) for side in (entry.before, entry.after) if side) or UNKNOWN
    return (
        moment(entry.at, now=now(), zone=zone()),
        escape(entry.actor),
        escape(entry.action.replace("_", " ")),
        code(entry.object_id, short=24),
        f'<span class="sy-wrap">{escape(shorten(change, 240))}</span>',
        badge(mark_outcome(entry.outcome)),
        code(entry.request_id, short=8),
    )


def mark_outcome(outcome: str) -> Mark:
    """How an action ended, in the tones of everything else."""
    lower = outcome.lower()
    if any(word in lower for word in ("refus", "denied", "forbidden", "conflict")):
        return Mark(Tone.HELD, "block", outcome)
    if any(word in lower for word in ("fail", "error")):
        return Mark(Tone.BAD, "error", outcome)
    return Mark(Tone.DONE, "check_circle", outcome)


def _compact(values: dict[str, object]) -> str:
    return ", ".join(
        f"{name}: {value if isinstance(value, str | int | float) else json.dumps(value, default=str)}" for name, value in values.items()
    )


def _show_paging(page: AuditPage, cursors: list[str | None]) -> None:
    with st.container(horizontal=True):
        if len(cursors) > 1 and st.button("Newer", icon=":material/arrow_back:", key="audit_newer"):
            cursors.pop()
            st.rerun()
        if page.next_cursor is not None and st.button("Older", icon=":material/arrow_forward:", key="audit_older"):
            cursors.append(page.next_cursor)
            st.rerun()


@st.cache_data(ttl=3, max_entries=50, show_spinner=False)
def _list_audit(cursor: str | None) -> AuditPage:
    return get_client().list_audit(AUDIT_ROWS, cursor)
