"""Queue: what waits to be embedded, and what failed."""

from __future__ import annotations

from lib.ui.frames.queue import show_failures, show_queue, show_queue_history
from lib.ui.shell import open_page

open_page("Queue")
show_queue()
show_queue_history()
show_failures()
