"""Queue: what waits to be embedded, what failed and what helps, every row one by one, and where any of them is."""

from __future__ import annotations

from lib.ui.frames.failures import show_failure_groups
from lib.ui.frames.items import show_items
from lib.ui.frames.queue import show_queue, show_queue_history
from lib.ui.frames.trace import show_trace
from lib.ui.shell import open_page

open_page("Queue")
show_queue()
show_queue_history()
show_failure_groups()
show_items()
show_trace()
