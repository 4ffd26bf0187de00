"""One durable request to perform an operation."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Any

from lib.contract.model import Reading
from lib.contract.states import ACTIVE_JOB_STATES, JobState, Operation

#: How the phase of a job begins that waits for Google; the seconds that are left follow it.
QUOTA_WAIT = "waiting for Google's quota"
ANSWER_WAIT = "waiting for Google to answer again"


class Progress(Reading):
    """How far a job is. ``total`` and ``eta_seconds`` are null while unknown; they are never invented."""

    phase: str
    done: int = 0
    total: int | None = None
    rate_per_second: float | None = None
    eta_seconds: float | None = None
    updated_at: datetime | None = None


class JobFailure(StrEnum):
    """Why a job ended without its result: the closed list of codes."""

    UNREADABLE_SOURCE = "unreadable_source"
    NO_RECORDS = "no_records"
    TAB_MISSING = "tab_missing"
    COLUMNS_MISSING = "columns_missing"
    UPLOAD_MISSING = "upload_missing"
    PLAN_MISSING = "plan_missing"
    PLAN_STALE = "plan_stale"
    IMPORT_MISSING = "import_missing"
    NOTHING_MATCHES = "nothing_matches"
    DOES_NOT_FIT = "does_not_fit"
    NOTHING_TO_INDEX = "nothing_to_index"
    NO_INDEX = "no_index"
    SNAPSHOT_MISSING = "snapshot_missing"
    INSPECTION_MISSING = "inspection_missing"
    MAP_MISSING = "map_missing"
    CANDIDATE_CHANGED = "candidate_changed"
    INDEX_DAMAGED = "index_damaged"
    SUPERSEDED = "superseded"
    CREDENTIALS_MISSING = "credentials_missing"
    CREDENTIALS_REJECTED = "credentials_rejected"
    SPREADSHEET_MISSING = "spreadsheet_missing"
    SHEET_NOT_SHARED = "sheet_not_shared"
    SHEETS_QUOTA = "sheets_quota"
    SHEETS_UNREACHABLE = "sheets_unreachable"
    SHEETS_REFUSED = "sheets_refused"
    CANARY_FAILED = "canary_failed"
    CANARY_WAITS = "canary_waits"
    CANCELLED = "cancelled"
    TIMED_OUT = "timed_out"
    WORKER_LOST = "worker_lost"
    INTERRUPTED = "interrupted"
    NO_SPACE = "no_space"
    UNEXPECTED = "unexpected"


#: code → what it means; the README table is held to this. The detail beside it says what to do in the case at hand.
JOB_FAILURES: dict[JobFailure, str] = {
    JobFailure.UNREADABLE_SOURCE: "The source is not a sheet this reader understands; the detail names the line.",
    JobFailure.NO_RECORDS: "The sheet has a header and no row below it; that is never read as “remove everything”.",
    JobFailure.TAB_MISSING: "The workbook or Google Sheet has no tab of this name, or several and none was chosen.",
    JobFailure.COLUMNS_MISSING: "The sheet lacks a column of the mapping.",
    JobFailure.UPLOAD_MISSING: "The uploaded file was removed by age.",
    JobFailure.PLAN_MISSING: "The plan was removed by age.",
    JobFailure.PLAN_STALE: "The source or the table has changed since the plan was made.",
    JobFailure.IMPORT_MISSING: "The import to undo was removed by age.",
    JobFailure.NOTHING_MATCHES: "No entry matches the filter of the export.",
    JobFailure.DOES_NOT_FIT: "The target cannot hold this exactly; the detail names the entry and the limit.",
    JobFailure.NOTHING_TO_INDEX: "No entry has a vector yet.",
    JobFailure.NO_INDEX: "There is no index yet.",
    JobFailure.SNAPSHOT_MISSING: "The snapshot was deleted, or removed by age.",
    JobFailure.INSPECTION_MISSING: "What was inspected was removed by age.",
    JobFailure.MAP_MISSING: "Newer maps have taken the place of the one the rows were chosen on.",
    JobFailure.CANDIDATE_CHANGED: "What lies in quarantine is no longer what was inspected.",
    JobFailure.INDEX_DAMAGED: "The file of the served index is not the one that was published: something has changed it since.",
    JobFailure.SUPERSEDED: "Another generation was published meanwhile; the next refresh takes up what this one had.",
    JobFailure.CREDENTIALS_MISSING: "No key of a Google service account is stored.",
    JobFailure.CREDENTIALS_REJECTED: "Google does not accept the stored key.",
    JobFailure.SPREADSHEET_MISSING: "There is no such spreadsheet, or the service account cannot see it.",
    JobFailure.SHEET_NOT_SHARED: "The sheet is not shared with the service account, or only for reading.",
    JobFailure.SHEETS_QUOTA: "Google's calls per minute were used up, and waiting did not help.",
    JobFailure.SHEETS_UNREACHABLE: "Google could not be reached; that is never read as an empty sheet.",
    JobFailure.SHEETS_REFUSED: "Google refused a call for a reason of its own; the detail quotes it.",
    JobFailure.CANARY_FAILED: "A row that was retried ahead of the others failed again, so the others were left alone.",
    JobFailure.CANARY_WAITS: "Nobody embedded the rows that were retried ahead of the others.",
    JobFailure.CANCELLED: "Somebody asked the job to stop.",
    JobFailure.TIMED_OUT: "It ran longer than its operation may.",
    JobFailure.WORKER_LOST: "Its worker died, several times.",
    JobFailure.INTERRUPTED: "Its worker died and nobody could take it up.",
    JobFailure.NO_SPACE: "The data folder's disk is full; nothing was lost.",
    JobFailure.UNEXPECTED: "It failed in a way nobody foresaw; the log has the details.",
}


class JobError(Reading):
    """Why a job failed: a stable code (one of ``JobFailure``; a newer service may know more), what happened, what to do."""

    code: str
    detail: str
    action: str = ""


class Job(Reading):
    """The public record of one request to perform an operation."""

    job_id: str
    operation: Operation
    state: JobState
    cancel_requested: bool = False
    progress: Progress | None = None
    requested_by: str
    arguments: dict[str, Any] = {}
    worker_id: str | None = None
    attempt: int = 0
    created_at: datetime
    started_at: datetime | None = None
    finished_at: datetime | None = None
    result: dict[str, Any] | None = None
    error: JobError | None = None

    @property
    def is_active(self) -> bool:
        """Still queued or running."""
        return self.state in ACTIVE_JOB_STATES


class JobPage(Reading):
    """Jobs, newest first."""

    items: list[Job]
    next_cursor: str | None = None
    total: int | None = None  #: how many match, on all pages; null when the service does not say
    states: dict[JobState, int] = {}  #: how many there would be of each state, whatever state was asked for
    taken_at: datetime


class JobStep(Reading):
    """One step of a job. ``ended_at`` is null while it goes on, and where nobody knows: its worker died in it."""

    name: str
    attempt: int
    worker_id: str | None = None
    started_at: datetime
    ended_at: datetime | None = None


class JobSteps(Reading):
    """What a job did when, over all its attempts, oldest step first."""

    job_id: str
    steps: list[JobStep]
    taken_at: datetime


class LogLine(Reading):
    """One line of a log."""

    at: datetime
    level: str
    message: str


class JobLog(Reading):
    """The tail of a job's log, oldest line first."""

    job_id: str
    lines: list[LogLine]
