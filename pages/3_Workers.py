"""Workers: the processes that do the work."""

from __future__ import annotations

from lib.ui.frames.crew import show_crew
from lib.ui.frames.shift import show_shift
from lib.ui.frames.workers import show_workers
from lib.ui.shell import open_page

open_page("Workers")
show_workers()
show_crew()
show_shift()
