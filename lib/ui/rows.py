"""A row of the table as pages show it: as the way to its trail, and as a hit of a search."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from lib.contract.index import SearchHit
from lib.ui.format import format_score
from lib.ui.session import Params


def row_link(entry_id: int, key: str) -> str:
    """Its key, which leads to where the row is; ready HTML."""
    return f'<a href="/Queue?{Params.ROW}={entry_id}" target="_self">{escape(key)}</a>'


def hit_line(hit: SearchHit, note: str = "") -> str:
    """One item of a list of hits: score, key, text, and its fields with ``note`` behind them; ready HTML."""
    fields = " · ".join(f"{escape(name)}: {escape(value)}" for name, value in hit.fields.items() if value)
    return (
        f'<li><span class="sy-score" title="cosine">{format_score(hit.score)}</span>'
        f'<span><span class="sy-text"><b>{escape(hit.key)}</b> {escape(hit.text)}</span>'
        f'<br><span class="sy-note">{" · ".join(filter(None, (fields, escape(note))))}</span></span></li>'
    )


def lines_beside(mine: Sequence[SearchHit], other: Sequence[SearchHit]) -> str:
    """The items of one of two lists of hits; each says where the other list has it."""
    places = {hit.key: place for place, hit in enumerate(other, start=1)}
    return "".join(hit_line(hit, _moved(place, places.get(hit.key))) for place, hit in enumerate(mine, start=1))


def _moved(place: int, other: int | None) -> str:
    if other is None:
        return "only here"
    return "same place there" if other == place else f"place {other} there"
