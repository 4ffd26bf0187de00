"""The map of the index: laying it out, looking at it, and the rows a person draws a line around."""

from __future__ import annotations

from html import escape

import pyarrow as pa
import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.maps import IndexMap, MapLasso, MapReading, MapRequest
from lib.contract.states import Operation
from lib.ui.format import format_count, format_duration, format_size, plural
from lib.ui.frames.map_rows import show_rows
from lib.ui.frames.renewals import show_renewed
from lib.ui.gates import gated_button
from lib.ui.live import gate_of, is_offline, last_known, latest_jobs, live_block, newest_jobs
from lib.ui.map_chart import show_chart
from lib.ui.map_lasso import read_lasso, write_lasso
from lib.ui.map_points import REGION, region_name, shade, shadings
from lib.ui.marks import Tone, box, moment
from lib.ui.notices import attempt, describe_error, notify, show_trouble, start_key
from lib.ui.session import Params, get_client, get_param, now, zone
from lib.ui.strange import leave_aside
from lib.ui.widgets import show_active_job, show_heading, show_nothing, show_unknown

_DRAWN = "map_drawn"
_CHARTS = "map_charts"
_WORDS = {
    "coarse": "Coarse: rows stand in regions of like meaning, and within a region by its two main differences. "
    "Far apart on the map need not mean far apart in meaning.",
    "fine": "Fine: each row was moved towards the fifteen nearest to it. Who stands beside whom tells much; how far apart two crowds are "
    "tells nothing.",
}


def show_map() -> None:
    """What was laid out, live; below it the map itself, which no tick redraws."""
    st.session_state.pop(_DRAWN, None)
    _show_state()
    _show_points()


@st.fragment(key="map")
def _show_state() -> None:
    with live_block("map"):
        show_heading("Map", Topic.INDEX, note="near in meaning, near on the map")
        try:
            reading = last_known("map", lambda: _get_map(newest_jobs()))
        except ClientError as error:
            show_trouble(describe_error(error, "The map cannot be read"))
            return
        if reading is None:
            show_unknown("The map")
            return
        _show_buttons(reading.latest)
        if reading.latest is None:
            show_nothing(
                "Nothing was laid out yet.", "A map shows at a glance what the index is about, what is there twice, and what stands alone."
            )
        else:
            _show_facts(reading.latest, reading)
            show_renewed()
        if st.session_state.get(_DRAWN, _id_of(reading)) != _id_of(reading):
            st.rerun()  # a new map was laid out under the open page


def _id_of(reading: MapReading) -> str:
    return reading.latest.map_id if reading.latest else ""


def _show_buttons(latest: IndexMap | None) -> None:
    gate = gate_of(Operation.MAP)
    with st.container(horizontal=True, vertical_alignment="center", key="map_buttons", gap="medium"):
        again = "Bring it up to date" if latest else "Lay out the map"
        if gated_button(again, gate, key="start_map", icon_name="scatter_plot", primary=latest is None):
            _start(MapRequest(layout=latest.layout if latest else "coarse"))
        if latest and gate.allowed:
            other = "coarse" if latest.layout == "fine" else "fine"
            help_words = "Takes about a minute at 50,000 rows; the map you see stays until it is done"
            if st.button(f"Lay out the {other} map", key="start_other_map", icon=":material/bubble_chart:", help=help_words):
                _start(MapRequest(layout=other))
            if st.button("Begin anew", key="start_map_anew", type="tertiary", help="Find the regions again; everything may move"):
                _start(MapRequest(layout=latest.layout, anew=True))
    jobs = latest_jobs()
    for job in [job for job in jobs.active if job.operation is Operation.MAP] if jobs else []:
        show_active_job(job, key="mapping_out")


def _start(request: MapRequest) -> None:
    job_id = attempt(lambda: get_client().start_map(request, start_key("map")), failing="The map was not laid out")
    if job_id is not None:
        notify("The map is being laid out; it appears here", link=f"/?{Params.JOB}={job_id}")
    st.rerun()


def _show_facts(latest: IndexMap, reading: MapReading) -> None:
    shown = (
        f"{latest.points:,} of {latest.vectors:,} rows, a sample that stays the same"
        if latest.vectors > latest.points
        else plural(latest.points, "row")
    )
    laid_out = f"laid out {moment(latest.laid_out_at, now=now(), zone=zone())} by {escape(latest.laid_out_by)}"
    when = f"{laid_out}, in {format_duration(latest.seconds)}"
    stayed = f"{format_count(latest.kept)} stand where they stood before" if latest.kept else "begun anew"
    st.html(
        f'<span class="sy-note">{shown} · generation {latest.generation} · {when} · {stayed} · {format_size(latest.points_bytes)}. '
        f"{escape(_WORDS[latest.layout])}</span>"
    )
    if reading.generation is not None and reading.generation != latest.generation:
        what = f"The index is at generation {reading.generation} by now"
        st.html(box(Tone.HELD, what, f"The map shows generation {latest.generation}. Bring it up to date: only what changed moves."))


