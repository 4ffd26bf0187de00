"""A few numbers as columns, small enough to stand in a row; gaps stay gaps. Of plain elements: ``st.html`` lets no SVG through."""

from __future__ import annotations

from collections.abc import Sequence

from lib.ui.format import format_rate


def spark(rates: Sequence[float | None]) -> str:
    """The rates as a small picture with its words; nothing when fewer than two are known."""
    known = [rate for rate in rates if rate is not None]
    if len(known) < 2:
        return ""
    top = max(known) or 1.0
    columns = "".join("<i></i>" if rate is None else f'<i style="height: {max(100 * rate / top, 6):.0f}%"></i>' for rate in rates)
    words = f"Rate over its last 15 minutes: from {format_rate(min(known))} to {format_rate(max(known))}, last {format_rate(known[-1])}"
    return f'<br><span class="sy-spark" role="img" aria-label="{words}" title="{words}">{columns}</span>'
