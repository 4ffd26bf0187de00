"""Home: the road at a glance, what needs a person, what runs, and the first steps of a new installation."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.contract.events import Topic
from lib.ui.findings import Finding, Readings
from lib.ui.format import format_clock, format_rate
from lib.ui.frames.drift import show_drift
from lib.ui.frames.findings import show_next_step
from lib.ui.frames.first_steps import is_first_run, show_first_steps
from lib.ui.frames.visits import show_visit
from lib.ui.gates import show_intentions
from lib.ui.live import is_offline, live_block
from lib.ui.marks import Mark, Tone, badge, icon
from lib.ui.pages import PAGES
from lib.ui.rules import CHECKED, find_findings, find_quiet_rules, judge
from lib.ui.session import zone
from lib.ui.shell import read_all
from lib.ui.stages import find_stages
from lib.ui.widgets import show_active_job, show_heading, show_nothing, show_unknown

#: Why nothing is judged while nobody answers.
OFFLINE = "<p>The service does not answer: what was last known is shown below, and may be so no more.</p>"


@st.fragment(key="overview")
def show_overview() -> None:
    """The live part of the page."""
    with live_block("overview"):
        readings = read_all()
        findings = find_findings(readings)
        _show_verdict(readings, findings)
        _show_strip(readings)
        if is_first_run(readings):
            show_first_steps(readings)
        left, right = st.columns([3, 2], gap="medium")
        with left:
            _show_attention(readings, findings)
        with right:
            _show_running(readings)
            show_visit()
        show_drift(readings)


def _show_verdict(readings: Readings, findings: list[Finding]) -> None:
    verdict = Mark(Tone.IDLE, "help", "not known now") if is_offline() else judge(readings, findings)
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.html(f'<span class="sy-verdict">{badge(verdict)}</span>', width="content")
        with st.popover("Why", type="tertiary"):
            st.html(OFFLINE if is_offline() else explain_verdict(readings, findings))


def explain_verdict(readings: Readings, findings: list[Finding]) -> str:
    """Every rule that was asked: those that fired with their evidence, then those that did not; ready HTML."""
    fired = [
        f'<li class="sy-ink-{each.tone}">{icon(each.icon)} <span><b>{escape(each.what)}</b><br>{escape(each.evidence)}</span></li>'
        for each in findings
    ]
    quiet = [f"<li>{icon('check_circle')} <span>{escape(words)}</span></li>" for words in find_quiet_rules(readings)]
    head = "These rules fired:" if fired else "No rule fired."
    checked = f'<p class="sy-note">Checked at {format_clock(readings.now, zone())}; found nothing:</p>' if quiet else ""
    return f'<p>{head}</p><ul class="sy-list">{"".join(fired)}</ul>{checked}<ul class="sy-list">{"".join(quiet)}</ul>'


def _show_strip(readings: Readings) -> None:
    with st.container(key="strip"):
        for column, stage in zip(st.columns(5, gap="small"), find_stages(readings), strict=True):
            with column, st.container(border=True, height="stretch"):
                st.html(
                    f'<div class="sy-stage"><span class="sy-name">{icon(stage.icon)}{escape(stage.name)}</span>'
                    f'<span class="sy-count">{stage.count} <span class="sy-unit">{escape(stage.unit)}</span></span>'
                    f'<span>{badge(stage.mark)}</span><span class="sy-note">{stage.note}</span></div>'
                )
                st.page_link(PAGES[stage.page].file, label=stage.label, query_params=stage.params or None)


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
            words, link = st.columns([3, 1.3], vertical_alignment="center")
            words.html(
                f'<div><span class="sy-badge sy-{finding.tone}">{icon(finding.icon)}{escape(finding.what)}</span></div>'
                f"<div>{escape(finding.evidence)} {escape(finding.impact)}</div>"
                f'<div class="sy-note">Next: {escape(finding.step)}</div>'
            )
            with link:
                show_next_step(finding)


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
