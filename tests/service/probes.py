"""What tests look at besides the API: rows, files, locks; and a way to be there whenever a job tells how far it is."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, event

from lib.service.operations import runner
from lib.service.operations.runner import JobContext
from lib.service.services import Services
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.road import Road


def services_of(road: Road) -> Services:
    services: Services = road.api.app.state.services  # type: ignore[attr-defined]
    return services


def until(condition: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait for what another thread or process does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)


def table_of(database: Database) -> list[Any]:
    """Every entry as people know it: all columns but who wrote it last, and when."""
    table = schema.entries
    columns = [column for column in table.c if column.name not in {"import_id", "updated_at"}]
    with database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(table.c.entry_id))]


def rows_of(database: Database, table: sa.Table) -> list[dict[str, Any]]:
    """A whole table."""
    with database.read() as connection:
        return [dict(row._mapping) for row in connection.execute(sa.select(table))]


def locks_and_holds(database: Database) -> tuple[list[str], list[str]]:
    """The jobs that hold an operation, and those that hold the workers."""
    locks, holds = rows_of(database, schema.locks), rows_of(database, schema.holds)
    return [row["job_id"] for row in locks], [row["job_id"] for row in holds]


def hash_files(folder: Path) -> dict[str, str]:
    """Path below ``folder`` → sha256 of its bytes."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def at_every_tell(monkeypatch: pytest.MonkeyPatch, look: Callable[[JobContext, str], None]) -> None:
    """From now on ``look(context, phase)`` is called whenever a job tells how far it is, just before it does; all of it is written."""
    monkeypatch.setattr(runner, "PROGRESS_SECONDS", 0.0)
    real = JobContext.tell

    def tell(context: JobContext, phase: str, done: int = 0, total: int | None = None) -> None:
        look(context, phase)
        real(context, phase, done, total)

    monkeypatch.setattr(JobContext, "tell", tell)


@contextmanager
def committed(road: Road) -> Iterator[list[set[str]]]:
    """Of each transaction that commits inside: the tables it wrote to (samples of the queue do not count)."""
    engine = services_of(road).database.engine
    written: dict[int, set[str]] = {}
    done: list[set[str]] = []

    def note(connection: Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if found := re.match(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+\"?(\w+)", statement):
            written.setdefault(id(connection.connection.dbapi_connection), set()).add(found[1])

    def commit(connection: Connection) -> None:
        if tables := written.pop(id(connection.connection.dbapi_connection), set()) - {"queue_samples", "worker_samples"}:
            done.append(tables)

    def roll_back(connection: Connection) -> None:
        written.pop(id(connection.connection.dbapi_connection), None)

    listeners: dict[str, Callable[..., Any]] = {"before_cursor_execute": note, "commit": commit, "rollback": roll_back}
    for name, listener in listeners.items():
        event.listen(engine, name, listener)
    try:
        yield done
    finally:
        for name, listener in listeners.items():
            event.remove(engine, name, listener)


def note_of(road: Road) -> int:
    """The newest note of the shift log."""
    entry_id: int = next(entry["entry_id"] for entry in road.get("/api/shift")["entries"] if entry["kind"] == "note")
    return entry_id


def ids_of(road: Road) -> dict[str, str]:
    """The newest of each kind."""
    page = {name: road.get(f"/api/{name}")["items"] for name in ("intentions", "snapshots")}
    kinds = ("import", "preview", "inspect")
    imports, previews, inspected = (road.get("/api/jobs", operation=each, state="succeeded")["items"] for each in kinds)
    queued = road.get("/api/jobs", state="queued")["items"]
    return {
        "import": imports[0]["job_id"] if imports else "",
        "queued": queued[0]["job_id"] if queued else "",
        "plan": previews[0]["arguments"]["plan_id"] if previews else "",
        "inspection": inspected[0]["job_id"] if inspected else "",
        "intention": page["intentions"][0]["intention_id"] if page["intentions"] else "",
        "check": (road.get("/api/index/check")["latest"] or {}).get("check_id", ""),
        "snapshot": next((each["snapshot_id"] for each in page["snapshots"] if not each["automatic"]), ""),
    }
