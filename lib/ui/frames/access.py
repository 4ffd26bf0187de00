"""Access to the world outside: which secrets are stored, and whether key and sheet work. A secret is taken in, never shown."""

from __future__ import annotations

from functools import partial
from html import escape

import streamlit as st

from lib.contract.checks import CHECK_TITLES, Check, CheckRequest
from lib.contract.credentials import CredentialsChange, CredentialsReading
from lib.contract.events import Topic
from lib.contract.settings import SettingsReading
from lib.contract.states import CheckName, CheckState, CredentialKind, EmbedderKind
from lib.ui.checks import check_access
from lib.ui.dialogs import Answer, Question, ask
from lib.ui.format import UNKNOWN, format_duration
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, latest_settings, live_block
from lib.ui.marks import Column, Mark, Tone, badge, icon, moment, table
from lib.ui.session import get_client, now, zone
from lib.ui.widgets import show_heading, show_unknown

TITLES = {CredentialKind.GOOGLE: "Google service account", CredentialKind.EMBEDDINGS: "Embedding service"}
NOTES = {
    CredentialKind.GOOGLE: "Its JSON key opens the sheets that people share with it.",
    CredentialKind.EMBEDDINGS: "The API key of the embedder “openai”. Not needed for the model that comes with Switchyard.",
}
CHECK_MARKS: dict[CheckState, Mark] = {
    CheckState.PASSED: Mark(Tone.DONE, "check_circle", "passed"),
    CheckState.FAILED: Mark(Tone.BAD, "error", "failed"),
    CheckState.SKIPPED: Mark(Tone.IDLE, "remove", "skipped"),
}
_OF_THE_KEY = (CheckName.FILE_READABLE, CheckName.JSON_SHAPE, CheckName.PRIVATE_MODE, CheckName.KEY_ACCEPTED)
_OF_A_SHEET = tuple(name for name in CheckName if name not in _OF_THE_KEY)


@st.fragment(key="credentials")
def show_credentials() -> None:
    """What is stored of each kind, by whom and since when; and the way to replace it."""
    with live_block("credentials"):
        reading = latest_settings()
        if reading is None:
            show_unknown("Credentials")
            return
        show_heading("Credentials", Topic.SETTINGS)
        stored = {each.kind: each for each in reading.credentials}
        for kind in CredentialKind:
            with st.container(border=True, key=f"credentials_{kind}", gap="small"):
                _show_kind(kind, stored.get(kind))


def _show_kind(kind: CredentialKind, stored: CredentialsReading | None) -> None:
    words, state, button = st.columns([3, 3, 2], vertical_alignment="center")
    words.html(f"<b>{TITLES[kind]}</b><br><span class='sy-note'>{escape(NOTES[kind])}</span>")
    with state:
        st.html(_describe(stored))
        if stored and stored.account:
            st.html('<span class="sy-note">Share sheets with this e-mail:</span>')
            st.code(stored.account, language=None)
    with button, st.container(horizontal=True, horizontal_alignment="right"):
        verb = "Replace" if stored else "Store"
        if gated_button(f"{verb} key", connection_gate(), key=f"store_{kind}", icon_name="key"):
            ask(
                Question(
                    title=f"{verb} the key: {TITLES[kind]}",
                    body="It is checked first. "
                    + ("The one that is stored stays in use until this one has passed. " if stored else "")
                    + "Afterwards nobody is shown it again, and it is in no log, export or backup.",
                    verb="Check and store",
                    inputs=_ask_google if kind is CredentialKind.GOOGLE else _ask_line,
                    perform=partial(_store, kind),
                )
            )
        if stored and gated_button("Delete", connection_gate(), key=f"delete_{kind}", icon_name="delete"):
            ask(_question_delete(stored))


def _question_delete(stored: CredentialsReading) -> Question:
    """Tier 3: here it is gone for good, and what needs it stands still."""
    gone = (
        "The file itself stays where it is; only its registration goes."
        if stored.origin == "registered"
        else "The key is gone from here for good."
    )
    return Question(
        title=f"Delete the key: {TITLES[stored.kind]}",
        body=f"{_dependents(stored)} {gone}",
        reversible="To take it back, store a key again.",
        verb="Delete",
        typed=stored.kind.value,
        type_label=f"Type {stored.kind.value}",
        perform=partial(_delete, stored.kind),
    )


def _dependents(stored: CredentialsReading) -> str:
    """What cannot go on without it."""
    if stored.kind is CredentialKind.GOOGLE:
        return (
            "Imports from Google sheets, exports to them and checks of them are refused until another key is stored; plans made from a "
            f"sheet wait. What was imported stays as it is, and sheets stay shared with {stored.account or 'its account'}."
        )
    reading = latest_settings()
    if reading is not None and reading.value_of("embedding.embedder") == EmbedderKind.OPENAI:
        return "The embedder “openai” uses it now: if its service wants a key, rows fail to embed and searches fail until one is stored."
    return "Nothing uses it now: the embedder is the model that comes with Switchyard."


def _delete(kind: CredentialKind, _: object) -> str:
    get_client().delete_credentials(kind)
    return f"Deleted: the key of {TITLES[kind]}"


