"""One long CSV through plan and apply in real processes: seconds, rows a second, and the operations worker's largest memory.

``python tests/bench/million_rows.py [rows]``: imports it, then plans it again with one changed row, then unchanged.
``python tests/bench/million_rows.py [rows] refresh``: imports it with the automatic refresh on, and waits until all is searchable.
"""

from __future__ import annotations

import csv
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
from lib.contract.imports import ColumnMapping, FileSource, ImportRequest, PreviewRequest
from lib.contract.states import PlanState
from tests.faults.console import Console

MAPPING = ColumnMapping(key="id", text=["summary"], fields=["owner", "month", "price", "code", "note", "city"])
HEADER = ["id", "summary", "owner", "month", "price", "code", "note", "city"]


def write_sheet(path: Path, rows: int, changed: int | None = None) -> None:
    """About 300 bytes a row, as in the notes."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(rows):
            text = f"Summary of row {number}: what it says is long enough to be worth finding" + (" again" if number == changed else "")
            rest = [f"owner {number % 97}", "2026-03", f"{number % 1000}.50", f"00{number}", "x" * 80, "Brno"]
            writer.writerow([f"K{number:08}", text, *rest])


class Watch:
    """The largest memory of a process, looked at ten times a second, and the gaps between the progress it tells."""

    def __init__(self, process: psutil.Process) -> None:
        self._process, self.peak, self._over = process, 0, threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self) -> None:
        while not self._over.wait(0.1):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def __enter__(self) -> Watch:
        self.peak = 0
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()


def worker_of(console: Console) -> psutil.Process:
    """The operations worker."""
    return console.places()["operations-1"][0]


def follow(what: str, ask: Callable[[], tuple[bool, Any]], process: psutil.Process, rows: int) -> None:
    """Until it is over; then the figures."""
    started, longest, told, last = time.monotonic(), 0.0, None, time.monotonic()
    with Watch(process) as watch:
        while True:
            over, progress = ask()
            if progress != told:
                longest, told, last = max(longest, time.monotonic() - last), progress, time.monotonic()
            if over:
                break
            time.sleep(0.2)
    seconds = time.monotonic() - started
    print(
        f"{what:<28} {seconds:7.1f} s  {rows / seconds:9,.0f} rows/s  worker at most {watch.peak / (1 << 20):6.0f} MiB  "
        f"longest silence {longest:4.1f} s",
        flush=True,
    )


def plan(console: Console, path: Path, rows: int, what: str) -> str:
    """Upload and preview; the plan's id."""
    started = time.monotonic()
    with path.open("rb") as file:
        upload = console.client.upload_file(path.name, file)
    print(f"upload of {path.stat().st_size / (1 << 20):,.0f} MiB: {time.monotonic() - started:.1f} s", flush=True)
    plan_id = console.client.preview_import(PreviewRequest(source=FileSource(upload_id=upload.upload_id), mapping=MAPPING))

    def ask() -> tuple[bool, Any]:
        seen = console.client.get_plan(plan_id, limit=0)
        return seen.state is not PlanState.BUILDING, seen.progress

    follow(what, ask, worker_of(console), rows)
    seen = console.client.get_plan(plan_id, limit=0)
    says = seen.gate.reason_text if seen.gate else ""
    print(f"  {seen.state}: {seen.counts}; to embed {seen.to_embed}; {says} {seen.error or ''}", flush=True)
    return plan_id


def apply(console: Console, path: Path, rows: int) -> None:
    plan_id = plan(console, path, rows, "plan, all new")
    job_id = console.client.start_import(ImportRequest(plan_id=plan_id))

    def ask() -> tuple[bool, Any]:
        job = console.client.get_job(job_id)
        return not job.is_active, job.progress

    follow("apply", ask, worker_of(console), rows)
    print(f"  {console.client.get_job(job_id).result or console.client.get_job(job_id).error}", flush=True)


def plan_again(console: Console, path: Path, rows: int) -> None:
    write_sheet(path, rows, changed=rows // 2)
    plan(console, path, rows, "plan, one changed")
    write_sheet(path, rows)
    plan(console, path, rows, "plan, unchanged")


def wait_until_searchable(console: Console, rows: int) -> None:
    def ask() -> tuple[bool, Any]:
        reading = console.client.get_index()
        return reading.vectors == rows and not reading.unindexed, (reading.vectors, reading.generation)

    follow("embed and refresh", ask, worker_of(console), rows)
    reading = console.client.get_index()
    print(f"  generation {reading.generation}, {reading.factory}, {reading.size_bytes or 0:,} bytes", flush=True)


def main() -> None:
    rows, refresh = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000, sys.argv[2:] == ["refresh"]
    with tempfile.TemporaryDirectory() as folder:
        console = Console(Path(folder) / "data", environment={"SWITCHYARD_WORKERS": "1"}).start()
        try:
            if not refresh:
                console.client.put_setting("index.refresh", "manual")  # a refresh works in the same process
            path = Path(folder) / "long.csv"
            write_sheet(path, rows)
            apply(console, path, rows)
            if refresh:
                wait_until_searchable(console, rows)
            else:
                plan_again(console, path, rows)
        finally:
            console.sweep()


if __name__ == "__main__":
    main()
