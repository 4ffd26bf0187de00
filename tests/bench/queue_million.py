"""What a million items cost the Queue page, next to a thousand; and how long it takes to retry 200,000 failures. Prints; judges nothing.

    python -m tests.bench.queue_million [rows] [failures]
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from lib.contract.queue import ItemSelection
from lib.contract.states import Actual, FailureCause
from lib.service.config import Config
from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate
from tests.bench.pages import cost_of_tick
from tests.bench.tab import Tab
from tests.faults.console import Console, until
from tests.service.postgres.server import Server, find_programs
from tests.service.test_queue_cost import READS, empty, fill

FEW = 1000
READINGS, LOADS = 400, 12


def main() -> None:
    rows, failures = map(int, (sys.argv[1:] + ["1000000", "200000"][len(sys.argv) - 1 :])[:2])
    with tempfile.TemporaryDirectory() as folder:
        console = Console(Path(folder) / "data", pages=True, environment={"SWITCHYARD_WORKERS": "1"})
        try:
            console.start().client.pause_workers("so that nothing moves")
            until(lambda: console.state_of("embedding-1") is Actual.PAUSED, 30, "the pause")
            database = Database(f"sqlite:///{console.data_dir / 'switchyard.sqlite'}")
            costs = {count: measure_console(console, database, count) for count in (FEW, rows)}
            for what, few in costs[FEW].items():
                print(f"{what:<28} {few * 1000:8.2f} ms  {costs[rows][what] * 1000:8.2f} ms  ratio {costs[rows][what] / few:.2f}")
            retry_many(console, database, failures)
            database.close()
        finally:
            console.sweep()
    measure_postgres(rows)


def measure_console(console: Console, database: Database, count: int) -> dict[str, float]:
    """Seconds of the console's CPU with so many items, by what is asked of it."""
    empty(database)
    fill(database, count)
    assert console.process is not None
    pid = console.process.pid
    until(lambda: console.client.get_queue().entries == count, 60, "the rows")
    return {
        "GET /api/queue": cost_of(pid, console.client.get_queue, READINGS),
        "GET /api/queue/items": cost_of(pid, lambda: console.client.list_items(limit=100), READINGS // 8),
        "GET /api/queue/failures/groups": cost_of(pid, console.client.list_failure_groups, READINGS // 8),
        "the page, opened": cost_of(pid, lambda: asyncio.run(open_page(console.port)), LOADS),
        "the page, one tick": asyncio.run(cost_of_tick(console.port, pid, "Queue")),
    }


async def open_page(port: int) -> None:
    """As a browser opens it."""
    async with Tab(port, "Queue") as tab:
        await tab.load()


def cost_of(pid: int, ask: Callable[[], object], times: int) -> float:
    """Seconds of the process's CPU for one, beyond what it uses by itself meanwhile."""
    ask()
    began, before = time.monotonic(), cpu(pid)
    time.sleep(4)
    idle = (cpu(pid) - before) / (time.monotonic() - began)
    began, before = time.monotonic(), cpu(pid)
    for _ in range(times):
        ask()
    return (cpu(pid) - before - idle * (time.monotonic() - began)) / times


def cpu(pid: int) -> float:
    """Seconds the process has used."""
    spent = psutil.Process(pid).cpu_times()
    return spent.user + spent.system


def retry_many(console: Console, database: Database, failures: int) -> None:
    """One action; then what its job tells until it has ended."""
    empty(database)
    fill(database, failures * 6)
    assert console.client.get_queue().failed == 2 * failures
    began = time.monotonic()
    report = console.client.retry_failures(ItemSelection(cause=FailureCause.QUOTA))
    answered = time.monotonic() - began
    assert report.job_id is not None
    told = []
    while (job := console.client.get_job(report.job_id)).is_active:
        if job.progress and job.progress.done not in told:
            told.append(job.progress.done)
        time.sleep(0.1)
    seconds = time.monotonic() - began
    print(f"retry of {failures:,} failures of {failures * 6:,} items: answered after {answered * 1000:.0f} ms, done after {seconds:.1f} s")
    print(f"  {job.state}: {job.result}; progress told {len(told)} times, {told[:3]} … {told[-2:]}")
    queue = console.client.get_queue()
    print(f"  failed now {queue.failed:,}, pending {queue.pending:,}")


def measure_postgres(rows: int) -> None:
    """The same reads on a PostgreSQL server of this machine: time, for the work is done in another process."""
    programs = find_programs()
    if programs is None:
        print("PostgreSQL is not installed")
        return
    server = Server(programs)
    server.start()
    try:
        database = Database(Config(data_dir=Path("unused"), database_url=server.create("bench")).url)
        migrate(database)
        took: dict[int, dict[str, float]] = {}
        for count in (FEW, rows):
            empty(database)
            fill(database, count)
            with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                connection.exec_driver_sql("VACUUM ANALYZE")
            took[count] = {what: time_of(lambda read=read: read(database)) for what, read in READS.items()}
        for what, few in took[FEW].items():
            print(f"PostgreSQL, {what:<22} {few * 1000:8.2f} ms  {took[rows][what] * 1000:8.2f} ms  ratio {took[rows][what] / few:.2f}")
        database.close()
    finally:
        server.stop()


def time_of(read: Callable[[], object], times: int = 60) -> float:
    """The middle one of many."""
    took = []
    for _ in range(times):
        began = time.monotonic()
        read()
        took.append(time.monotonic() - began)
    return sorted(took)[times // 2]


if __name__ == "__main__":
    main()
