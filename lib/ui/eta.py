"""When it will be done, as far as that is known: always a range, never one number."""

from __future__ import annotations

from lib.contract.queue import QueueReading
from lib.contract.trace import Turn
from lib.ui.format import UNKNOWN, format_duration, plural


def format_range(low_seconds: float | None, high_seconds: float | None) -> str:
    """``about 2 min to 4 min``; the dash when it is unknown."""
    if low_seconds is None or high_seconds is None:
        return UNKNOWN
    low, high = format_duration(round(low_seconds)), format_duration(round(high_seconds))
    return f"about {low}" if low == high else f"about {low} to {high}" if low_seconds >= 1 else f"up to {high}"


def describe_time_left(queue: QueueReading) -> str:
    """Until the queue is empty."""
    if not queue.backlog:
        return "nothing waits"
    return format_range(queue.eta_low_seconds, queue.eta_high_seconds) if queue.eta_low_seconds is not None else "time left unknown"


def describe_searchable(queue: QueueReading) -> str:
    """When what waits can be found by a search; empty when nothing waits."""
    if not queue.backlog:
        return ""
    if queue.searchable_low_seconds is None and queue.eta_low_seconds is not None:
        return f"Embedded in {format_range(queue.eta_low_seconds, queue.eta_high_seconds)}; searchable with the index refresh after that."
    if queue.searchable_low_seconds is None:
        return "Searchable: time unknown. Too little was embedded lately to tell, or nobody works."
    return f"Searchable in {format_range(queue.searchable_low_seconds, queue.searchable_high_seconds)}."


def describe_turn(turn: Turn) -> str:
    """How many rows come before it, when it has its vector, and when a search finds it."""
    ahead = f"{plural(turn.ahead, 'row')} before it" if turn.ahead else "No row before it"
    if turn.embedded_low_seconds is None:
        return f"{ahead}; when it is embedded is not known: too little was embedded lately to tell, or nobody works."
    embedded = f"embedded in {format_range(turn.embedded_low_seconds, turn.embedded_high_seconds)}"
    if turn.searchable_low_seconds is None:
        return f"{ahead}; {embedded}. When it is searchable is not known."
    searchable = format_range(turn.searchable_low_seconds, turn.searchable_high_seconds)
    return f"{ahead}; {embedded}, searchable in {searchable}, with the refresh that follows the queue."
