"""Index: what is served, and a search to try it."""

from __future__ import annotations

from lib.ui.frames.index import show_index, show_search
from lib.ui.frames.job_detail import show_open_job
from lib.ui.frames.snapshots import show_snapshots
from lib.ui.shell import open_page

open_page("Index")
show_open_job()
show_search()
show_index()
show_snapshots()
