"""The one button of a finding: its safest next step, taken in place or led to."""

from __future__ import annotations

from lib.contract.operations import EmptyRequest
from lib.contract.states import Operation
from lib.ui.checks import check_access
from lib.ui.findings import Act, Finding
from lib.ui.gates import WhenFree, gated_button
from lib.ui.live import connection_gate, gate_of
from lib.ui.notices import show_link
from lib.ui.starts import start_refresh
from lib.ui.wishes import resume_all, resume_one


def show_next_step(finding: Finding) -> None:
    """What is reversible or only looks is done at once, through the gate; anything else is read first, where it stands."""
    key = f"next_{finding.cause}"
    match finding.act:
        case Act.RESUME:
            if gated_button(finding.button, connection_gate(), key=key, icon_name="play_arrow"):
                _resume(finding)
        case Act.REFRESH:
            when_free = WhenFree(Operation.REFRESH, EmptyRequest())
            if gated_button(finding.button, gate_of(Operation.REFRESH), key=key, icon_name="sync", when_free=when_free):
                start_refresh()
        case Act.CHECK:
            if gated_button(finding.button, connection_gate(), key=key, icon_name="fact_check") and finding.check:
                check_access(finding.check)
        case None:
            show_link(finding.link, finding.button)


def _resume(finding: Finding) -> None:
    if len(finding.workers) == 1:
        resume_one(finding.workers[0])
    else:
        resume_all(finding.workers, chosen=True)
