"""The road a sheet takes, walked past the browser, for tests that begin further on."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from lib.client.api import Client
from lib.contract.exports import ExportRequest
from lib.contract.imports import ColumnMapping, FileSource, ImportRequest, PreviewRequest
from lib.contract.states import JobState, PlanState
from tests.faults.console import ROOT, Console, until

SAMPLE = ROOT / "lib" / "ui" / "sample" / "playbook.csv"
MAPPING = ColumnMapping(key="key", text=["title", "advice"], fields=["category", "owner", "updated"])

Rows = list[list[str]]


def read_rows(source: Path | bytes) -> Rows:
    """Every line of a CSV file, the header first."""
    content = source.read_bytes() if isinstance(source, Path) else source
    return list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))


def to_csv(rows: Rows) -> bytes:
    """The lines as a file."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows(rows)
    return file.getvalue().encode()


def edit_sample(key: str, column: str, value: str) -> tuple[bytes, str]:
    """The sample with one other cell, and what stood there."""
    rows = read_rows(SAMPLE)
    row = next(row for row in rows if row[0] == key)
    place = rows[0].index(column)
    before, row[place] = row[place], value
    return to_csv(rows), before


def client_of(console: Console) -> Client:
    """The console's client with a line that was just used.

    A POST is never repeated, and a line that rested for the 5 s after which the server hangs up may break under it.
    """
    console.client.get_readiness()
    return console.client


def make_plan(console: Console, content: bytes, name: str = "playbook.csv") -> str:
    """Upload and preview; the id of the ready plan."""
    upload = client_of(console).upload_file(name, content)
    plan_id = console.client.preview_import(PreviewRequest(source=FileSource(upload_id=upload.upload_id), mapping=MAPPING))
    until(lambda: console.client.get_plan(plan_id, limit=0).state is not PlanState.BUILDING, 40, "the plan")
    plan = console.client.get_plan(plan_id, limit=0)
    assert plan.state is PlanState.READY, plan.error
    return plan_id


def finish(console: Console, job_id: str) -> None:
    """Until the job has succeeded."""
    until(lambda: not console.client.get_job(job_id).is_active, 60, "the job's end")
    job = console.client.get_job(job_id)
    assert job.state is JobState.SUCCEEDED, job.error


def load_sample(console: Console) -> None:
    """The sample: imported, embedded, searchable, exported once."""
    plan_id = make_plan(console, SAMPLE.read_bytes())
    finish(console, console.client.start_import(ImportRequest(plan_id=plan_id)))
    until(lambda: is_searchable(console), 60, "a searchable sample")
    finish(console, client_of(console).start_export(ExportRequest()))


def is_searchable(console: Console) -> bool:
    """Whether nothing waits, and the index knows all of the table."""
    queue, index = console.client.get_queue(), console.client.get_index()
    return bool(queue.entries and not queue.backlog and index.generation and not index.unindexed)
