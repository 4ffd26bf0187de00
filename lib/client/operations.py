"""Starting operations, waiting for the gate, taking back, and following the jobs that come of it."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from lib.client.paths import path_of
from lib.client.starts import start_job
from lib.client.transport import Transport
from lib.contract.exports import ExportRequest
from lib.contract.health import RepairRequest
from lib.contract.imports import ImportRequest, UndoReport
from lib.contract.jobs import Job, JobLog, JobPage, JobSteps
from lib.contract.model import Request
from lib.contract.operations import EmptyRequest, Intention, IntentionPage, OperationsReading, SnapshotRequest, Started
from lib.contract.reembedding import ReembedPlan, ReembedRequest
from lib.contract.states import JobState, Operation, UndoOutcome

#: Rows per page of a list, unless asked otherwise.
LIMIT = 50


class OperationsClient:
    """The half of the client that starts things. A start made twice under one key is one job."""

    transport: Transport

    def start_import(self, request: ImportRequest, idempotency_key: str | None = None) -> str:
        """Apply exactly one plan; the job's id."""
        return self._start("import", request, idempotency_key)

    def start_export(self, request: ExportRequest, idempotency_key: str | None = None) -> str:
        """Write entries to a target; the job's id."""
        return self._start("export", request, idempotency_key)

    def list_operations(self) -> OperationsReading:
        """For each operation: may it start, what runs, what ran last."""
        return self.transport.get(OperationsReading, "/api/operations")

    def start_refresh(self, idempotency_key: str | None = None) -> str:
        """Bring the index up to date with the vectors that changed; the job's id."""
        return self._start("refresh", EmptyRequest(), idempotency_key)

    def start_rebuild(self, idempotency_key: str | None = None) -> str:
        """Build a full new generation of the index; the job's id."""
        return self._start("rebuild", EmptyRequest(), idempotency_key)

    def get_reembedding(self, request: ReembedRequest) -> ReembedPlan:
        """What a change of the model would cost."""
        return self.transport.get(ReembedPlan, "/api/operations/reembed", request.model_dump(mode="json", exclude_none=True))

    def start_reembedding(self, request: ReembedRequest, idempotency_key: str | None = None) -> str:
        """Embed every row with another model, then switch to it; the job's id."""
        return self._start("reembed", request, idempotency_key)

    def start_repair(self, check_id: str, idempotency_key: str | None = None) -> str:
        """Repair what one check found; the job's id."""
        return self._start("repair", RepairRequest(check_id=check_id), idempotency_key)

    def list_jobs(
        self,
        operation: Operation | None = None,
        state: JobState | None = None,
        limit: int = LIMIT,
        cursor: str | None = None,
        *,
        requested_by: str | None = None,
        since: datetime | None = None,
    ) -> JobPage:
        """Jobs, newest first."""
        wanted = {"operation": operation, "state": state, "requested_by": requested_by, "since": since.isoformat() if since else None}
        return self.transport.get(JobPage, "/api/jobs", wanted | {"limit": limit, "cursor": cursor})

    def get_job(self, job_id: str) -> Job:
        """One job."""
        return self.transport.get(Job, path_of("/api/jobs", job_id))

    def get_job_log(self, job_id: str) -> JobLog:
        """The tail of what a job wrote about itself."""
        return self.transport.get(JobLog, path_of("/api/jobs", job_id, "log"))

    def get_job_steps(self, job_id: str) -> JobSteps:
        """What a job did when, over all its attempts."""
        return self.transport.get(JobSteps, path_of("/api/jobs", job_id, "steps"))

    def cancel_job(self, job_id: str) -> Job:
        """Ask a job to stop; the job as it stands now."""
        return self.transport.post(Job, path_of("/api/jobs", job_id, "cancel"), EmptyRequest())

    def start_snapshot(self, request: SnapshotRequest, idempotency_key: str | None = None) -> str:
        """Save a copy of the served generation; the job's id."""
        return self._start("snapshot", request, idempotency_key)

    def start_undo(self, import_job_id: str, idempotency_key: str | None = None) -> str:
        """Take back one import; the job's id."""
        return self._start(path_of("import", import_job_id, "undo"), EmptyRequest(), idempotency_key)

    def get_undo(self, import_job_id: str, limit: int = LIMIT, cursor: str | None = None, outcome: UndoOutcome | None = None) -> UndoReport:
        """What taking an import back would do with each row, or has done; with ``outcome`` only the rows that end like this."""
        wanted = {"limit": limit, "cursor": cursor, "outcome": outcome}
        return self.transport.get(UndoReport, path_of("/api/operations/import", import_job_id, "undo"), wanted)

    def start_when_free(self, operation: Operation, request: Request, import_job_id: str | None = None) -> Started:
        """Start now, or by itself once the operation that is in the way has ended. ``import_job_id``: which import to undo."""
        address = path_of("/api/operations/import", import_job_id, "undo") if import_job_id else f"/api/operations/{operation}"
        return self.transport.post(Started, f"{address}?when_free=true", request, uuid4().hex)

    def list_intentions(self) -> IntentionPage:
        """What waits to start by itself, and what came of earlier ones."""
        return self.transport.get(IntentionPage, "/api/intentions")

    def cancel_intention(self, intention_id: str) -> Intention:
        """Call off a start that still waits."""
        return self.transport.post(Intention, path_of("/api/intentions", intention_id, "cancel"), EmptyRequest())

    def _start(self, operation: str, request: Request, key: str | None) -> str:
        return start_job(self.transport, f"/api/operations/{operation}", request, key)
