"""Index: the facts of the served generation, bringing it up to date, and a search to try it."""

from __future__ import annotations

from collections.abc import Callable
from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.index import IndexReading, SearchHit, SearchResult
from lib.contract.settings import SETTINGS
from lib.contract.states import Operation, RefreshMode
from lib.ui.format import UNKNOWN, format_count, format_duration, format_score, format_size, plural
from lib.ui.live import gate_of, is_offline, latest_index, latest_jobs, latest_settings, live_block
from lib.ui.marks import Mark, Tone, badge, code, facts, moment
from lib.ui.notices import attempt, describe_error, notify, show_trouble, start_key
from lib.ui.session import Params, get_client, now, zone
from lib.ui.widgets import gated_button, show_active_job, show_finding, show_heading, show_nothing, show_unknown

METRIC_WORDS = {"inner_product": "inner product of unit vectors (cosine)", "l2": "Euclidean distance"}


@st.fragment(key="index")
def show_index() -> None:
    """Facts and actions, live."""
    with live_block("index"):
        show_heading("Served generation", Topic.INDEX)
        reading = latest_index()
        if reading is None:
            show_unknown("The index")
            return
        _show_actions(reading)
        if reading.generation is None:
            show_nothing("There is no index yet.", "It is built by itself after the first import, as soon as its rows are embedded.")
        else:
            st.html(facts(index_facts(reading)))


def _show_actions(reading: IndexReading) -> None:
    jobs = latest_jobs()
    running = [job for job in jobs.active if job.operation in {Operation.REFRESH, Operation.REBUILD}] if jobs else []
    for job in running:
        show_active_job(job, key="building")
    if not running:
        with st.container(horizontal=True, vertical_alignment="center", key="index_buttons", gap="medium"):
            if gated_button("Refresh", gate_of(Operation.REFRESH), key="refresh_index", icon_name="sync", primary=bool(reading.unindexed)):
                _start("refresh", get_client().start_refresh)
            if gated_button("Rebuild", gate_of(Operation.REBUILD), key="rebuild_index", icon_name="construction"):
                _start("rebuild", get_client().start_rebuild)
    st.html(
        f'<span class="sy-note">{_explain_mode()} <b>Refresh</b> takes in what changed. '
        "<b>Rebuild</b> makes a full new generation aside; searches are answered by the old one until it is whole.</span>"
    )
    if reading.unindexed and not running:
        show_finding(
            Tone.HELD, f"<b>{plural(reading.unindexed, 'change')}</b> not in the index yet: a search does not see them.", symbol="sync"
        )


def _explain_mode() -> str:
    settings = latest_settings()
    values = {setting.name: setting.value for setting in settings.settings} if settings else {}
    if values.get("index.refresh") == RefreshMode.MANUAL:
        return f"{SETTINGS['index.refresh'].title} is set to manual: nothing happens until you press a button."
    return "New vectors are taken in by themselves."


def _start(word: str, start: Callable[[str], str]) -> None:
    job_id = attempt(lambda: start(start_key(word)), failing=f"The {word} was not started")
    if job_id is not None:
        notify(f"Index {word} started", link=f"/?{Params.JOB}={job_id}")
    st.rerun()


def index_facts(reading: IndexReading) -> list[tuple[str, str, str]]:
    """Every fact with a sentence that says what it means."""
    at = now()
    state = (
        Mark(Tone.HELD, "sync", f"{format_count(reading.unindexed)} behind")
        if reading.unindexed
        else Mark(Tone.DONE, "check_circle", "up to date")
    )
    before = f"before it: {reading.previous_generation}" if reading.previous_generation else "the first one"
    return [
        (
            "Generation",
            f"<b>{reading.generation}</b> {badge(state)}",
            f"Each build gets the next number; exactly one is served ({before}).",
        ),
        ("Vectors", f"<b>{format_count(reading.vectors)}</b>", "Entries a search can find."),
        ("Not yet in it", format_count(reading.unindexed), "Entries whose newest vector it lacks, and removals it still has."),
        ("Model", escape(reading.embedder or UNKNOWN), "What turned texts into vectors; a query is embedded by the same."),
        ("Dimension", format_count(reading.dimension), "Numbers per vector."),
        (
            "Compared by",
            escape(METRIC_WORDS.get(reading.metric or "", reading.metric or UNKNOWN)),
            "How near two texts are: 1 means the same direction.",
        ),
        ("Kind", code(reading.factory), "FAISS' own word. A flat index compares with every vector: its answers are exact."),
        ("Size on disk", format_size(reading.size_bytes), "The file other programs open."),
        (
            "Built",
            f"{moment(reading.built_at, now=at, zone=zone())} in {format_duration(reading.build_seconds)}",
            "When, and how long it took.",
        ),
        ("Built by", _job_link(reading.built_by_job), "The job that made it, with its log."),
        ("SHA-256", code(reading.sha256), "The checksum of the file: a copy with the same one is the same."),
    ]


def _job_link(job_id: str | None) -> str:
    return f'<a href="/?{Params.JOB}={escape(job_id)}" target="_self" class="sy-code">{escape(job_id[:8])}</a>' if job_id else UNKNOWN


def show_search() -> None:
    """A search to try the index; outside every live block, so that typing is never disturbed."""
    show_heading("Search")
    with st.container(horizontal=True, vertical_alignment="bottom", key="search"):
        text = st.text_input(
            "What are you looking for?", key=Params.QUERY, bind="query-params", placeholder="e.g. customer cannot log in", max_chars=10_000
        )
        count = st.selectbox("Results", [5, 10, 20, 50], index=1, key="k", width=100)
        st.button("Search", icon=":material/search:", type="primary", key="search_button")
    if text and text.strip():
        _show_result(text.strip(), count or 10)


def _show_result(text: str, count: int) -> None:
    if is_offline():
        show_nothing(
            "Cannot search now.", "The service does not answer. The search runs again as soon as you press the button after it is back."
        )
        return
    try:
        result = get_client().search_index(text, count)
    except ClientError as error:
        show_trouble(describe_error(error, "The search was not answered"))
        return
    if result.generation is None:
        show_nothing("There is no index to search yet.", "Import a sheet first; the index is built by itself.")
    elif not result.hits:
        show_nothing("Nothing found.", "The index is empty.")
    else:
        st.html(result_list(result))


def result_list(result: SearchResult) -> str:
    """The hits, best first, with their scores, keys, texts and fields."""
    words = f"{plural(len(result.hits), 'hit')} · generation {result.generation} · {format_duration(result.seconds)}"
    head = f'<div class="sy-note" role="status">{words}</div>'
    return head + f'<ol class="sy-hits">{"".join(map(_hit, result.hits))}</ol>'


def _hit(hit: SearchHit) -> str:
    fields = " · ".join(f"{escape(name)}: {escape(value)}" for name, value in hit.fields.items() if value)
    return (
        f'<li><span class="sy-score" title="cosine">{format_score(hit.score)}</span><span><b>{escape(hit.key)}</b> {escape(hit.text)}'
        f'<br><span class="sy-note">{fields}</span></span></li>'
    )
