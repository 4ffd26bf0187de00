"""What a tick of the Queue page costs next to plain Streamlit, and how 60 tabs fare on one core. Prints; judges nothing.

python -m tests.bench.pages [tabs] [seconds]
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import psutil

from lib.contract.imports import ImportRequest
from tests.bench.tab import Tab
from tests.browser.walk import SAMPLE, finish, is_searchable, make_plan, read_rows, to_csv
from tests.faults.console import ROOT, Console, free_port, until

ROUNDS = 150
INTERVAL = 2.0
POINTS = 180  # a quarter of an hour of samples: what the charts show unless one asks for more
FAILED_ROWS = 200  # a whole page of the table of failures


def main() -> None:
    tabs, seconds = map(int, (sys.argv[1:] + ["60", "40"][len(sys.argv) - 1 :])[:2])
    with tempfile.TemporaryDirectory() as folder:
        console = Console(Path(folder) / "data", pages=True, environment={"SWITCHYARD_WORKERS": "1"})
        try:
            load_rows(console.start())
            fail_everything(console)
            assert console.process is not None
            ours = asyncio.run(cost_of_tick(console.port, console.process.pid, "Queue"))
            plain = measure_plain(Path(folder))
            print(f"CPU of one tick of the Queue page: {ours * 1000:.1f} ms, of plain Streamlit's: {plain * 1000:.1f} ms")
            print(f"ratio {ours / plain:.3f}")
            asyncio.run(many_tabs(console, tabs, seconds))
        finally:
            console.sweep()


def load_rows(console: Console) -> None:
    """As many rows as the table shows at once, in the manner of the sample."""
    header, *rows = read_rows(SAMPLE)
    many = [[f"{key}-{number}", *cells] for number in range(-(-FAILED_ROWS // len(rows))) for key, *cells in rows]
    plan_id = make_plan(console, to_csv([header, *many[:FAILED_ROWS]]))
    finish(console, console.client.start_import(ImportRequest(plan_id=plan_id)))
    until(lambda: is_searchable(console), 60, "searchable rows")


def fail_everything(console: Console) -> None:
    """Every row as failed, straight in the database: the page shows its longest table."""
    with closing(sqlite3.connect(console.data_dir / "switchyard.sqlite", timeout=30)) as connection, connection:
        connection.execute(
            "INSERT INTO items (entry_id, content_hash, state, priority, attempts, enqueued_at, available_at, cause, error, failed_at)"
            " SELECT entry_id, content_hash, 'failed', 0, 3, ?, ?, 'text_too_long', 'ValueError: 9,000 tokens', ? - entry_id FROM entries",
            (time.time(),) * 3,
        )
        counted = "INSERT INTO counters VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
        connection.executemany(counted, [(name, FAILED_ROWS) for name in ("failed", "failed_text_too_long")])
        now = time.time()
        samples = [(5, now - 5 * ago, ago % 60, 3, FAILED_ROWS, 40 * (POINTS - ago), 39 * (POINTS - ago)) for ago in range(1, POINTS)]
        columns = "step_seconds, at, pending, leased, failed, arrived_total, embedded_total"
        connection.executemany(f"INSERT OR IGNORE INTO queue_samples ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", samples)
    until(lambda: console.client.get_queue().failed == FAILED_ROWS, 20, "failed rows")


def measure_plain(folder: Path) -> float:
    """The same for the tutorial's page, served with Streamlit's own defaults from a folder without our settings."""
    port, script = free_port(), ROOT / "tests" / "bench" / "plain_queue.py"
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.port", str(port), "--server.headless", "true"]
    process = psutil.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until(lambda: _listens(port), 60, "the plain page")
        return asyncio.run(cost_of_tick(port, process.pid, ""))
    finally:
        process.kill()
        process.wait()


async def cost_of_tick(port: int, pid: int, page: str) -> float:
    """Seconds of the server's CPU for one tick, beyond what it uses while nobody ticks."""
    async with Tab(port, page) as tab:
        await tab.load()
        print(f"{page or 'plain'}: parts that tick, every so many seconds: {list(tab.fragments.values())}")
        await tab.tick(0, INTERVAL)
        began, idle_from = time.monotonic(), _cpu(pid)
        await asyncio.sleep(5)
        idle = (_cpu(pid) - idle_from) / (time.monotonic() - began)
        began, busy_from = time.monotonic(), _cpu(pid)
        for turn in range(ROUNDS):
            await tab.tick(turn, INTERVAL)
        return (_cpu(pid) - busy_from - idle * (time.monotonic() - began)) / ROUNDS


async def many_tabs(console: Console, count: int, seconds: float) -> None:
    """Every tab ticks every two seconds; the server has one core, the tabs have the other."""
    assert console.process is not None
    server = psutil.Process(console.process.pid)
    server.cpu_affinity([0])
    psutil.Process().cpu_affinity([1] if (os.cpu_count() or 1) > 1 else [0])
    tabs = [Tab(console.port, "Queue") for _ in range(count)]
    for tab in tabs:
        await tab.__aenter__()
        await tab.load()
    began, cpu = time.monotonic(), _cpu(server.pid)
    lives = await asyncio.gather(*(_live(tab, seconds, number / count) for number, tab in enumerate(tabs)))
    times = [took for each in lives for took in each]
    used = (_cpu(server.pid) - cpu) / (time.monotonic() - began)
    for tab in tabs:
        await tab.__aexit__(None, None, None)
    times.sort()
    p50, p95 = (times[int(len(times) * share)] for share in (0.5, 0.95))
    print(f"{count} tabs at {INTERVAL:g} s on one core: {used:.0%} of it used")
    print(f"a tick takes {p50:.2f} s (p50), {p95:.2f} s (p95); {len(times)} ticks")


async def _live(tab: Tab, seconds: float, phase: float) -> list[float]:
    await asyncio.sleep(phase * INTERVAL)
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        took = await tab.tick(len(times), INTERVAL)
        times.append(took)
        await asyncio.sleep(max(0.0, INTERVAL - took))
    return times


def _cpu(pid: int) -> float:
    spent = psutil.Process(pid).cpu_times()
    return spent.user + spent.system


def _listens(port: int) -> bool:
    return any(each.laddr.port == port and each.status == "LISTEN" for each in psutil.net_connections("tcp"))


if __name__ == "__main__":
    main()
