"""kill −9 of each kind of process in the phases of the road: the work goes on by itself, and nothing is lost or doubled."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from uuid import uuid4

import pytest

from lib.contract.imports import FileSource
from lib.contract.maps import MapRequest
from lib.contract.states import Actual, Desired, JobState
from tests.faults.conftest import Open
from tests.faults.console import Console, until
from tests.faults.invariants import assert_embedded_once, assert_map_is_whole, assert_nothing_is_held, assert_whole, counts
from tests.faults.road import (
    Sheet,
    import_sheet,
    job_of,
    running_phase,
    start_export,
    start_import,
    start_preview,
    start_renewal,
    wait_job,
    wait_plan,
    wait_searchable,
)
from tests.faults.strike import Strike

pytestmark = pytest.mark.faults

WHY = "maintenance, please leave"
PHASES = {"previewing", "applying", "draining", "refreshing", "exporting", "rebuilding"}
#: Which phases each victim is killed in; `make faults` kills each of them in every one.
VICTIMS: dict[str, set[str]] = {
    "operations-1": {"previewing", "applying", "exporting", "rebuilding"},
    "console": {"previewing", "draining", "exporting"},
    "group": {"applying", "refreshing", "rebuilding"},
}
if int(os.environ.get("SWITCHYARD_FAULT_KILLS", "0")) >= 100:
    VICTIMS = dict.fromkeys(VICTIMS, PHASES)


def in_phase(console: Console, operation: str, *phases: str) -> Callable[[], bool]:
    return lambda: running_phase(console, operation) in phases


@pytest.mark.parametrize("victim", VICTIMS)
def test_work_goes_on_by_itself_after_kill_9(open_console: Open, victim: str) -> None:
    console = open_console().start()
    console.client.pause_worker("embedding-2", WHY)
    sheet = Sheet(rows=15_000)

    def kill_while(phase: str, reached: Callable[[], object], job_id: str | None = None) -> None:
        if phase in VICTIMS[victim]:
            Strike(console, victim).when(reached, job_id)

    plan_id = start_preview(console, sheet)
    kill_while("previewing", in_phase(console, "preview", "comparing"), job_of(console, "preview"))
    assert wait_plan(console, plan_id).counts.new == sheet.rows

    key = uuid4().hex
    job_id = start_import(console, plan_id, key)
    kill_while("applying", in_phase(console, "import", "applying"), job_id)
    assert start_import(console, plan_id, key) == job_id, "the same key starts nothing twice, over a kill too"
    applied = wait_job(console, job_id).result
    assert applied is not None
    assert (applied["new"], applied["to_embed"]) == (sheet.rows, sheet.rows), "a resumed import tells what it has done"

    kill_while("draining", lambda: console.value("SELECT count(*) FROM embeddings") > 2000)
    kill_while("refreshing", in_phase(console, "refresh", "updating", "building", "publishing"))
    wait_searchable(console)
    assert_whole(console, sheet)

    job_id = start_export(console)
    kill_while("exporting", in_phase(console, "export", "writing"), job_id)
    exported = wait_job(console, job_id).result
    assert exported is not None
    path = console.client.download_export(exported["export_id"], console.data_dir.parent / "export.csv")
    assert path.read_bytes().count(b"\n") == sheet.rows + 1

    job_id = console.client.start_rebuild()
    kill_while("rebuilding", in_phase(console, "rebuild", "building", "publishing"), job_id)
    wait_job(console, job_id)
    assert_whole(console, sheet)
    assert_pause_is_kept(console)


def assert_pause_is_kept(console: Console) -> None:
    """What a person wished before the kills is still so, and still says why."""
    paused = {worker.worker_id: worker for worker in console.client.list_workers().workers}["embedding-2"]
    assert (paused.desired, paused.desired_reason, paused.actual) == (Desired.PAUSED, WHY, Actual.PAUSED)


@pytest.fixture(scope="module")
def console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """One for the tests below, with a few rows in its table."""
    console = Console(tmp_path_factory.mktemp("kill") / "data")
    try:
        import_sheet(console.start(), Sheet(rows=1_500))
        yield console
    finally:
        console.sweep()


@pytest.mark.feature("M5", "X3")
def test_a_map_whose_worker_is_killed_is_the_old_one_whole_until_the_new_one_is(console: Console) -> None:
    wait_job(console, old := console.client.start_map(MapRequest()))
    assert assert_map_is_whole(console) == old
    strike = Strike(console, "operations-1")
    new = console.client.start_map(MapRequest(layout="fine"))
    strike.when(in_phase(console, "map", "moving neighbours together"), new)
    assert assert_map_is_whole(console) in (old, new)
    assert console.client.get_job(new).attempt == 2, "the next life has taken it up"
    wait_job(console, new)
    assert assert_map_is_whole(console) == new
    assert_nothing_is_held(console)


@pytest.mark.feature("M5", "X3")
def test_a_renewal_whose_worker_is_killed_has_every_row_embedded_again_once(console: Console) -> None:
    wait_job(console, map_id := console.client.start_map(MapRequest()))
    before = counts(console)
    strike = Strike(console, "operations-1")
    job_id = start_renewal(console, map_id)
    strike.when(in_phase(console, "renew", "putting into the queue"), job_id)
    nobody = {"skipped": 0, "gone": 0, "in_queue": 0, "failed_before": 0, "discarded": 0}
    assert wait_job(console, job_id).result == {"done": before["entries"], **nobody}
    wait_searchable(console)
    assert counts(console)["embedded_total"] - before["embedded_total"] == before["entries"]
    assert_embedded_once(console)
    assert_nothing_is_held(console)


def test_a_killed_embedding_worker_comes_back_and_its_rows_are_done_at_once(console: Console) -> None:
    console.client.pause_worker("embedding-2", WHY)
    console.client.put_setting("embedding.batch_size", 4096)
    sheet = Sheet(rows=12_000)  # its first rows are in the table already
    plan_id = start_preview(console, sheet)
    wait_plan(console, plan_id)
    start_import(console, plan_id)
    Strike(console, "embedding-1").when(lambda: console.value("SELECT count(*) FROM items WHERE state = 'leased'") > 0)
    # The lease is good for a minute, but the worker's next life frees it at once.
    wait_searchable(console, 40)
    assert_whole(console, sheet)
    assert_pause_is_kept(console)


def test_an_upload_cut_by_a_kill_goes_on_where_it_stood(console: Console) -> None:
    data = Sheet(rows=500).to_csv()
    upload = console.client.create_upload("sheet.csv", len(data))
    console.client.put_upload_slice(upload.upload_id, 0, data[:10_000])
    Strike(console, "group").now()
    offset = console.client.get_upload_offset(upload.upload_id)
    assert offset == 10_000
    assert console.client.put_upload_slice(upload.upload_id, offset, data[offset:]) == len(data)
    assert console.client.get_upload_columns(FileSource(upload_id=upload.upload_id)).columns == ["key", "text", "owner"]


def test_a_job_that_waits_for_a_paused_worker_is_neither_lost_nor_begun_by_a_kill(console: Console) -> None:
    console.client.pause_worker("operations-1", WHY)
    until(lambda: console.state_of("operations-1") is Actual.PAUSED)
    job_id = start_export(console)
    # The engine has handed it to the worker, which waits with it in its hand.
    taken = "SELECT count(*) FROM workflow_status WHERE workflow_uuid = ? AND status = 'PENDING'"
    until(lambda: console.value(taken, job_id), what="the taking of the job")
    Strike(console, "operations-1").now()
    until(lambda: console.places().get("operations-1") and console.state_of("operations-1") is Actual.PAUSED)
    until(lambda: console.value(taken, job_id), what="the taking of the job by the next life")
    assert console.client.get_job(job_id).state is JobState.QUEUED
    console.client.resume_worker("operations-1")
    wait_job(console, job_id)
    assert_nothing_is_held(console)
