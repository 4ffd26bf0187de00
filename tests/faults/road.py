"""A sheet nobody had to bring, and its road through a console."""

from __future__ import annotations

import csv
import io
import random
import re
import sqlite3
from dataclasses import dataclass, field
from uuid import uuid4

from lib.contract.exports import ExportRequest
from lib.contract.imports import ColumnMapping, FileSource, ImportRequest, Plan, PreviewRequest
from lib.contract.jobs import Job
from lib.contract.maps import MapPart, RenewRequest
from lib.contract.operations import EmptyRequest, Started
from lib.contract.states import ACTIVE_JOB_STATES, JobState, PlanState
from tests.faults.console import Console, until

MAPPING = ColumnMapping(key="key", text=["text"], fields=["owner"])
_WORDS = re.findall(
    r"\w+",
    """
    account amber anchor bridge budget button cable candle carbon castle cherry circle clinic cloud copper corner cotton crane credit
    cycle danger desert dinner doctor dragon driver eagle engine fabric falcon farmer filter finger flower forest fossil garden gentle
    glacier granite hammer harbor helmet honey hotel hunter insect island jacket jungle kernel kettle ladder lantern lemon letter
    lizard magnet marble market meadow mirror monkey mortar museum needle network nickel number ocean office orange orchard oxygen
    oyster packet palace pencil pepper pigeon pillow planet plastic pocket poem portal powder prison puzzle rabbit radar rescue ribbon
    river rocket saddle salmon satin school secret shadow shelter silver singer socket spider sponge spring square stable statue
    summer sunset switch temple tunnel turtle valley velvet violin voyage walnut window winter wizard yellow zipper
    """,
)


@dataclass
class Sheet:
    """``rows`` distinct short texts by key; ``edit`` changes some of them. The same seed makes the same sheet."""

    rows: int = 20_000
    seed: int = 1
    texts: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self.extend(self.rows)

    def edit(self, count: int) -> None:
        """Give ``count`` rows another text."""
        for key in self._random.sample(sorted(self.texts), count):
            self.texts[key] = self._text(self._random.randrange(10**6, 10**7))

    def extend(self, count: int) -> None:
        """Add so many rows."""
        for number in range(len(self.texts), len(self.texts) + count):
            self.texts[f"row-{number:06d}"] = self._text(number)

    def _text(self, number: int) -> str:
        return f"{' '.join(self._random.choices(_WORDS, k=8))} {number}"

    def to_csv(self) -> bytes:
        """The sheet as a file."""
        file = io.StringIO(newline="")
        writer = csv.writer(file)
        writer.writerow(["key", "text", "owner"])
        writer.writerows((key, text, f"team {number % 7}") for number, (key, text) in enumerate(self.texts.items()))
        return file.getvalue().encode()


def start_preview(console: Console, sheet: Sheet) -> str:
    """Upload the sheet and ask for the plan; its id."""
    upload = console.client.upload_file("sheet.csv", sheet.to_csv())
    return console.client.preview_import(PreviewRequest(source=FileSource(upload_id=upload.upload_id), mapping=MAPPING))


def wait_plan(console: Console, plan_id: str, seconds: float = 40) -> Plan:
    """The plan, once it is ready."""
    plan: Plan = until(
        lambda: (plan := console.client.get_plan(plan_id, limit=0)).state is not PlanState.BUILDING and plan, seconds, "the plan"
    )
    assert plan.state is PlanState.READY, plan.error
    return plan


def start_import(console: Console, plan_id: str, key: str | None = None) -> str:
    """Apply the plan; the job's id."""
    return console.client.start_import(ImportRequest(plan_id=plan_id), key or uuid4().hex)


def start_export(console: Console) -> str:
    """Export everything; the job's id."""
    return console.client.start_export(ExportRequest.model_validate({"target": {"kind": "file", "format": "csv"}}))


def wait_job(console: Console, job_id: str, seconds: float = 40) -> Job:
    """The job, once it has succeeded by itself."""
    job: Job = until(lambda: not (job := console.client.get_job(job_id)).is_active and job, seconds, f"the end of job {job_id}")
    assert job.state is JobState.SUCCEEDED, (job.state, job.error)
    return job


def wait_drained(console: Console, seconds: float = 60) -> None:
    """Until nothing waits to be embedded."""
    until(lambda: not console.client.get_queue().backlog, seconds, "a drained queue", every=0.1)


def wait_searchable(console: Console, seconds: float = 60) -> None:
    """Until every item is done, every vector is indexed and no job runs."""

    def done() -> bool:
        queue, index = console.client.get_queue(), console.client.get_index()
        runs = any(operation.running for operation in console.client.list_operations().operations)
        return not queue.backlog + index.unindexed and not runs

    until(done, seconds, "a drained queue and a fresh index", every=0.2)


def import_sheet(console: Console, sheet: Sheet) -> None:
    """The whole road, undisturbed."""
    plan_id = start_preview(console, sheet)
    wait_plan(console, plan_id)
    wait_job(console, start_import(console, plan_id))
    wait_searchable(console)


def active_jobs(console: Console) -> list[str]:
    """Ids of the jobs that wait or run, read past the service."""
    states = "', '".join(ACTIVE_JOB_STATES)
    return [row[0] for row in console.query(f"SELECT job_id FROM jobs WHERE state IN ('{states}')")]


def running_phase(console: Console, operation: str) -> str | None:
    """What the running job of this operation does at this moment; None when none runs. Reads past the service."""
    try:
        rows = console.query(
            "SELECT coalesce(json_extract(progress, '$.phase'), '') FROM jobs WHERE operation = ? AND state = 'running'", operation
        )
    except sqlite3.OperationalError:
        return None
    return rows[0][0] if rows else None


def job_of(console: Console, operation: str) -> str:
    """The newest job of an operation."""
    return str(console.value("SELECT job_id FROM jobs WHERE operation = ? ORDER BY seq DESC LIMIT 1", operation))


def start_snapshot(console: Console) -> str:
    """Save a copy of the served generation; the job's id."""
    return console.client.transport.post(Started, "/api/operations/snapshot", EmptyRequest(), uuid4().hex).job_id


def start_renewal(console: Console, map_id: str) -> str:
    """Have every row of a map embedded again; the job's id."""
    around_all = ((-1e9, -1e9), (1e9, -1e9), (1e9, 1e9), (-1e9, 1e9))
    return console.client.start_renewal(RenewRequest(map_id=map_id, part=MapPart(lasso=around_all)))


def start_undo(console: Console, import_job_id: str) -> str:
    """Take an import back; the job's id."""
    return console.client.transport.post(Started, f"/api/operations/import/{import_job_id}/undo", EmptyRequest(), uuid4().hex).job_id
