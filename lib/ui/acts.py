"""What somebody did last, as part of the key under which a list is cached: the list is read anew at the next look.

The cache is shared by all sessions, so no two acts may look the same: counted, the first act of one person would show another what was
read before theirs.
"""

from __future__ import annotations

from uuid import uuid4

import streamlit as st

#: For so long a list may not know what somebody else did: one request in this time, for all who look.
LISTED_SECONDS = 5.0


def note_act(what: str) -> None:
    """Something of that kind was changed here just now."""
    st.session_state[f"{what}_acted"] = uuid4().hex


def last_act(what: str) -> str:
    """Which act of this session was the last of that kind; empty before the first."""
    return str(st.session_state.get(f"{what}_acted", ""))
