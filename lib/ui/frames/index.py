"""Index: the facts of the served generation, and bringing it up to date."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.index import IndexReading
from lib.contract.jobs import Job
from lib.contract.operations import EmptyRequest
from lib.contract.settings import SETTINGS
from lib.contract.states import JobState, Operation, RefreshMode
from lib.ui.dialogs import Question, ask
from lib.ui.format import UNKNOWN, format_count, format_duration, format_size, plural
from lib.ui.gates import WhenFree, gated_button, show_intentions
from lib.ui.live import gate_of, last_known, latest_index, latest_jobs, latest_queue, live_block, newest_jobs, read_setting
from lib.ui.marks import Mark, Tone, badge, code, facts, moment
from lib.ui.notices import Notice, start_key
from lib.ui.results import count_of
from lib.ui.session import Params, get_client, now, zone
from lib.ui.starts import start_refresh
from lib.ui.trends import show_trend
from lib.ui.widgets import show_active_job, show_finding, show_heading, show_hold, show_nothing, show_unknown

BUILDS = (Operation.REFRESH, Operation.REBUILD, Operation.SNAPSHOT, Operation.RESTORE, Operation.REEMBED)
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
            _show_build_trend()


def _show_actions(reading: IndexReading) -> None:
    # The buttons come first and stay where they are, whatever runs.
    with st.container(horizontal=True, vertical_alignment="center", key="index_buttons", gap="medium"):
        gate, when_free = gate_of(Operation.REFRESH), WhenFree(Operation.REFRESH, EmptyRequest())
        primary = bool(reading.unindexed)
        if gated_button("Refresh", gate, key="refresh_index", icon_name="sync", primary=primary, when_free=when_free):
            start_refresh()
        gate, when_free = gate_of(Operation.REBUILD), WhenFree(Operation.REBUILD, EmptyRequest())
        if gated_button("Rebuild", gate, key="rebuild_index", icon_name="construction", when_free=when_free):
            _ask_rebuild(reading)
    show_intentions(Operation.REFRESH, Operation.REBUILD, key="index")
    jobs = latest_jobs()
    running = [job for job in jobs.active if job.operation in BUILDS] if jobs else []
    for job in running:
        show_active_job(job, key="building")
    show_hold(unless=running)
    st.html(
        f'<span class="sy-note">{_explain_mode(reading)} <b>Refresh</b> takes in what changed. '
        "<b>Rebuild</b> makes a full new generation aside; searches are answered by the old one until it is whole.</span>"
    )
    if reading.unindexed and not running:
        show_finding(
            Tone.HELD, f"<b>{plural(reading.unindexed, 'change')}</b> not in the index yet: a search does not see them.", symbol="sync"
        )


def _explain_mode(reading: IndexReading) -> str:
    if reading.turned_back:
        return f"Somebody went back to generation {reading.generation}: it stays served, and nothing is taken in, until you press a button."
    if read_setting("index.refresh") == RefreshMode.MANUAL:
        return f"{SETTINGS['index.refresh'].title} is set to manual: nothing happens until you press a button."
    return "New vectors are taken in by themselves."


def _ask_rebuild(reading: IndexReading) -> None:
    """Tier 2: long, and no refresh can run meanwhile."""
    queue = latest_queue()
    entries = plural(queue.embedded, "entry", "entries") if queue else "all entries"
    served = f"generation {reading.generation}" if reading.generation else "nothing, because there is no index yet"
    ask(
        Question(
            title=f"Rebuild the index of {entries}?",
            body=f"A full new generation of **{entries}** is built aside. Searches are answered by {served} until it is whole. "
            "Meanwhile no refresh can run, so what changes now is found only afterwards.",
            reversible=f"It can be cancelled at any time; then {served} goes on being served." if reading.generation else "",
            verb="Rebuild",
            perform=_start_rebuild,
        )
    )


def _start_rebuild(_: object) -> Notice:
    return Notice("Index rebuild started", f"/?{Params.JOB}={get_client().start_rebuild(start_key('rebuild'))}")


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
        ("Tombstones", format_count(reading.tombstones), "Vectors of removed rows still in the file; no answer shows them."),
        ("Model", escape(reading.embedder or UNKNOWN), "What turned texts into vectors; a query is embedded by the same."),
        ("Dimension", format_count(reading.dimension), "Numbers per vector."),
        (
            "Compared by",
            escape(METRIC_WORDS.get(reading.metric or "", reading.metric or UNKNOWN)),
            "How near two texts are: 1 means the same direction.",
        ),
        ("Kind", code(reading.factory), "FAISS' own word for how it is built; chosen by itself from the number of vectors."),
        ("Recall", *recall_fact(reading.factory)),
        ("Size on disk", format_size(reading.size_bytes), "The file other programs open."),
        (
            "Built",
            f"{moment(reading.built_at, now=at, zone=zone())}, took {format_duration(reading.build_seconds)}",
            "When, and how long it took.",
        ),
        (
            "Built by",
            f"{escape(reading.built_by or UNKNOWN)} · {_job_link(reading.built_by_job)}",
            "Who asked for it, and the job that made it, with its log.",
        ),
        (
            "Id map",
            _consistency(reading.ids_consistent),
            "Whether the file holds exactly the ids that were written; looked at when it is opened.",
        ),
        (
            "SHA-256",
            code(reading.sha256) if reading.sha256 else "being computed",
            "The checksum of the file: a copy with the same one is the same.",
        ),
    ]


def recall_fact(factory: str | None) -> tuple[str, str]:
    """“Exact” where a search compares with every vector, else where recall is measured."""
    if factory is not None and factory.endswith("Flat"):
        return badge(Mark(Tone.DONE, "check_circle", "exact")), "A flat index compares with every vector: it always finds the true nearest."
    if factory is not None and factory.startswith("IVF"):
        return "approximate", "It looks into the nearest lists only. The Health part measures how many of the true nearest it finds."
    return "approximate", "It compares with rounded vectors. The Health part measures how many of the true nearest it finds."


def _consistency(consistent: bool | None) -> str:
    if consistent is None:
        return UNKNOWN
    return badge(Mark(Tone.DONE, "check_circle", "consistent") if consistent else Mark(Tone.BAD, "error", "differs: rebuild the index"))


def _show_build_trend() -> None:
    """How long full builds took, from generation to generation."""
    try:
        builds = last_known("builds", lambda: _list_builds(newest_jobs()))
    except ClientError:
        return
    points = {
        generation: seconds for job in builds or [] if (generation := count_of(job, "generation")) and (seconds := _build_seconds(job))
    }
    if len(points) < 2:
        return
    st.html('<div class="sy-name-line">Time of a full build <span class="sy-note">seconds, by generation</span></div>')
    words = f"The last {len(points)} full builds took {format_duration(min(points.values()))} to {format_duration(max(points.values()))}."
    show_trend(list(points.items()), key="build_trend", value="Seconds", form=",.3~g", words=words)


def _build_seconds(job: Job) -> float | None:
    seconds = (job.result or {}).get("build_seconds")
    return float(seconds) if isinstance(seconds, int | float) else None


@st.cache_data(ttl=60, max_entries=4, show_spinner=False)
def _list_builds(newest: str) -> list[Job]:  # noqa: ARG001  part of the key
    return get_client().list_jobs(Operation.REBUILD, JobState.SUCCEEDED, limit=30).items


def _job_link(job_id: str | None) -> str:
    return f'<a href="/?{Params.JOB}={escape(job_id)}" target="_self" class="sy-code">{escape(job_id[:8])}</a>' if job_id else UNKNOWN
