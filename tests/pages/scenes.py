"""Everything a hub remembers, in each situation a page can meet."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lib.contract.events import JobsReading, Topic
from lib.contract.index import IndexReading
from lib.contract.jobs import JobError, Progress
from lib.contract.operations import Gate, OperationReading, Reason
from lib.contract.queue import QueueReading
from lib.contract.shift import ShiftReading
from lib.contract.states import (
    Actual,
    Desired,
    JobState,
    Operation,
    WorkerRole,
)
from lib.contract.workers import Crew, WorkersReading
from tests.pages.canned import (
    EXPORT_ID,
    IMPORT_RESULT,
    OPEN,
    ago,
    index_reading,
    job,
    now,
    operations,
    settings,
    worker,
)
from tests.pages.shifts import shift


def empty_readings() -> dict[Topic, Any]:
    """A fresh installation: nothing imported, two idle embedding workers."""
    return {
        Topic.QUEUE: QueueReading(entries=0, pending=0, leased=0, failed=0, embedded=0, taken_at=now()),
        Topic.WORKERS: WorkersReading(
            workers=[
                worker("embedding-1", processed=0),
                worker("embedding-2", processed=0),
                worker("operations-1", WorkerRole.OPERATIONS, processed=0, rate_per_second=None),
            ],
            crews=[Crew(host="atlas", embedding=2)],
            taken_at=now(),
        ),
        Topic.JOBS: JobsReading(
            active=[],
            recent=[],
            operations=[
                OperationReading(
                    operation=operation,
                    gate=OPEN
                    if operation in {Operation.PREVIEW, Operation.IMPORT}
                    else Gate(
                        allowed=False,
                        reason_code=Reason.TABLE_EMPTY,
                        reason_text="The table is empty: there is nothing to do this with.",
                        fix_link="/Import",
                    ),
                )
                for operation in Operation
            ],
            taken_at=now(),
        ),
        Topic.INDEX: IndexReading(taken_at=now()),
        Topic.SETTINGS: settings(),
        Topic.SHIFT: ShiftReading(entries=[], taken_at=now()),
    }


def idle_readings() -> dict[Topic, Any]:
    """Everything imported, embedded, indexed; nothing to do."""
    done = job(Operation.IMPORT, JobState.SUCCEEDED, result=IMPORT_RESULT)
    export = job(Operation.EXPORT, JobState.SUCCEEDED, job_id="e" * 32, result={"export_id": EXPORT_ID, "rows": 150})
    rebuild = job(Operation.REBUILD, JobState.SUCCEEDED, job_id="f" * 32, result={"generation": 3})
    return empty_readings() | {
        Topic.QUEUE: QueueReading(
            entries=150, pending=0, leased=0, failed=0, embedded=150, arrival_per_second=0.0, completion_per_second=0.0, taken_at=now()
        ),
        Topic.JOBS: JobsReading(
            active=[],
            recent=[export, rebuild, done],
            operations=operations(**{"import": done, "export": export, "rebuild": rebuild}),
            taken_at=now(),
        ),
        Topic.INDEX: index_reading(),
        Topic.SHIFT: shift(),
    }


def _busy_workers() -> WorkersReading:
    return WorkersReading(
        workers=[
            worker(
                "embedding-1",
                actual=Actual.BUSY,
                doing="Embedding 1,024 rows, row 41,216 first",
                doing_since=ago(seconds=1),
                holding=1024,
                batch_ends_at=ago(seconds=-40),
                processed=31_744,
                rate_per_second=1_022.5,
                rate_15m_per_second=980.0,
                recent_rates=[900.0, 1_010.0, None, 1_020.0, 990.0],
            ),
            worker(
                "embedding-2",
                desired=Desired.PAUSED,
                actual=Actual.BUSY,
                doing="Embedding 1,024 rows, row 42,240 first",
                doing_since=ago(seconds=1),
                desired_by="Maria",
                desired_reason="CPU needed for the month-end report",
                desired_since=ago(seconds=3),
                processed=28_080,
                rate_per_second=917.7,
            ),
            worker(
                "operations-1",
                WorkerRole.OPERATIONS,
                actual=Actual.BUSY,
                doing="Index rebuild: adding vectors",
                doing_since=ago(seconds=9),
                rate_per_second=None,
                processed=12,
            ),
        ],
        crews=[Crew(host="atlas", embedding=2)],
        taken_at=now(),
    )


def busy_readings() -> dict[Topic, Any]:
    """A large import just applied; the queue drains, a rebuild runs, one worker is paused by a person."""
    running = job(
        Operation.REBUILD,
        JobState.RUNNING,
        job_id="f" * 32,
        progress=Progress(phase="adding vectors", done=61_440, total=99_976, rate_per_second=20_480, eta_seconds=2, updated_at=now()),
    )
    done = job(Operation.IMPORT, JobState.SUCCEEDED, result=IMPORT_RESULT | {"new": 99_976, "source_name": "packages-100k.csv"})
    held = Gate(
        allowed=False,
        reason_code=Reason.OPERATION_RUNNING,
        reason_text="An index rebuild is running.",
        holder="f" * 32,
        since=ago(seconds=9),
        eta=now() + timedelta(seconds=5),
        fix_link="/Index",
    )
    readings = idle_readings()
    return readings | {
        Topic.QUEUE: QueueReading(
            entries=99_976,
            pending=38_104,
            leased=2_048,
            failed=0,
            embedded=59_824,
            lag_seconds=31.5,
            arrival_per_second=312.4,
            completion_per_second=1_940.2,
            eta_seconds=20.7,
            eta_low_seconds=18.0,
            eta_high_seconds=26.0,
            taken_at=now(),
        ),
        Topic.WORKERS: _busy_workers(),
        Topic.JOBS: JobsReading(
            active=[running],
            recent=[done],
            operations=[
                OperationReading(
                    operation=operation,
                    gate=OPEN if operation is Operation.EXPORT else held,
                    running=running if operation is Operation.REBUILD else None,
                    last=done if operation is Operation.IMPORT else None,
                )
                for operation in Operation
            ],
            taken_at=now(),
        ),
        Topic.INDEX: index_reading(unindexed=40_152, vectors=59_824),
    }


def failed_readings() -> dict[Topic, Any]:
    """A worker went silent, rows failed, the last export failed, the index waits for a person."""
    broken = job(
        Operation.EXPORT,
        JobState.FAILED,
        job_id="e" * 32,
        error=JobError(code="no_space", detail="The data folder's disk is full.", action="Free some space; nothing was lost."),
    )
    readings = idle_readings()
    jobs: JobsReading = readings[Topic.JOBS]
    return readings | {
        Topic.QUEUE: QueueReading(
            entries=150,
            pending=4,
            leased=0,
            failed=12,
            embedded=134,
            lag_seconds=840,
            arrival_per_second=0.0,
            completion_per_second=0.0,
            taken_at=now(),
        ),
        Topic.WORKERS: WorkersReading(
            workers=[
                worker(
                    "embedding-1",
                    stale=True,
                    actual=Actual.BUSY,
                    heartbeat_at=ago(seconds=48),
                    doing="Embedding 4 rows",
                    doing_since=ago(seconds=50),
                ),
                worker(
                    "embedding-2",
                    desired=Desired.PAUSED,
                    actual=Actual.PAUSED,
                    desired_by="Maria",
                    desired_reason="key is being replaced",
                    desired_since=ago(minutes=14),
                ),
                worker("operations-1", WorkerRole.OPERATIONS, rate_per_second=None),
            ],
            taken_at=now(),
        ),
        Topic.JOBS: jobs.model_copy(
            update={"recent": [broken, *jobs.recent], "operations": operations(export=broken, **{"import": jobs.recent[-1]})}
        ),
        Topic.INDEX: index_reading(unindexed=16, vectors=134),
        Topic.SETTINGS: settings(index__refresh="manual", embedding__batch_size=256),
    }
