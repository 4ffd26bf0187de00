"""The calls of settings, credentials and Google sheets, with a sample of each answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lib.client.api import Client
from lib.contract.checks import CheckRequest, ChecksReading
from lib.contract.credentials import CredentialsChange, CredentialsReading
from lib.contract.imports import ReadAs, SheetColumns, SheetTab, SheetTabs
from lib.contract.model import Reading, utc_now
from lib.contract.settings import SettingReading, SettingsReading
from lib.contract.states import CredentialKind, SheetFormat

NOW = utc_now()
SETTING = SettingReading(name="export.keep_days", value=3, default=7)
COLUMNS = SheetColumns(columns=["name"], sample=[["numpy"]], read_as=ReadAs(format=SheetFormat.GOOGLE_SHEET, tab="Data"))

SETTINGS_CALLS: dict[str, tuple[Callable[[Client], Any], str, str, dict[str, str], Reading]] = {
    "list_tabs": (
        lambda c: c.list_tabs("https://docs.google.com/spreadsheets/d/1#gid=0"),
        "GET",
        "/api/sheets/tabs",
        {"spreadsheet": "https://docs.google.com/spreadsheets/d/1#gid=0"},
        SheetTabs(spreadsheet_id="1", title="Playbook", tabs=[SheetTab(title="Data", rows=10, columns=2)]),
    ),
    "get_tab_columns": (
        lambda c: c.get_tab_columns("1", "Data", 2),
        "GET",
        "/api/sheets/columns",
        {"spreadsheet": "1", "tab": "Data", "header_row": "2"},
        COLUMNS,
    ),
    "put_credentials": (
        lambda c: c.put_credentials(CredentialsChange(kind=CredentialKind.EMBEDDINGS, content="sk-1")),
        "PUT",
        "/api/settings/credentials",
        {},
        CredentialsReading(kind=CredentialKind.EMBEDDINGS, origin="uploaded", changed_at=NOW, changed_by="ada"),
    ),
    "check_settings": (
        lambda c: c.check_settings(CheckRequest()),
        "POST",
        "/api/settings/check",
        {},
        ChecksReading(account="bot@example.org", checks=[], taken_at=NOW),
    ),
    "list_settings": (lambda c: c.list_settings(), "GET", "/api/settings", {}, SettingsReading(settings=[SETTING], taken_at=NOW)),
    "put_setting": (lambda c: c.put_setting("export.keep_days", 3, 7), "PUT", "/api/settings/export.keep_days", {}, SETTING),
}
