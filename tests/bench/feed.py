"""What listeners of the live feed cost: ``python -m tests.bench.feed`` prints DESIGN section 13's figures, each from one run.

The listeners live in a process of their own, as browsers do, but on the same cores: the worker ratio is a lower bound.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from statistics import quantiles
from typing import Any

import requests
from prometheus_client.parser import text_string_to_metric_families

from lib.client.events import EventParser
from lib.contract.model import utc_now
from tests.faults.console import TOKEN, Console
from tests.faults.road import Sheet, start_import, start_preview, wait_drained, wait_job, wait_plan

ROWS = 60_000


@contextmanager
def listeners(console: Console, count: int, seconds: list[float] | None = None) -> Iterator[None]:
    """``count`` open streams; ``seconds`` is given how long each event was on its way once they are closed."""
    results: Any = multiprocessing.get_context("spawn").Queue()
    over = multiprocessing.get_context("spawn").Event()
    process = multiprocessing.get_context("spawn").Process(target=_listen, args=(console.port, count, over, results))
    process.start()
    assert results.get(timeout=60) == "open"
    yield
    over.set()
    if seconds is not None:
        seconds += results.get(timeout=60)
    process.join(30)


def _listen(port: int, count: int, over: Any, results: Any) -> None:
    asyncio.run(_listen_all(port, count, over, results))


async def _listen_all(port: int, count: int, over: Any, results: Any) -> None:
    late: list[float] = []
    opened = asyncio.Semaphore(0)
    tasks = [asyncio.create_task(_listen_once(port, opened, late)) for _ in range(count)]
    for _ in range(count):
        await opened.acquire()
    late.clear()  # what was current at the start is old on arrival
    results.put("open")
    while not over.is_set():  # noqa: ASYNC110  (another process sets it)
        await asyncio.sleep(0.05)
    for task in tasks:
        task.cancel()
    results.put(late)


async def _listen_once(port: int, opened: asyncio.Semaphore, late: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1 << 22)
    writer.write(f"GET /ui/sse?topics=settings HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n".encode())
    await reader.readuntil(b"\r\n\r\n")
    opened.release()
    parser = EventParser()
    while True:
        await reader.readuntil(b"\r\n")  # the size of the chunk: the parser would take it for a field
        chunk = await reader.readuntil(b"\n\n")
        now = utc_now()
        await reader.readuntil(b"\r\n")
        late += [(now - datetime.fromisoformat(json.loads(event.data)["taken_at"])).total_seconds() for event in parser.feed(chunk)]


def statements(console: Console) -> float:
    """SQL statements the API process has sent so far."""
    answer = requests.get(f"http://127.0.0.1:{console.port}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    return float(families["switchyard_sql_statements"].samples[0].value)


def sql_per_second(console: Console, count: int, seconds: float = 15.0) -> float:
    with listeners(console, count):
        time.sleep(1)
        before, began = statements(console), time.monotonic()
        time.sleep(seconds)
        return (statements(console) - before) / (time.monotonic() - began)


def delivery(console: Console, count: int, events: int = 20) -> list[float]:
    """Seconds from the sample to each listener, for events that change something."""
    seconds: list[float] = []
    with listeners(console, count, seconds):
        for number in range(events):
            console.client.put_setting("embedding.batch_size", 1000 + number)
            time.sleep(1.1)
    return seconds


def embedding_seconds(console: Console, sheet: Sheet, count: int) -> float:
    """How long the workers take for a queue of ``ROWS`` new texts while ``count`` listen."""
    sheet.edit(ROWS)
    plan_id = start_preview(console, sheet)
    wait_plan(console, plan_id, 300)
    with listeners(console, count):
        wait_job(console, start_import(console, plan_id), 300)
        began = time.monotonic()
        wait_drained(console, 300)
        return time.monotonic() - began


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        console = Console(Path(folder) / "data").start()
        try:
            one, fifty, again = (sql_per_second(console, count) for count in (1, 50, 1))
            print(f"SQL per second, 50 listeners against 1: {fifty / ((one + again) / 2):.3f}  ({one:.1f}, {fifty:.1f}, {again:.1f})")
            late = delivery(console, 500)
            centiles = quantiles(late, n=100)
            print(f"500 listeners: {len(late):,} deliveries, p50 {centiles[49]:.3f} s, p99 {centiles[98]:.3f} s")
            console.client.put_setting("embedding.batch_size", 1024)
            sheet = Sheet(rows=ROWS)
            embedding_seconds(console, sheet, 0)  # warms up
            taken = {0: 0.0, 200: 0.0}
            for count in (0, 200, 200, 0, 0, 200):
                seconds = embedding_seconds(console, sheet, count)
                taken[count] += seconds
                print(f"  {count} listeners: {ROWS / seconds:,.0f} rows/s")
            print(f"worker throughput, 200 listeners against none: {taken[0] / taken[200]:.3f}")
        finally:
            console.sweep()


if __name__ == "__main__":
    main()
