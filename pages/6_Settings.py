"""Settings: how the service behaves, and what people did."""

from __future__ import annotations

from lib.ui.frames.audit import show_audit
from lib.ui.frames.settings import show_settings
from lib.ui.shell import open_page, open_tab

open_page("Settings")
match open_tab("Settings", "Audit"):
    case "Audit":
        show_audit()
    case _:
        show_settings()
