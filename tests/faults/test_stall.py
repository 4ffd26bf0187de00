"""A worker that stands still (SIGSTOP) without dying: it shows, others do its work, and when it wakes it does no harm."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import psutil
import pytest

from lib.contract.queue import ItemSelection
from lib.contract.states import Actual, FailureCause, WorkerRole
from tests.faults.console import Console, until, wait_gone
from tests.faults.invariants import assert_whole
from tests.faults.road import (
    Sheet,
    job_of,
    running_phase,
    start_import,
    start_preview,
    wait_drained,
    wait_job,
    wait_plan,
    wait_searchable,
)

pytestmark = pytest.mark.faults

STALE_SECONDS = 15.0


def suspend_when(console: Console, worker: psutil.Process, reached: Callable[[], object]) -> float:
    """SIGSTOP at the moment, but not inside a write transaction, whose lock it would keep; answers when that was."""
    for _ in range(50):
        until(reached, 30, "the moment to stop", every=0.002)
        worker.suspend()
        if console.is_writable() and reached():
            return time.monotonic()
        worker.resume()
        time.sleep(0.05)
    raise AssertionError("the worker was never caught outside a transaction")


def leased_by(console: Console, worker_id: str) -> int:
    return int(console.value("SELECT count(*) FROM items WHERE leased_by = ? AND state = 'leased'", worker_id))


def is_stale(console: Console, worker_id: str) -> bool:
    return next(worker.stale for worker in console.client.list_workers().workers if worker.worker_id == worker_id)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One for all tests of this file: what a test stops it lets go on, and in the end the table is whole."""
    console = Console(tmp_path_factory.mktemp("stall") / "data")
    try:
        yield console.start()
    finally:
        console.sweep()


@pytest.fixture(scope="module")
def sheet() -> Sheet:
    """What the console's table holds after each test."""
    return Sheet(rows=6000)


def stall_embedding_1(console: Console, sheet: Sheet) -> psutil.Process:
    """Import the sheet; embedding-1 takes the first rows and is stopped with them in its hand."""
    console.client.put_setting("embedding.lease_seconds", 5)
    console.client.put_setting("embedding.batch_size", 2048)
    console.client.pause_worker("embedding-2", "lets the other go first")
    until(lambda: console.state_of("embedding-2") is Actual.PAUSED, 10)
    plan_id = start_preview(console, sheet)
    wait_plan(console, plan_id)
    worker: psutil.Process = console.aim("embedding-1")[0]
    job_id = start_import(console, plan_id)
    stopped = suspend_when(console, worker, lambda: leased_by(console, "embedding-1"))
    wait_job(console, job_id)
    until(lambda: is_stale(console, "embedding-1"), STALE_SECONDS - (time.monotonic() - stopped), "staleness", every=0.1)
    return worker


@pytest.mark.feature("W2", "W6")
def test_rows_of_a_stopped_worker_are_done_by_another_and_not_again_when_it_wakes(console: Console, sheet: Sheet) -> None:
    worker = stall_embedding_1(console, sheet)
    held = leased_by(console, "embedding-1")
    assert held
    console.client.resume_worker("embedding-2")
    wait_drained(console)
    wait_searchable(console)
    settled = console.query("SELECT * FROM embeddings ORDER BY entry_id")
    assert console.value("SELECT processed FROM workers WHERE worker_id = 'embedding-2'") >= held

    worker.resume()
    until(lambda: not is_stale(console, "embedding-1"), STALE_SECONDS, "the end of staleness", every=0.1)
    time.sleep(1)  # its late result comes in and is dropped
    assert console.query("SELECT * FROM embeddings ORDER BY entry_id") == settled
    assert console.value("SELECT sum(processed) FROM workers") == sheet.rows
    assert_whole(console, sheet)


@pytest.mark.feature("W6")
def test_rows_whose_workers_keep_falling_silent_fail_with_words_and_can_be_retried(console: Console, sheet: Sheet) -> None:
    console.client.put_setting("embedding.max_attempts", 1)
    sheet.edit(3000)
    worker = stall_embedding_1(console, sheet)
    held = leased_by(console, "embedding-1")
    console.client.resume_worker("embedding-2")
    wait_drained(console)
    queue = console.client.get_queue()
    assert (queue.failed, queue.embedded) == (held, sheet.rows - held)
    failure = console.client.list_failures(limit=1).items[0]
    assert (failure.cause, failure.worker_id) == (FailureCause.WORKER_LOST, "embedding-1")
    assert failure.raw_error == "The worker embedding-1 fell silent while it held this row."

    worker.resume()
    until(lambda: not is_stale(console, "embedding-1"), STALE_SECONDS, "the end of staleness", every=0.1)
    assert console.client.retry_failures(ItemSelection(cause=FailureCause.WORKER_LOST)).done == held
    wait_searchable(console)
    assert_whole(console, sheet)


@pytest.mark.feature("W2")
def test_a_stopped_operations_worker_is_relieved_by_another_and_fenced_when_it_wakes(console: Console, sheet: Sheet) -> None:
    sheet.extend(20_000)
    worker: psutil.Process = console.aim("operations-1")[0]
    plan_id = start_preview(console, sheet)
    job_id = job_of(console, "preview")
    stopped = suspend_when(console, worker, lambda: running_phase(console, "preview") == "comparing")
    until(lambda: is_stale(console, "operations-1"), STALE_SECONDS - (time.monotonic() - stopped), "staleness", every=0.1)
    assert console.client.get_readiness().details["missing"] == ["operations worker"], "a stale worker is no capacity"
    relief = console.start_worker("relief", WorkerRole.OPERATIONS)
    wait_job(console, job_id)
    plan = console.client.get_plan(plan_id, limit=0)
    worker.resume()
    until(lambda: not is_stale(console, "operations-1"), STALE_SECONDS, "the end of staleness", every=0.1)
    time.sleep(1)  # it goes on where it stood, and must not
    after = console.client.get_plan(plan_id, limit=0)
    assert (after.counts.new, after.counts.unchanged) == (20_000, 6000)
    assert after.model_dump(exclude={"taken_at"}) == plan.model_dump(exclude={"taken_at"})
    assert console.value("SELECT count(*) FROM plan_rows WHERE plan_id = ?", plan_id) == 20_000
    assert console.client.get_job(job_id).attempt == 2
    relief.terminate()
    wait_gone([relief], 5)
    wait_job(console, start_import(console, plan_id))
    wait_searchable(console)
    assert_whole(console, sheet)
