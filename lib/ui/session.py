"""What lives longer than one run of a page: the client and the hub of the process, the keys of the session and of the URL."""

from __future__ import annotations

import os
from datetime import UTC, datetime, tzinfo
from functools import partial
from time import monotonic
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import streamlit as st

from lib.client.api import Client
from lib.client.connection import connect_from_environment
from lib.client.live import LiveHub
from lib.contract.environment import API_URL, ENVIRONMENT
from lib.contract.events import Topic

#: How long the very first page waits for the hub to have heard something.
FIRST_WORD_SECONDS = 1.2
#: What times may be told in; the first unless somebody chooses otherwise.
MY_ZONE, UTC_ZONE = "My zone", "UTC"
ZONES = (MY_ZONE, UTC_ZONE)


class Keys:
    """Every key of ``st.session_state`` that is not one widget's own."""

    REFRESH: Final = "refresh"  #: the chosen refresh interval
    ZONE: Final = "zone"  #: which of ``ZONES`` times are told in
    LOOKED: Final = "looked"  #: the hub's version when the page was last drawn as a whole
    QUESTION: Final = "question"  #: the open confirmation dialog
    VIEW: Final = "view"  #: the open dialog that asks nothing: going somewhere, or the shortcuts
    MOMENT: Final = "moment"  #: the view whose figures were kept last, and the id of that moment
    STRANGE: Final = "strange"  #: what of a link was not understood, and on which page
    SHORTCUTS: Final = "shortcuts"  #: whether single keys mean something
    REFUSED: Final = "refused"  #: the plan the service refused to apply last, when, and its gate
    NOTICE: Final = "notice"  #: the result of the last action
    STARTS: Final = "starts"  #: idempotency keys of starts, by operation
    UPLOADS: Final = "uploads"  #: uploads begun in this session, by file
    CANCELLING: Final = "cancelling"  #: jobs this session asked to stop
    DECISIONS: Final = "decisions"  #: whose values are written, by plan of an export and by row


class Params:
    """Every query parameter: what a link to a page may carry."""

    UPLOAD: Final = "upload"  #: an upload whose columns are to be mapped
    SPREADSHEET: Final = "spreadsheet"  #: a Google sheet whose columns are to be mapped
    SHEET: Final = "sheet"  #: the tab of a workbook or of a Google sheet
    ENCODING: Final = "encoding"  #: what a text file is said to be written in
    DELIMITER: Final = "delimiter"  #: what is said to part its cells
    HEADER: Final = "header_row"  #: the row that is said to name its columns
    PLAN: Final = "plan"  #: a plan to review
    JOB: Final = "job"  #: a job to look at
    SNAPSHOT: Final = "snapshot"  #: a snapshot to look at
    CHANGE: Final = "change"  #: the plan's row filter
    AFTER: Final = "after"  #: where the page of a plan's rows begins
    KEEP: Final = "keep"  #: whose values stay where an export and a sheet disagree
    RULE: Final = "rule"  #: the plan's filter of bad rows
    FIND: Final = "find"  #: the plan's text filter
    WINDOW: Final = "window"  #: how far the charts look back
    CAUSE: Final = "cause"  #: the item list's filter
    ROWS: Final = "rows"  #: the item list's filter: the state
    IMPORT: Final = "import"  #: the item list's filter
    WORKER: Final = "worker"  #: the item list's filter
    AGE: Final = "age"  #: the item list's filter
    TEXT: Final = "text"  #: the item list's filter
    WHERE: Final = "where"  #: a row to look for
    ROW: Final = "row"  #: a row to trace
    QUERY: Final = "q"  #: a search
    RESULTS: Final = "k"  #: how many hits it shows
    NARROW: Final = "only"  #: which values of fields its hits have
    CONTAINS: Final = "contains"  #: the export's filter; not "q", or a search would quietly shorten the next export
    TARGET: Final = "target"  #: what an export is written to
    FORMAT: Final = "format"  #: how an export is written down
    SINCE: Final = "since"  #: the export's filter
    FIELD: Final = "field"  #: the export's filter
    VALUE: Final = "value"  #: the export's filter
    COLUMNS: Final = "columns"  #: the columns an export writes
    OPERATION: Final = "operation"  #: the job list's filter
    STATE: Final = "state"  #: the job list's filter, and the export's
    PERSON: Final = "person"  #: the job list's filter
    PERIOD: Final = "period"  #: the job list's filter
    INSPECTION: Final = "inspection"  #: the report of an inspection to look at
    REHEARSAL: Final = "rehearsal"  #: the report of a rehearsal to look at
    OBJECT: Final = "object"  #: the audit list's filter
    AS_OF: Final = "as_of"  #: a moment to show beside the present
    COLOUR: Final = "colour"  #: what the map is coloured by
    LASSO: Final = "lasso"  #: the part of the map whose rows are listed
    MAP: Final = "map"  #: the map on which that part was drawn
    REGION: Final = "region"  #: the map's region whose rows are listed
    KIND: Final = "kind"  #: which rows of the map are listed
    TAB: Final = "tab"  #: the open tab


@st.cache_resource(show_spinner=False)
def get_client() -> Client:
    """The one client of this process."""
    return make_client()


@st.cache_resource(show_spinner=False)
def get_hub() -> LiveHub:
    """The one live feed of this process, started here."""
    return make_hub()


def make_client() -> Client:
    """A client of the embedded service on our own port, or of ``SWITCHYARD_API_URL``."""
    connect = partial(connect_from_environment, int(st.get_option("server.port")))
    return Client(connect(), connect=connect)


def make_hub() -> LiveHub:
    """A running hub; its thread never calls Streamlit."""
    hub = LiveHub(get_client())
    hub.start()
    _await_first_word(hub)
    return hub


def _await_first_word(hub: LiveHub) -> None:
    """So that a new visitor's first page is not one of unknowns. Once per process: later visitors find the hub's memory."""
    deadline = monotonic() + FIRST_WORD_SECONDS
    version = hub.version
    while any(hub.reading(topic) is None for topic in Topic) and (left := deadline - monotonic()) > 0:
        version = hub.wait_for_change(version, left)


def is_embedded() -> bool:
    """Whether the service answers on the console's own address, so that a browser may use it directly."""
    return not os.environ.get(API_URL)


def api_base() -> str:
    """What a browser puts before a path of the API: nothing on the same site, else where the service is."""
    return "" if is_embedded() else get_client().connection.base_url


def environment_label() -> str:
    """What this installation is called: shown in the sidebar and the status bar."""
    return os.environ.get(ENVIRONMENT) or "local"


def now() -> datetime:
    """The present; tests replace it."""
    return datetime.now(UTC)


def is_utc() -> bool:
    """Whether the person wants every time in UTC, as a team in several zones may."""
    return st.session_state.get(Keys.ZONE) == UTC_ZONE


def zone() -> tzinfo:
    """The one time zone of all pages and charts."""
    return UTC if is_utc() else browser_zone()


def browser_zone() -> tzinfo:
    """The time zone of the browser; tests replace it."""
    try:
        return ZoneInfo(st.context.timezone or "UTC")
    except (ZoneInfoNotFoundError, ValueError):
        return UTC


def get_param(name: str) -> str | None:
    """A query parameter; None when absent or empty."""
    return st.query_params.get(name) or None


def go_to(**params: str | None) -> None:
    """Make the URL say exactly ``params``; the next run shows that."""
    st.query_params.from_dict({name: value for name, value in params.items() if value is not None})
