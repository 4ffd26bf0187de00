"""Settings: what the service is told, and who told it."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from lib.contract.events import Topic
from lib.contract.settings import SETTINGS, Setting, SettingReading, SettingValue
from lib.ui.dialogs import Answer, Question, ask
from lib.ui.format import UNKNOWN
from lib.ui.gates import show_why
from lib.ui.live import connection_gate, latest_settings, live_block
from lib.ui.marks import moment
from lib.ui.session import get_client, now, zone
from lib.ui.widgets import show_heading, show_unknown

SECTIONS = tuple(dict.fromkeys(setting.section for setting in SETTINGS.values()))


@st.fragment(key="settings")
def show_settings() -> None:
    """Every setting, grouped by its section."""
    with live_block("settings"):
        reading = latest_settings()
        if reading is None:
            show_unknown("Settings")
            return
        stands, gate = {setting.name: setting for setting in reading.settings}, connection_gate()
        for section in SECTIONS:
            show_heading(section, Topic.SETTINGS if section == SECTIONS[0] else None)
            with st.container(border=True, key=f"section_{section}", gap="small"):
                if not gate.allowed:  # once for all buttons of the section: beside each it would drown what is set
                    show_why(gate, key=f"section_{section}")
                for setting in SETTINGS.values():
                    if setting.section == section:
                        _show_setting(setting, stands.get(setting.name), allowed=gate.allowed)


def _show_setting(setting: Setting, stands: SettingReading | None, *, allowed: bool) -> None:
    words, value, button = st.columns([3.2, 2, 1], vertical_alignment="center")
    words.html(f"<b>{escape(setting.title)}</b><br><span class='sy-note'>{escape(setting.help)}</span>")
    value.html(setting_value(setting, stands))
    with button, st.container(horizontal=True, horizontal_alignment="right"):
        if stands is not None and st.button("Change", key=f"change_{setting.name}", disabled=not allowed):
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
    return f"{value:,} {setting.unit}".strip() if isinstance(value, int) else str(value) or "empty"


def _ask_value(setting: Setting, stands: SettingValue) -> Answer:
    if setting.choices:
        value: SettingValue = st.radio(
            setting.title, setting.choices, index=setting.choices.index(str(stands)), key="dialog_value", horizontal=True
        )
    elif setting.pattern:
        value = st.text_input(setting.title, str(stands), key="dialog_value", autocomplete="off", live=True).strip()
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
