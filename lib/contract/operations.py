"""The gate's answer, and what the service says of each operation."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any, Literal

from pydantic import Field

from lib.contract.jobs import Job
from lib.contract.model import Reading, Request
from lib.contract.states import IntentionState, Operation


class Reason(StrEnum):
    """Why the gate refuses. Each has words in ``service/gate.py`` and a page that shows or mends it."""

    OPERATION_RUNNING = "operation_running"
    TABLE_EMPTY = "table_empty"
    NOTHING_TO_DO = "nothing_to_do"
    PLAN_NOT_READY = "plan_not_ready"
    PLAN_FAILED = "plan_failed"
    PLAN_STALE = "plan_stale"
    PLAN_APPLIED = "plan_applied"
    PLAN_HAS_INVALID_ROWS = "plan_has_invalid_rows"
    ROWS_UNFIT = "rows_unfit"
    REMOVALS_NOT_APPROVED = "removals_not_approved"
    JOB_ENDED = "job_ended"
    ALREADY_SO = "already_so"
    NO_INDEX = "no_index"
    NOT_UNDOABLE = "not_undoable"
    CHANGED_SINCE_SHOWN = "changed_since_shown"
    NAME_NOT_TYPED = "name_not_typed"
    NOT_RESTORABLE = "not_restorable"
    NO_EARLIER_GENERATION = "no_earlier_generation"
    CREDENTIALS_MISSING = "credentials_missing"
    CREDENTIALS_REJECTED = "credentials_rejected"
    SHEET_UNREACHABLE = "sheet_unreachable"
    NEEDS_REEMBEDDING = "needs_reembedding"


#: How long each operation may run before it is stopped and its lock freed; said on the page of the operation.
TIMEOUT_SECONDS: dict[Operation, int] = {
    Operation.PREVIEW: 30 * 60,
    Operation.IMPORT: 60 * 60,
    Operation.UNDO: 60 * 60,
    Operation.COMPARE: 30 * 60,
    Operation.EXPORT: 60 * 60,
    Operation.REFRESH: 30 * 60,
    Operation.REBUILD: 60 * 60,
    Operation.SNAPSHOT: 30 * 60,
    Operation.INSPECT: 30 * 60,
    Operation.RESTORE: 30 * 60,
    Operation.CHECK: 30 * 60,
    Operation.REPAIR: 60 * 60,
    Operation.REQUEUE: 60 * 60,
    Operation.RENEW: 30 * 60,
    Operation.REEMBED: 2 * 60 * 60,
    Operation.REHEARSE: 30 * 60,
    Operation.MAP: 30 * 60,
}


class Gate(Reading):
    """The server's decision whether an action may start now, and why not."""

    allowed: bool
    reason_code: Reason | None = None
    reason_text: str = ""
    holder: str | None = Field(None, description="what stands in the way: a job id, a plan id, a worker id")
    since: datetime | None = None
    eta: datetime | None = Field(None, description="when it is expected to open; unknown when null")
    fix_link: str | None = Field(None, description="the console page that shows or mends it")


class OperationReading(Reading):
    """One operation: may it start, what runs, what ran last."""

    operation: Operation
    gate: Gate
    running: Job | None = None
    last: Job | None = None
    timeout_seconds: int = Field(0, description="how long a job of it may run before it is stopped and its lock freed")


class OperationsReading(Reading):
    """Every operation at one moment."""

    operations: list[OperationReading]
    taken_at: datetime


class Started(Reading):
    """202: the job that was started; or, asked to wait for the gate, the intention that will start it."""

    job_id: str | None = None
    intention_id: str | None = None


class Intention(Reading):
    """“Do it when free”: a start that waits for the gate to open, runs once, and can be called off."""

    intention_id: str
    operation: Operation
    state: IntentionState
    arguments: dict[str, Any] = {}
    requested_by: str
    created_at: datetime
    ended_at: datetime | None = None
    job_id: str | None = None
    detail: str | None = Field(None, description="what it waits for, or why it was dropped")


class IntentionPage(Reading):
    """Intentions, newest first."""

    items: list[Intention]
    taken_at: datetime


class SnapshotRequest(Request):
    """Save a copy of the served generation."""

    name: str = Field("", max_length=80)
    note: str = Field("", max_length=500)


class EmptyRequest(Request):
    """An operation that takes no arguments."""


class TicketRequest(Request):
    """Ask for a short-lived signed ticket so that the browser may use one API address directly."""

    method: Literal["GET", "PUT"]
    path: str = Field(pattern=r"^/api/[A-Za-z0-9/_\-]+$", max_length=200)


class Ticket(Reading):
    """Send as ``?ticket=`` (GET) or in ``X-Switchyard-Ticket`` (PUT)."""

    ticket: str
    expires_at: datetime
