"""Canned readings, one builder per thing of the contract."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from lib.contract.audit import AuditEntry
from lib.contract.exports import Export
from lib.contract.imports import (
    Plan,
    PlanCounts,
    ReadAs,
)
from lib.contract.index import IndexReading
from lib.contract.jobs import Job
from lib.contract.operations import Gate, OperationReading
from lib.contract.plans import RuleCount
from lib.contract.queue import CAUSES, Failure, QueueHistory, QueuePoint, Window
from lib.contract.settings import SETTINGS, SettingReading, SettingsReading
from lib.contract.states import (
    Actual,
    Desired,
    FailureCause,
    ImportMode,
    JobState,
    Operation,
    PlanState,
    RowRule,
    SheetFormat,
    WorkerRole,
)
from lib.contract.workers import Worker
from tests.pages.canned_sheets import MAPPING, plan_rows

UPLOAD_ID = "a" * 32
PLAN_ID = "b" * 32
JOB_ID = "c" * 32
EXPORT_ID = "d" * 32


def now() -> datetime:
    return datetime.now(UTC)


def ago(**span: float) -> datetime:
    return now() - timedelta(**span)


def job(operation: Operation, state: JobState, **more: Any) -> Job:
    facts: dict[str, Any] = {
        "job_id": JOB_ID,
        "operation": operation,
        "state": state,
        "requested_by": "local admin",
        "created_at": ago(minutes=5),
        "started_at": ago(minutes=5, seconds=-1),
        "worker_id": "operations-1",
        "attempt": 1,
    }
    if state not in {JobState.QUEUED, JobState.RUNNING}:
        facts["finished_at"] = ago(minutes=4)
    return Job(**(facts | more))


def worker(name: str, role: WorkerRole = WorkerRole.EMBEDDING, **more: Any) -> Worker:
    facts: dict[str, Any] = {
        "worker_id": name,
        "role": role,
        "host": "atlas",
        "pid": 4242,
        "desired": Desired.RUNNING,
        "actual": Actual.IDLE,
        "stale": False,
        "embedder": "wordllama-256" if role is WorkerRole.EMBEDDING else None,
        "processed": 1204,
        "rate_per_second": 0.0,
        "started_at": ago(hours=3),
        "heartbeat_at": ago(seconds=1),
    }
    return Worker(**(facts | more))


OPEN = Gate(allowed=True)


def operations(**last: Job) -> list[OperationReading]:
    return [OperationReading(operation=operation, gate=OPEN, last=last.get(operation.value)) for operation in Operation]


def settings(**values: Any) -> SettingsReading:
    return SettingsReading(
        settings=[
            SettingReading(
                name=name,
                value=values.get(name.replace(".", "__"), setting.default),
                default=setting.default,
                changed_at=ago(days=1) if name.replace(".", "__") in values else None,
                changed_by="local admin" if name.replace(".", "__") in values else None,
            )
            for name, setting in SETTINGS.items()
        ],
        taken_at=now(),
    )


IMPORT_RESULT = {
    "plan_id": PLAN_ID,
    "source_name": "playbook.csv",
    "new": 148,
    "changed": 2,
    "unchanged": 0,
    "removed": 0,
    "skipped": 1,
    "to_embed": 150,
}


def index_reading(**more: Any) -> IndexReading:
    facts: dict[str, Any] = {
        "generation": 3,
        "vectors": 150,
        "dimension": 256,
        "metric": "inner_product",
        "factory": "IDMap2,Flat",
        "embedder": "wordllama:l2_supercat_256:1",
        "size_bytes": 157_312,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "built_at": ago(minutes=4),
        "build_seconds": 0.31,
        "built_by_job": "f" * 32,
        "previous_generation": 2,
        "unindexed": 0,
        "taken_at": now(),
    }
    return IndexReading(**(facts | {"built_by": "Maria", "ids_consistent": True} | more))


def failures() -> list[Failure]:
    causes = [FailureCause.TEXT_TOO_LONG, FailureCause.EMPTY_TEXT, FailureCause.WORKER_LOST]
    return [
        Failure(
            entry_id=100 + number,
            key=f"KB-{100 + number}",
            cause=causes[number % 3],
            explanation=CAUSES[causes[number % 3]][0],
            action=CAUSES[causes[number % 3]][1],
            raw_error="ValueError: 9,214 tokens, at most 8,192",
            attempts=3,
            max_attempts=3,
            worker_id="embedding-1",
            failed_at=ago(minutes=number + 1),
        )
        for number in range(12)
    ]


def history(window: Window) -> QueueHistory:
    """A hundred samples of an import that drains, with one gap in the middle."""
    step = {Window.M15: 9, Window.H1: 36, Window.H24: 864, Window.D7: 6048}[window]
    points = [
        QueuePoint(
            at=ago(seconds=step * (100 - number)),
            pending=max(0, 38_000 - 500 * abs(number - 30)) if number > 8 else 0,
            leased=1024 if 8 < number < 100 else 0,
            failed=0,
            arrival_per_second=900.0 if 8 < number < 32 else 0.0,
            completion_per_second=(880.0 + 70 * (number % 5)) if number > 10 else 0.0,
        )
        for number in range(100)
        if not 52 < number < 60
    ]
    return QueueHistory(window=window, step_seconds=step, points=points, taken_at=now())


def plan(state: PlanState = PlanState.READY, **more: Any) -> Plan:
    facts: dict[str, Any] = {
        "plan_id": PLAN_ID,
        "job_id": JOB_ID,
        "state": state,
        "source": {"kind": "file", "upload_id": UPLOAD_ID, "sheet": None},
        "source_name": "playbook.csv",
        "mapping": MAPPING,
        "mode": ImportMode.MIRROR,
        "counts": PlanCounts(new=120, changed=2, unchanged=30, removed=18, invalid=1),
        "to_embed": 121,
        "held_removals": 18,
        "rules": [RuleCount(rule=RowRule.KEY_EMPTY, rows=1)],
        "read_as": ReadAs(format=SheetFormat.CSV, encoding="utf-8", delimiter=","),
        "requested_by": "local admin",
        "created_at": ago(minutes=2),
        "expires_at": now() + timedelta(hours=23),
        "rows": plan_rows(),
        "taken_at": now(),
    }
    return Plan(**(facts | more))


def exports() -> list[Export]:
    return [
        Export(
            export_id=EXPORT_ID,
            job_id="e" * 32,
            name="switchyard-2025-03-01-140509.csv",
            rows=150,
            size_bytes=41_290,
            sha256="9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            created_at=ago(hours=2),
            expires_at=now() + timedelta(days=6),
        )
    ]


def audit() -> list[AuditEntry]:
    return [
        AuditEntry(
            audit_id=number,
            at=ago(minutes=3 * number),
            actor="local admin",
            action=action,
            object_id=thing,
            before=before,
            after=after,
            outcome=outcome,
            request_id="0123456789abcdef",
        )
        for number, (action, thing, before, after, outcome) in enumerate(
            [
                ("start_rebuild", "index", None, {"job_id": JOB_ID}, "refused: operation_running"),
                ("put_setting", "embedding.batch_size", {"value": 1024}, {"value": 256}, "done"),
                ("pause_worker", "embedding-2", {"desired": "running"}, {"desired": "paused", "reason": "key is being replaced"}, "done"),
                ("start_import", PLAN_ID, None, {"job_id": JOB_ID}, "done"),
            ],
            start=1,
        )
    ]
