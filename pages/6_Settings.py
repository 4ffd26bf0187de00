"""Settings: how the service behaves, and what people did."""

from __future__ import annotations

from lib.ui.frames.access import show_check_form, show_checks, show_credentials
from lib.ui.frames.audit import show_audit
from lib.ui.frames.settings import show_settings
from lib.ui.shell import open_page, open_tab

open_page("Settings")
match open_tab("Settings", "Access", "Audit"):
    case "Access":
        show_credentials()
        show_check_form()
        show_checks()
    case "Audit":
        show_audit()
    case _:
        show_settings()
