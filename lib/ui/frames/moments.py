"""A link to what one sees: the view, and with a moment also its figures, beside those of the day on which somebody opens it."""

from __future__ import annotations

from html import escape
from urllib.parse import urlencode

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.moments import Moment
from lib.ui.findings import Readings
from lib.ui.format import format_moment
from lib.ui.gates import gated_button
from lib.ui.live import connection_gate, last_known
from lib.ui.marks import Column, icon, moment, table
from lib.ui.moments import Compared, compare
from lib.ui.notices import attempt, describe_error, show_trouble
from lib.ui.pages import PAGES
from lib.ui.session import Keys, Params, get_client, get_param, now, zone
from lib.ui.widgets import show_unknown


def show_link_to_here(name: str) -> None:
    """The address of this view to copy, and the way to keep its figures with it."""
    with st.popover("Link", icon=":material/link:", type="tertiary", key="link_to_here"):
        st.html('<span class="sy-note">This view, with its filters, for whoever may sign in:</span>')
        st.code(_address(name), language=None, wrap_lines=True)
        if gated_button("Keep the figures of now with it", connection_gate(), key="keep_moment", icon_name="history"):
            kept = attempt(lambda: get_client().create_moment(), failing="The figures were not kept")
            if kept is not None:
                st.session_state[Keys.MOMENT] = (_address(name), kept.moment_id)
            st.rerun()
        view, moment_id = st.session_state.get(Keys.MOMENT, ("", ""))
        if view == _address(name):
            said = "Kept for 30 days. Whoever opens this link sees them beside the figures of that day:"
            st.html(f'<span class="sy-note" role="status">{said}</span>')
            st.code(_address(name, as_of=moment_id), language=None, wrap_lines=True)


def _address(name: str, **more: str) -> str:
    """Where the browser is, with every parameter of the view; what is secret is never one."""
    page = "" if name == "Home" else name
    base = (st.context.url or "").split("?")[0].rstrip("/")
    root = base.removesuffix(f"/{page}") if page else base
    params = {key: value for key, value in st.query_params.items() if key != Params.AS_OF} | more
    return f"{root}/{page}{'?' + urlencode(params) if params else ''}"


def show_moment(name: str, readings: Readings) -> None:
    """The figures of the moment in the address beside those of now; called within a live block."""
    moment_id = get_param(Params.AS_OF)
    if moment_id is None:
        return
    try:
        then = last_known(f"moment_{moment_id}", lambda: _get_moment(moment_id))
    except ClientError as error:
        show_trouble(describe_error(error, "The figures of that moment cannot be shown"))
        return
    if then is None:
        show_unknown("That moment")
        return
    st.html(compared_table(then, compare(name, then, readings)))
    params = {key: value for key, value in st.query_params.items() if key != Params.AS_OF}
    st.page_link(PAGES[name].file, label="Show the present only", icon=":material/close:", query_params=params or None)


def compared_table(then: Moment, rows: list[Compared]) -> str:
    """Then and now, what differs in bold; ready HTML."""
    at = format_moment(then.taken_at, zone())
    taken = f"{moment(then.taken_at, now=now(), zone=zone())} by {escape(then.taken_by)}"
    columns = (
        Column(title="What"),
        Column(title=f"Then, {at}", number=True),
        Column(title="Now", number=True),
        Column(title="", wide=True),
    )
    cells = [
        (
            escape(row.what),
            escape(row.then),
            f"<b>{escape(row.now)}</b>" if row.differs else escape(row.now),
            "has changed" if row.differs else "",
        )
        for row in rows
    ]
    changed = sum(row.differs for row in rows)
    head = f"{icon('history')} As it was {taken}: {changed} of {len(rows)} figures are other ones now"
    return f'<div class="sy-box" role="status"><p class="sy-what">{head}</p>{table(columns, cells, caption="Then and now")}</div>'


@st.cache_data(ttl=600, max_entries=50, show_spinner=False)
def _get_moment(moment_id: str) -> Moment:
    return get_client().get_moment(moment_id)
