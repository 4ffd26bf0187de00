"""The half of the fake client that starts things and takes them back."""

from __future__ import annotations

from collections import Counter
from typing import Any

from lib.client.errors import ClientError
from lib.contract.imports import UndoReport
from lib.contract.jobs import Job, JobLog, JobPage, JobStep, JobSteps, LogLine
from lib.contract.operations import Intention, IntentionPage, Started
from lib.contract.states import IntentionState, JobState, Operation, UndoOutcome
from tests.pages.canned import JOB_ID, ago, job, now
from tests.pages.takebacks import INTENTION_ID, UNDO_JOB_ID, intention


class FakeOperations:
    """Answers from the canned readings of whoever has them."""

    jobs: list[Job]
    steps: list[JobStep]
    undo: UndoReport
    intentions: list[Intention]

    def _note(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def _act(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def _missing(self) -> ClientError:
        raise NotImplementedError

    def start_import(self, request: Any, idempotency_key: str | None = None) -> str:
        self._act("start_import", request, idempotency_key)
        return JOB_ID

    def start_export(self, request: Any, idempotency_key: str | None = None) -> str:
        self._act("start_export", request, idempotency_key)
        return JOB_ID

    def start_refresh(self, idempotency_key: str | None = None) -> str:
        self._act("start_refresh", idempotency_key)
        return JOB_ID

    def start_rebuild(self, idempotency_key: str | None = None) -> str:
        self._act("start_rebuild", idempotency_key)
        return JOB_ID

    def list_jobs(
        self,
        operation: Any = None,
        state: Any = None,
        limit: int = 50,
        cursor: str | None = None,
        *,
        requested_by: Any = None,
        since: Any = None,
    ) -> JobPage:
        self._note("list_jobs", operation, state, limit, cursor, requested_by, since)
        some = [job for job in self.jobs if operation in {None, job.operation} and requested_by in {None, job.requested_by}]
        some = [job for job in some if since is None or job.created_at >= since]
        found = [job for job in some if state in {None, job.state}]
        start = int(cursor or 0)
        more = str(start + limit) if len(found) > start + limit else None
        states = dict(Counter(job.state for job in some))
        return JobPage(items=found[start : start + limit], next_cursor=more, total=len(found), states=states, taken_at=now())

    def get_job(self, job_id: str) -> Job:
        self._note("get_job", job_id)
        for found in self.jobs:
            if found.job_id == job_id:
                return found
        raise self._missing()

    def get_job_log(self, job_id: str) -> JobLog:
        self._note("get_job_log", job_id)
        return JobLog(
            job_id=job_id,
            lines=[
                LogLine(at=ago(minutes=4), level="info", message="read 150 records"),
                LogLine(at=ago(minutes=4), level="info", message="applied"),
            ],
        )

    def get_job_steps(self, job_id: str) -> JobSteps:
        self._note("get_job_steps", job_id)
        return JobSteps(job_id=job_id, steps=self.steps, taken_at=now())

    def cancel_job(self, job_id: str) -> Job:
        self._act("cancel_job", job_id)
        return job(Operation.IMPORT, JobState.RUNNING, cancel_requested=True)

    def start_when_free(self, operation: Operation, request: Any, import_job_id: str | None = None) -> Started:
        self._act("start_when_free", operation, request, import_job_id)
        return Started(intention_id=INTENTION_ID)

    def list_intentions(self) -> IntentionPage:
        self._note("list_intentions")
        return IntentionPage(items=self.intentions, taken_at=now())

    def cancel_intention(self, intention_id: str) -> Intention:
        self._act("cancel_intention", intention_id)
        return intention(state=IntentionState.CANCELLED)

    def get_undo(self, import_job_id: str, limit: int = 50, cursor: str | None = None, outcome: UndoOutcome | None = None) -> UndoReport:
        self._note("get_undo", import_job_id, limit, cursor, outcome)
        rows, start = [row for row in self.undo.rows if outcome in {None, row.outcome}], int(cursor or 0)
        more = str(start + limit) if len(rows) > start + limit else None
        return self.undo.model_copy(update={"job_id": import_job_id, "rows": rows[start : start + limit], "next_cursor": more})

    def start_undo(self, import_job_id: str, idempotency_key: str | None = None) -> str:
        self._act("start_undo", import_job_id, idempotency_key)
        return UNDO_JOB_ID

    def start_snapshot(self, request: Any, idempotency_key: str | None = None) -> str:
        self._act("start_snapshot", request, idempotency_key)
        return JOB_ID
