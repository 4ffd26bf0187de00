"""One banner per root cause, on the pages it affects; it goes when the cause does."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.ui.findings import Finding, Readings
from lib.ui.format import format_age, format_clock
from lib.ui.live import is_offline
from lib.ui.marks import Tone, box, fold, icon
from lib.ui.notices import show_link
from lib.ui.pages import find_page
from lib.ui.rules import find_findings
from lib.ui.session import get_hub, now, zone
from lib.ui.style import STALE_STYLE


def show_banners(name: str, readings: Readings) -> None:
    """What stands in the way on the page called ``name``. An outage comes alone: it hides whether the rest still holds."""
    if is_offline():
        _show_outage()
        return
    for finding in banners_of(name, find_findings(readings)):
        with st.container(horizontal=True, vertical_alignment="center", key=f"banner_{finding.cause}"):
            st.html(box(finding.tone, f"{icon(finding.icon)} {escape(finding.what)}", escape(f"{finding.evidence} {finding.impact}")))
            show_link(finding.link, f"Go to {found[0].name}" if (found := find_page(finding.link)) else None)


def banners_of(name: str, findings: list[Finding]) -> list[Finding]:
    """The findings that get a banner on this page: those that affect it and are mended elsewhere, the first of each cause."""
    first: dict[str, Finding] = {}
    for finding in findings:
        found = find_page(finding.link)
        if finding.banner and name in finding.pages and not (found and found[0].name == name):
            first.setdefault(finding.cause, finding)
    return list(first.values())


def _show_outage() -> None:
    connection, at = get_hub().connection, now()
    since = f"{format_clock(connection.since, zone())} ({format_age(connection.since, at)})"
    said = f"Since {since}. What you see is the last that was known; actions are off until it is back. It is tried again by itself."
    what = f"{icon('cloud_off')} The service does not answer"
    st.html(STALE_STYLE + box(Tone.BAD, what, said, fold(escape(str(connection.reason or ""))), role="alert"))
