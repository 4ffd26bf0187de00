"""Trying the access to Google, from wherever it is offered."""

from __future__ import annotations

import streamlit as st

from lib.contract.checks import CheckRequest
from lib.contract.states import CheckState
from lib.ui.format import plural
from lib.ui.notices import Notice, Trouble, attempt, notify
from lib.ui.session import Keys, get_client


def check_access(request: CheckRequest) -> None:
    """Ask Google itself, and say what came of it."""
    with st.spinner("Asking Google …"):
        tried = attempt(lambda: get_client().check_settings(request), failing="Nothing was checked")
    if tried is not None:
        failed = sum(check.state is CheckState.FAILED for check in tried.checks)
        passed = sum(check.state is CheckState.PASSED for check in tried.checks)
        said = f"{plural(passed, 'check')} passed, {failed} failed"
        if failed:
            trouble = Trouble(said, "Settings → Access says what is wrong.", "Do what stands beside it, then check again.")
            st.session_state[Keys.NOTICE] = Notice(trouble=trouble, link="/Settings?tab=Access")
        else:
            notify(said)
    st.rerun()