def _describe(stored: CredentialsReading | None) -> str:
    if stored is None:
        return f"{icon('key_off')} <b>none stored</b>"
    how = "uploaded" if stored.origin == "uploaded" else "a file registered by its path, tried again when it changes,"
    by = f"by {escape(stored.changed_by)}, {moment(stored.changed_at, now=now(), zone=zone())}"
    return f'{icon("key")} <b>stored</b> <span class="sy-note">{how} {by}</span>'


def _ask_google() -> Answer:
    file = st.file_uploader("Key file (JSON)", type=["json"], key="dialog_key_file")
    path = st.text_input(
        "or its path on the service’s machine", key="dialog_key_path", autocomplete="off", live=True, placeholder="/etc/switchyard/key.json"
    ).strip()
    if file is not None and path:
        return Answer(None, "Give either the file or the path, not both.")
    if file is not None:
        return Answer(("content", file.getvalue().decode("utf-8", "replace")))
    if path:
        return Answer(("path", path), "" if path.startswith("/") else "The path must be absolute: it begins with a slash.")
    return Answer(None, "Choose the key file first.")


def _ask_line() -> Answer:
    key = st.text_input("API key", key="dialog_api_key", type="password", autocomplete="off", live=True).strip()
    return Answer(("content", key), "" if key else "Enter the key first.")


def _store(kind: CredentialKind, given: tuple[str, str]) -> str:
    name, value = given
    change = CredentialsChange(kind=kind, content=value) if name == "content" else CredentialsChange(kind=kind, path=value)
    reading = get_client().put_credentials(change)
    return f"Stored: {reading.account or TITLES[kind]}"


def show_check_form() -> None:
    """Name a sheet, and try everything that must work for an import or an export."""
    show_heading("Check now", note="asks Google itself; takes a few seconds")
    last = _last_sheet(latest_settings())
    with st.container(border=True, key="check_form"):
        left, right = st.columns([3, 1], gap="medium")
        address = left.text_input(
            "Spreadsheet (address or id)",
            last.spreadsheet_id if last else "",
            key="check_spreadsheet",
            placeholder="leave empty to try the key alone",
        )
        tab = right.text_input("Tab", last.tab if last else "", key="check_tab")
        writing = st.checkbox("Also whether an export may write to it", value=True, key="check_writing")
        _show_check_button(CheckRequest(spreadsheet=address.strip()[:500], tab=tab.strip()[:200], writing=writing))


@st.fragment(key="check_button")
def _show_check_button(request: CheckRequest) -> None:
    with live_block("check_button"):
        if gated_button("Check", connection_gate(), key="check_now", icon_name="fact_check", primary=True):
            check_access(request)


@st.fragment(key="checks")
def show_checks() -> None:
    """How each check last ended, with what to do about those that failed."""
    with live_block("checks"):
        reading = latest_settings()
        if reading is None:
            show_unknown("Checks")
            return
        done = {check.name: check for check in reading.checks if not check.spreadsheet_id}
        show_heading("The key", Topic.SETTINGS)
        st.html(check_table(_OF_THE_KEY, done, caption="Checks of the Google key"))
        last = _last_sheet(reading)
        if last is None:
            return
        of_sheet = {check.name: check for check in reading.checks if check.spreadsheet_id == last.spreadsheet_id}
        title = next((check.spreadsheet_title for check in of_sheet.values() if check.spreadsheet_title), last.spreadsheet_id)
        show_heading("The sheet", note=f"{title}{f' · {last.tab}' if last.tab else ''}")
        st.html(check_table(_OF_A_SHEET, of_sheet, caption="Checks of the spreadsheet"))
        account = next((each.account for each in reading.credentials if each.kind is CredentialKind.GOOGLE), None)
        if account and any(check.code in ("sheet_not_shared", "spreadsheet_missing") for check in of_sheet.values()):
            st.html('<span class="sy-note">Share the sheet with this e-mail:</span>')
            st.code(account, language=None)


def _last_sheet(reading: SettingsReading | None) -> Check | None:
    """The sheet that was tried last; of its checks the one that knows its tab, if any does."""
    of_sheets = [check for check in reading.checks if check.spreadsheet_id] if reading else []
    mine = [check for check in of_sheets if check.spreadsheet_id == of_sheets[0].spreadsheet_id]
    return next((check for check in mine if check.tab), mine[0] if mine else None)


def check_table(names: tuple[CheckName, ...], done: dict[CheckName, Check], *, caption: str) -> str:
    """One row per check; one that was never tried says so."""
    columns = (
        Column(title="Check"),
        Column(title="Outcome"),
        Column(title="What was found", wide=True),
        Column(title="Took"),
        Column(title="When"),
    )
    return table(columns, [_row(name, done.get(name)) for name in names], caption=caption)


def _row(name: CheckName, check: Check | None) -> tuple[str, ...]:
    title = f"<b>{escape(CHECK_TITLES[name])}</b>"
    if check is None:
        return title, UNKNOWN, '<span class="sy-note">Not tried yet.</span>', UNKNOWN, UNKNOWN
    remedy = f"<br>{icon('build')} {escape(check.action)}" if check.action else ""
    found = f"{escape(check.detail)}{remedy}"
    return title, badge(CHECK_MARKS[check.state]), found, format_duration(check.seconds), moment(check.checked_at, now=now(), zone=zone())
