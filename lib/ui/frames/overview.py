"""Home: the road at a glance, what needs a person, what runs, and the first steps of a new installation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

import streamlit as st

from lib.contract.events import Topic
from lib.contract.jobs import Job
from lib.contract.states import JobState, Operation, WorkerRole
from lib.ui.findings import CHECKED, Finding, Readings, find_findings, find_workers, is_capacity, judge
from lib.ui.format import UNKNOWN, format_clock, format_count, format_duration, format_rate
from lib.ui.gates import show_intentions
from lib.ui.live import is_offline, live_block
from lib.ui.marks import JOB_MARKS, UNKNOWN_MARK, Mark, Tone, badge, icon, moment
from lib.ui.notices import show_link
from lib.ui.pages import PAGES
from lib.ui.results import count_of, text_of
from lib.ui.session import zone
from lib.ui.shell import read_all
from lib.ui.starts import show_sample_link
from lib.ui.widgets import show_active_job, show_heading, show_nothing, show_unknown


@dataclass(frozen=True)
class Stage:
    """One station of the road: how much, in which state, since when, and the page that shows more."""

    name: str
    icon: str
    count: str
    unit: str
    mark: Mark
    note: str
    page: str
    label: str


@st.fragment(key="overview")
def show_overview() -> None:
    """The live part of the page."""
    with live_block("overview"):
        readings = read_all()
        findings = find_findings(readings)
        _show_verdict(readings, findings)
        _show_strip(readings)
        if _is_first_run(readings):
            _show_first_steps(readings)
        left, right = st.columns([3, 2], gap="medium")
        with left:
            _show_attention(readings, findings)
        with right:
            _show_running(readings)


def _show_verdict(readings: Readings, findings: list[Finding]) -> None:
    verdict = Mark(Tone.IDLE, "help", "not known now") if is_offline() else judge(readings, findings)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(badge(verdict), width="content")
        with st.popover("Why", type="tertiary"):
            if is_offline():
                st.markdown("The service does not answer: what was last known is shown below, and may be so no more.")
            elif findings:
                st.markdown("\n".join(f"- **{finding.what}.** {finding.evidence}" for finding in findings))
            else:
                st.markdown(f"No rule fired. Checked at {format_clock(readings.now, zone())}: {CHECKED}.")


def _show_strip(readings: Readings) -> None:
    stages = [build(readings) for build in (_sheet, _table, _queue, _index, _export)]
    with st.container(key="strip"):
        for column, stage in zip(st.columns(5, gap="small"), stages, strict=True):
            with column, st.container(border=True, height="stretch"):
                st.html(
                    f'<div class="sy-stage"><span class="sy-name">{icon(stage.icon)}{escape(stage.name)}</span>'
                    f'<span class="sy-count">{stage.count} <span class="sy-unit">{escape(stage.unit)}</span></span>'
                    f'<span>{badge(stage.mark)}</span><span class="sy-note">{stage.note}</span></div>'
                )
                st.page_link(PAGES[stage.page].file, label=stage.label)


def _sheet(readings: Readings) -> Stage:
    last = _last(readings, Operation.IMPORT)
    rows = (
        sum(count for name in ("new", "changed", "unchanged") if (count := count_of(last, name)) is not None)
        if last and last.result
        else None
    )
    note = escape(text_of(last, "source_name") or "") if last else "nothing imported yet"
    mark = JOB_MARKS[last.state] if last else _never(readings)
    if running := _running(readings, Operation.IMPORT):
        mark, note = JOB_MARKS[running.state], "import in progress"
    elif last and last.state is JobState.SUCCEEDED:
        mark = Mark(Tone.DONE, "check_circle", "imported")
    age = f" · {moment(last.finished_at, now=readings.now, zone=zone())}" if last and last.finished_at else ""
    return Stage("Sheet", "upload", format_count(rows), "rows read", mark, (note + age).strip(" ·"), "Import", "Import a sheet")


def _table(readings: Readings) -> Stage:
    queue = readings.queue
    if queue is None:
        return Stage("Table", "table_rows", UNKNOWN, "entries", UNKNOWN_MARK, "", "Export", "Export the table")
    mark = Mark(Tone.DONE, "check_circle", "kept") if queue.entries else Mark(Tone.IDLE, "radio_button_unchecked", "empty")
    return Stage(
        "Table",
        "table_rows",
        format_count(queue.entries),
        "entries",
        mark,
        f"{format_count(queue.embedded)} embedded",
        "Export",
        "Export the table",
    )


def _queue(readings: Readings) -> Stage:
    queue = readings.queue
    if queue is None:
        return Stage("Queue", "stacks", UNKNOWN, "waiting", UNKNOWN_MARK, "", "Queue", "Open the queue")
    workers = find_workers(readings.workers, WorkerRole.EMBEDDING)
    if queue.failed:
        mark = Mark(Tone.BAD, "error", f"{queue.failed:,} failed")
    elif workers and not any(map(is_capacity, workers)):
        mark = Mark(Tone.HELD, "pause_circle", "held")
    elif queue.backlog:
        mark = Mark(Tone.BUSY, "play_circle", "draining")
    else:
        mark = Mark(Tone.DONE, "check_circle", "empty")
    oldest = f"oldest waits {format_duration(queue.lag_seconds)}" if queue.lag_seconds is not None else "nothing waits"
    left = f" · {format_duration(queue.eta_seconds)} left" if queue.backlog and queue.eta_seconds is not None else ""
    return Stage("Queue", "stacks", format_count(queue.backlog), "waiting", mark, oldest + left, "Queue", "Open the queue")


def _index(readings: Readings) -> Stage:
    index = readings.index
    if index is None:
        return Stage("Index", "hub", UNKNOWN, "vectors", UNKNOWN_MARK, "", "Index", "Search the index")
    if _running(readings, Operation.REBUILD) or _running(readings, Operation.REFRESH):
        mark = Mark(Tone.BUSY, "play_circle", "building")
    elif index.generation is None:
        mark = Mark(Tone.IDLE, "radio_button_unchecked", "none yet")
    elif index.unindexed:
        mark = Mark(Tone.HELD, "sync", f"{index.unindexed:,} behind")
    else:
        mark = Mark(Tone.DONE, "check_circle", "up to date")
    built = (
        f"generation {index.generation} · built {moment(index.built_at, now=readings.now, zone=zone())}"
        if index.generation
        else "built after the first import"
    )
    return Stage("Index", "hub", format_count(index.vectors), "vectors", mark, built, "Index", "Search the index")


def _export(readings: Readings) -> Stage:
    last = _last(readings, Operation.EXPORT)
    mark = JOB_MARKS[last.state] if last else _never(readings)
    if running := _running(readings, Operation.EXPORT):
        mark = JOB_MARKS[running.state]
    elif last and last.state is JobState.SUCCEEDED:
        mark = Mark(Tone.DONE, "check_circle", "exported")
    note = moment(last.finished_at, now=readings.now, zone=zone()) if last else "nothing exported yet"
    return Stage("Sheet", "download", format_count(count_of(last, "rows")), "rows written", mark, note, "Export", "See the files")


def _never(readings: Readings) -> Mark:
    return Mark(Tone.IDLE, "radio_button_unchecked", "not yet") if readings.jobs else UNKNOWN_MARK


def _last(readings: Readings, operation: Operation) -> Job | None:
    return next((reading.last for reading in readings.jobs.operations if reading.operation is operation), None) if readings.jobs else None


def _running(readings: Readings, operation: Operation) -> Job | None:
    return next((job for job in readings.jobs.active if job.operation is operation), None) if readings.jobs else None


def _show_attention(readings: Readings, findings: list[Finding]) -> None:
    show_heading("Needs attention", Topic.JOBS)
    if readings.queue is None:
        show_unknown("What needs attention")
    elif not findings and is_offline():
        show_nothing("Not known now.", "Nothing needed attention when the service was last heard.")
    elif not findings:
        show_nothing("Nothing needs attention.", f"Checked at {format_clock(readings.now, zone())}: {CHECKED}.")
    for number, finding in enumerate(findings):
        with st.container(border=True, key=f"finding_{number}"):
            words, link = st.columns([3, 1.15], vertical_alignment="center")
            words.html(
                f'<div><span class="sy-badge sy-{finding.tone}">{icon(finding.icon)}{escape(finding.what)}</span></div>'
                f"<div>{escape(finding.evidence)} {escape(finding.impact)}</div>"
                f'<div class="sy-note">Next: {escape(finding.step)}</div>'
            )
            with link:
                show_link(finding.link)


def _show_running(readings: Readings) -> None:
    show_heading("Running now", Topic.JOBS)
    show_intentions(key="home")
    if readings.jobs is None:
        show_unknown("Running jobs")
    elif not readings.jobs.active:
        rate = readings.queue.completion_per_second if readings.queue else None
        embedding = f" Embedding runs at {format_rate(rate)}." if rate else ""
        show_nothing("No job is running.", f"Imports, exports and index builds appear here with their progress.{embedding}")
    for job in readings.jobs.active if readings.jobs else []:
        show_active_job(job, key="running")


def _is_first_run(readings: Readings) -> bool:
    return readings.queue is not None and (
        readings.queue.entries == 0 or (readings.index is not None and readings.index.generation is None)
    )


#: What a new installation still needs → how we know it is done.
FIRST_STEPS: tuple[tuple[str, str, Callable[[Readings], bool]], ...] = (
    (
        "Workers are running",
        "They start with the console.",
        lambda all_: any(map(is_capacity, find_workers(all_.workers, WorkerRole.EMBEDDING))),
    ),
    (
        "A sheet is in the table",
        "Load the sample below, or your own CSV on the Import page.",
        lambda all_: bool(all_.queue and all_.queue.entries),
    ),
    ("Its rows are embedded", "Happens by itself; the Queue page shows it.", lambda all_: bool(all_.queue and all_.queue.embedded)),
    (
        "The index answers",
        "Happens by itself; then try a search on the Index page.",
        lambda all_: bool(all_.index and all_.index.generation),
    ),
)


def _show_first_steps(readings: Readings) -> None:
    show_heading("First steps")
    with st.container(border=True, key="first_steps"):
        lines = []
        for title, sentence, is_done in FIRST_STEPS:
            done = is_done(readings)
            mark = Mark(Tone.DONE, "check_circle", "done") if done else Mark(Tone.IDLE, "radio_button_unchecked", "to do")
            lines.append(f'<div style="padding:.12rem 0">{badge(mark)} <b>{title}</b> <span class="sy-note">{sentence}</span></div>')
        st.html("".join(lines))
        if readings.queue is not None and readings.queue.entries == 0:
            _show_sample()


def _show_sample() -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        show_sample_link()
        st.page_link(PAGES["Import"].file, label="Import my own CSV", icon=PAGES["Import"].icon)
    st.html(
        '<span class="sy-note">A support team’s playbook of about 150 entries. Nothing leaves this machine, '
        "and you see the plan before anything is written.</span>"
    )
