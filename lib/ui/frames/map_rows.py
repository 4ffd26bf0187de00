"""The rows behind a part of the map, and the regions as a list for those who do not see or point at the chart."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any

import pyarrow as pa
import streamlit as st

from lib.contract.maps import WORDS_LENGTH, IndexMap, MapKind, MapLasso, MapPart, RenewRequest
from lib.ui.format import UNKNOWN, format_count, plural
from lib.ui.frames.renewals import show_renewal
from lib.ui.map_points import TWINS, choose, region_name, to_csv
from lib.ui.marks import Column, moment, table
from lib.ui.rows import row_link
from lib.ui.session import Params, now, zone
from lib.ui.widgets import show_heading, show_nothing

PAGE = 50
KINDS: dict[str, MapKind | None] = {"All": None, "Nearly the same": "near_duplicates", "Stand alone": "outliers"}
_KIND_WORDS = {None: "", "near_duplicates": f", {TWINS}", "outliers": ", alone: the 1 % {of} whose nearest other is least like them"}
_COLUMNS = [
    Column(title="Key"),
    Column(title="Begins", wide=True),
    Column(title="Region"),
    Column(title="Nearest other"),
    Column(title="Likeness", number=True),
    Column(title="Changed"),
]
_REGION_COLUMNS = [Column(title="Region", wide=True), Column(title="Rows", number=True), Column(title="Share", number=True)]


def show_rows(points: pa.Table, latest: IndexMap, lasso: MapLasso | None) -> None:
    """The rows inside the lasso, of a region, or of a kind; with none of these, the regions."""
    names = {region_name(region): region.region for region in latest.regions}
    with st.container(horizontal=True, vertical_alignment="bottom", key="map_choice"):
        name = st.selectbox("Region", list(names), index=None, placeholder="All regions", key=Params.REGION, bind="query-params", width=320)
        kind = st.segmented_control("Rows that", list(KINDS), default="All", required=True, key=Params.KIND, bind="query-params") or "All"
    part = MapPart(lasso=lasso, region=names.get(name or ""), kind=KINDS[kind])
    if part == MapPart():
        show_heading("Regions", note="draw a line around some rows on the map, or choose a region, to see its rows")
        st.html(table(_REGION_COLUMNS, _region_rows(latest), caption="Regions of the map, largest first"))
        return
    chosen = choose(points, part)
    where = [*(["in the lasso"] if lasso else []), *([f"of “{name}”"] if name else [])]
    told = f"{plural(len(chosen), 'row')} {' and '.join(where)}".strip()
    show_heading("Rows", note=told + _KIND_WORDS[KINDS[kind]].format(of="of them" if where else "of the map"))
    if not len(chosen):
        show_nothing("No row here.", "Draw the lasso elsewhere, or choose another region.")
        return
    _show_page(chosen, latest, part, {number: name for name, number in names.items()})


def _show_page(chosen: pa.Table, latest: IndexMap, part: MapPart, names: dict[int, str]) -> None:
    pages = -(-len(chosen) // PAGE)
    with st.container(horizontal=True, vertical_alignment="bottom", key="map_page"):
        page = 1
        if pages > 1:
            page = int(st.number_input(f"Page of {pages:,}", 1, pages, 1, key=f"map_page_{len(chosen)}", width=140))
        st.download_button(
            f"Download {plural(len(chosen), 'row')} (CSV)",
            lambda: to_csv(chosen, latest),
            file_name=f"map-{latest.map_id[:8]}.csv",
            mime="text/csv",
            key="map_csv",
            icon=":material/download:",
            on_click="ignore",
        )
        show_renewal(RenewRequest(map_id=latest.map_id, part=part), len(chosen))
    start = (page - 1) * PAGE
    shown = chosen.slice(start, PAGE).to_pylist()
    caption = f"Rows {start + 1:,} to {start + len(shown):,} of {len(chosen):,}"
    st.html(table(_COLUMNS, (_row(row, names) for row in shown), caption=caption))
    st.html(f'<span class="sy-note" role="status">{caption}. A key leads to where its row is.</span>')


def _row(row: dict[str, Any], names: dict[int, str]) -> list[str]:
    cosine = row["nearest_cosine"]
    return [
        row_link(row["entry_id"], row["key"]),
        escape(row["words"] + ("…" if len(row["words"]) == WORDS_LENGTH else "")),
        escape(names.get(row["region"], UNKNOWN)),
        escape(row["nearest_key"]) if row["nearest_key"] else UNKNOWN,
        f"{cosine:.2f}" if cosine is not None else UNKNOWN,
        moment(row["changed_at"], now=now(), zone=zone()),
    ]


def _region_rows(latest: IndexMap) -> Iterable[list[str]]:
    for region in latest.regions:
        share = 100 * region.points / latest.points
        yield [escape(region_name(region)), format_count(region.points), f"{share:.1f} %"]
