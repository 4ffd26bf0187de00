"""Index: what is served, a search to try it, and how good it is."""

from __future__ import annotations

from lib.contract.states import Operation
from lib.ui.frames.go_back import show_go_back
from lib.ui.frames.golden import show_golden
from lib.ui.frames.health import show_health
from lib.ui.frames.index import show_index
from lib.ui.frames.inspect import show_inspect
from lib.ui.frames.inspection_report import show_open_inspection
from lib.ui.frames.job_detail import show_open_job
from lib.ui.frames.jobs import show_job_history
from lib.ui.frames.map import show_map
from lib.ui.frames.reembedding import show_reembedding
from lib.ui.frames.rehearsal_report import show_open_rehearsal
from lib.ui.frames.rehearsals import show_rehearsals
from lib.ui.frames.search import show_search
from lib.ui.frames.snapshots import show_snapshots
from lib.ui.shell import open_page, open_tab

open_page("Index")
show_open_job()
show_open_inspection()
show_open_rehearsal()
match open_tab("Overview", "Map", "Look into a file", "Health", "Golden questions", "Rehearsals"):
    case "Map":
        show_map()
    case "Health":
        show_health()
    case "Golden questions":
        show_golden()
    case "Rehearsals":
        show_rehearsals()
    case "Look into a file":
        show_inspect()
        show_job_history(Operation.INSPECT)
    case _:
        show_search()
        show_index()
        show_go_back()
        show_reembedding()
        show_snapshots()
