"""A line of a few numbers, small enough to stand in a row; gaps stay gaps."""

from __future__ import annotations

from collections.abc import Sequence

from lib.ui.format import format_rate

WIDTH, HEIGHT = 84.0, 18.0


def spark(rates: Sequence[float | None]) -> str:
    """The rates as a small picture with its words; nothing when fewer than two are known."""
    known = [rate for rate in rates if rate is not None]
    if len(known) < 2:
        return ""
    top, step = max(known) or 1.0, WIDTH / (len(rates) - 1)
    path, pen_up = [], True
    for number, rate in enumerate(rates):
        if rate is not None:
            path.append(f"{'M' if pen_up else 'L'}{number * step:.1f} {HEIGHT - 1 - rate / top * (HEIGHT - 3):.1f}")
        pen_up = rate is None
    words = f"Rate over its last 15 minutes: from {format_rate(min(known))} to {format_rate(max(known))}, last {format_rate(known[-1])}"
    return (
        f'<br><svg class="sy-spark" role="img" aria-label="{words}" viewBox="0 0 {WIDTH:g} {HEIGHT:g}">'
        f'<title>{words}</title><path d="{" ".join(path)}"/></svg>'
    )
