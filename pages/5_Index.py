"""Index: what is served, a search to try it, and how good it is."""

from __future__ import annotations

from lib.ui.frames.golden import show_golden
from lib.ui.frames.health import show_health
from lib.ui.frames.index import show_index
from lib.ui.frames.job_detail import show_open_job
from lib.ui.frames.search import show_search
from lib.ui.frames.snapshots import show_snapshots
from lib.ui.shell import open_page, open_tab

open_page("Index")
show_open_job()
match open_tab("Overview", "Health", "Golden questions"):
    case "Health":
        show_health()
    case "Golden questions":
        show_golden()
    case _:
        show_search()
        show_index()
        show_snapshots()
