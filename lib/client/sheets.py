"""Google sheets, looked at before they are imported."""

from __future__ import annotations

from lib.client.settings import SLOW
from lib.client.transport import Call, Transport, read
from lib.contract.imports import SheetColumns, SheetTabs


class SheetsClient:
    """The part of the client that asks Google, by way of the service."""

    transport: Transport

    def list_tabs(self, spreadsheet: str) -> SheetTabs:
        """Title and tabs of the sheet at this address; Invalid with Google's reason when it cannot be opened."""
        return read(SheetTabs, self.transport.send(Call("GET", "/api/sheets/tabs", {"spreadsheet": spreadsheet}, timeout=SLOW)))

    def get_tab_columns(self, spreadsheet: str, tab: str, header_row: int | None = None) -> SheetColumns:
        """The head of one tab, and how it would be mapped."""
        params = {"spreadsheet": spreadsheet, "tab": tab, "header_row": header_row}
        return read(SheetColumns, self.transport.send(Call("GET", "/api/sheets/columns", params, timeout=SLOW)))