@st.fragment(key="map_points")
def _show_points() -> None:
    """Outside every live block: fifty thousand points are sent once, and a line being drawn is never disturbed."""
    reading = st.session_state.get("known_map")
    latest: IndexMap | None = reading.latest if reading else None
    st.session_state[_DRAWN] = latest.map_id if latest else ""
    if latest is None:
        return
    try:
        points = load_points(latest.map_id)
    except ClientError as error:
        if is_offline():
            show_nothing(
                "The points cannot be loaded now.", "The service does not answer. They appear when it is back and the page is opened again."
            )
        else:
            show_trouble(describe_error(error, "The points cannot be loaded"))
        return
    options = shadings(latest)
    leave_aside(Params.COLOUR, options)
    leave_aside(Params.REGION, [region_name(region) for region in latest.regions])
    by = st.selectbox("Colour by", options, key=Params.COLOUR, bind="query-params", width=220) or REGION
    labels, legend = shade(points, latest, by, now())
    words = f"Map of {plural(latest.points, 'row')} coloured by {by}: {', '.join(legend)}. The regions are listed below as well."
    _show_drawn_on_another(latest)
    key = f"map_chart_{latest.map_id[:8]}_{by}_{st.session_state.get(_CHARTS, 0)}"
    lasso = show_chart(points, labels, legend, lasso=_known_lasso(latest), words=words, key=key)
    _remember(lasso, latest)
    _show_gesture(lasso, latest)
    show_rows(points, latest, lasso)


def _known_lasso(latest: IndexMap) -> MapLasso | None:
    """The one drawn last on this map, whatever it is coloured by; at first that of the link."""
    lasso: MapLasso | None = st.session_state.setdefault(_lasso_key(latest), read_lasso(get_param(Params.LASSO)))
    return lasso


def _lasso_key(latest: IndexMap) -> str:
    return f"map_lasso_{latest.map_id}"


def _show_drawn_on_another(latest: IndexMap) -> None:
    """A lasso holds places, not rows: on another map it may hold other rows, and whoever follows the link must know."""
    drawn_on = get_param(Params.MAP)
    if drawn_on is None or get_param(Params.LASSO) is None or latest.map_id.startswith(drawn_on):
        return
    moved = "What has not changed since stands where it stood; the rest may have moved." if latest.kept else "Everything may have moved."
    what = "The lasso of this link was drawn on another map"
    st.html(box(Tone.HELD, what, f"That map is no longer the newest. {moved} Look whether these are the rows that were meant."))


def _remember(lasso: MapLasso | None, latest: IndexMap) -> None:
    """Also in the address, so that a colleague sees the same lasso, or is told that the map is another one by then."""
    st.session_state[_lasso_key(latest)] = lasso
    if lasso is None:
        for name in {Params.LASSO, Params.MAP} & set(st.query_params):
            del st.query_params[name]
    elif read_lasso(get_param(Params.LASSO)) != lasso:
        st.query_params[Params.LASSO] = write_lasso(lasso)
        st.query_params[Params.MAP] = latest.map_id[:8]


def _show_gesture(lasso: MapLasso | None, latest: IndexMap) -> None:
    with st.container(horizontal=True, vertical_alignment="center", key="map_gesture"):
        st.html('<span class="sy-note">Drag around rows to list them. A click on the map takes the line away.</span>', width="content")
        if lasso is not None:
            st.button("Remove the lasso", type="tertiary", key="remove_lasso", icon=":material/close:", on_click=_remove, args=(latest,))


def _remove(latest: IndexMap) -> None:
    """The line is in the browser's chart: only another chart is without it."""
    st.session_state[_lasso_key(latest)] = None
    st.session_state[_CHARTS] = st.session_state.get(_CHARTS, 0) + 1


@st.cache_data(ttl=30, max_entries=8, show_spinner=False)
def _get_map(newest: str) -> MapReading:  # noqa: ARG001  part of the key
    return get_client().get_map()


@st.cache_resource(max_entries=2, show_spinner="Loading the points …")
def load_points(map_id: str) -> pa.Table:
    """The points of this map; read once for everybody who looks at it."""
    return pa.ipc.open_stream(get_client().get_map_points(map_id)).read_all()
