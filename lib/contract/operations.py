"""The gate's answer, and what the service says of each operation."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Literal

from pydantic import Field

from lib.contract.jobs import Job
from lib.contract.model import Reading, Request
from lib.contract.states import Operation


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
    REMOVALS_NOT_APPROVED = "removals_not_approved"
    JOB_ENDED = "job_ended"
    ALREADY_SO = "already_so"


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


class OperationsReading(Reading):
    """Every operation at one moment."""

    operations: list[OperationReading]
    taken_at: datetime


class Started(Reading):
    """202: the job that was started."""

    job_id: str


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
