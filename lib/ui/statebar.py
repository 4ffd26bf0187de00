"""The line at the foot of every page: how the news comes, how old it is, what waits unseen, and who one is."""

from __future__ import annotations

from html import escape

import streamlit as st

from lib.client.errors import ClientError
from lib.contract.events import Topic
from lib.contract.identity import IdentityReading
from lib.ui.format import UNKNOWN, format_age, format_moment, plural
from lib.ui.live import is_connecting, is_offline, last_known, refresh_words, updates_waiting
from lib.ui.marks import Mark, Tone, badge, icon
from lib.ui.session import environment_label, get_client, get_hub, now, zone

_FEED = {
    "live": Mark(Tone.DONE, "sensors", "live"),
    "polling": Mark(Tone.HELD, "sync", "polling"),
    "offline": Mark(Tone.BAD, "cloud_off", "offline"),
}


def state_bar() -> str:
    """Environment, feed, service, last sync, refresh, identity."""
    connection, at = get_hub().connection, now()
    connecting = Mark(Tone.IDLE, "sync", "connecting")
    feed = connecting if is_connecting() else _FEED.get(str(connection.state), Mark(Tone.IDLE, "help", str(connection.state)))
    since = f"{feed.word} since {format_moment(connection.since, zone())}"
    synced = max((moment for topic in Topic if (moment := get_hub().as_of(topic))), default=None)
    service = "does not answer" if is_offline() else "answers" if synced else "not heard yet"
    return (
        f'<div class="sy-bar" role="contentinfo" aria-label="State of the console">{badge(feed, title=since)}'
        f"<span>Service <b>{service}</b></span>"
        f'<span title="{format_moment(synced, zone())}">Last sync <b>{format_age(synced, at)}</b></span>'
        f"<span>Refresh <b>{refresh_words()}</b></span><span>Times in <b>{at.astimezone(zone()):%Z}</b></span>{_waiting()}"
        f'<span class="sy-right">Environment <b>{escape(environment_label())}</b></span>'
        f"<span>{icon('person')} {who_line(read_identity())}</span></div>"
    )


def _waiting() -> str:
    """What has changed since the page last looked, while it does not look by itself."""
    count = updates_waiting()
    return f'<span class="sy-ink-held" role="status">{icon("update")} {plural(count, "update")} waiting</span>' if count else ""


def read_identity() -> IdentityReading | None:
    """Who the service takes us for; None while it has not said."""
    try:
        return last_known("identity", _get_identity)
    except ClientError:
        return None


def who_line(identity: IdentityReading | None) -> str:
    """The name the audit will carry, and what it may do."""
    return f"<b>{escape(identity.actor)}</b> · {identity.role}" if identity else f"<b>{UNKNOWN}</b>"


@st.cache_data(ttl=600, show_spinner=False)
def _get_identity() -> IdentityReading:
    return get_client().get_identity()
