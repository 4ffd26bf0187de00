"""A full disk and damaged files: said in words, nothing lost, and all is well once there is space or a rebuild."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib.client.errors import Answered
from lib.contract.errors import ErrorCode
from lib.contract.jobs import Job, JobFailure
from lib.contract.states import JobState
from tests.faults.conftest import Open
from tests.faults.console import Console, until
from tests.faults.invariants import assert_counters_are_true, assert_found_by_own_text, assert_table_is, assert_whole
from tests.faults.road import (
    Sheet,
    import_sheet,
    start_import,
    start_preview,
    wait_drained,
    wait_job,
    wait_plan,
    wait_searchable,
)

pytestmark = pytest.mark.faults

MIB = 1 << 20


class SmallDisk:
    """A file system of its own, and a ballast that fills it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._ballast = folder, folder / "ballast"

    def fill(self) -> None:
        """Leave nothing free."""
        with self._ballast.open("ab", buffering=0) as file:
            for block in (MIB, 4096):
                while True:
                    try:
                        file.write(b"\0" * block)
                    except OSError:
                        break

    def clear(self) -> None:
        """Give the space back."""
        self._ballast.unlink(missing_ok=True)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[SmallDisk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=160m,mode=700", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode != 0:
        pytest.skip("A full disk needs a small file system, and only root may mount one here.")
    yield SmallDisk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fails_for_want_of_space(console: Console, job_id: str) -> None:
    """The job ends, in words that help."""
    job: Job = until(lambda: not (job := console.client.get_job(job_id)).is_active and job, 40, f"the end of job {job_id}")
    assert (job.state, job.error and job.error.code) == (JobState.FAILED, JobFailure.NO_SPACE)


def is_refused_for_want_of_space(act: Callable[[], object]) -> None:
    with pytest.raises(Answered) as refused:
        act()
    assert refused.value.code is ErrorCode.NO_SPACE


def test_a_full_disk_is_said_in_words_and_nothing_is_lost(small_disk: SmallDisk, open_console: Open) -> None:
    console, small = open_console(small_disk.folder / "data").start(), Sheet(rows=200)
    import_sheet(console, small)
    sheet = Sheet(rows=20_000)  # its first rows are those
    data = sheet.to_csv()

    upload = console.client.create_upload("sheet.csv", len(data))
    small_disk.fill()
    is_refused_for_want_of_space(lambda: console.client.put_upload_slice(upload.upload_id, 0, data))
    small_disk.clear()
    plan_id = start_preview(console, sheet)
    wait_plan(console, plan_id)

    small_disk.fill()
    fails_for_want_of_space(console, start_import(console, plan_id))
    assert_table_is(console, small)
    assert_counters_are_true(console)
    assert_found_by_own_text(console, small, random.Random(0))
    small_disk.clear()

    start_import(console, plan_id)  # the plan is as good as before
    until(lambda: console.value("SELECT count(*) FROM embeddings") > 1000, every=0.005)
    small_disk.fill()
    until(lambda: "waiting to store" in workers_say(console), 20, "a worker that waits for space")
    assert console.client.get_queue().failed == 0
    small_disk.clear()
    wait_drained(console)
    assert console.client.get_queue().failed == 0

    small_disk.fill()
    fails_for_want_of_space(console, console.client.start_rebuild())
    assert_found_by_own_text(console, small, random.Random(1))
    small_disk.clear()
    wait_job(console, console.client.start_rebuild())
    wait_searchable(console)
    assert_whole(console, sheet)


def workers_say(console: Console) -> str:
    """What the workers last said they do."""
    return "; ".join(worker.doing or "" for worker in console.client.list_workers().workers)


def overwrite(path: Path) -> None:
    path.write_bytes(b"\xa5" * path.stat().st_size)


def halve(path: Path) -> None:
    with path.open("rb+") as file:
        file.truncate(path.stat().st_size // 2)


DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "the index file holds garbage": lambda _, generation: overwrite(generation / "index.faiss"),
    "index file, manifest and pointer are half written": lambda index, generation: [
        halve(path) for path in (generation / "index.faiss", generation / "manifest.json", index / "CURRENT")
    ],
}


@pytest.fixture(scope="module")
def indexed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Sheet]:
    """A data folder with a small table and its index, and nobody working on it."""
    console, sheet = Console(tmp_path_factory.mktemp("indexed") / "data"), Sheet(rows=300)
    try:
        import_sheet(console.start(), sheet)
        console.signal(signal.SIGTERM)
    finally:
        console.sweep()
    return console.data_dir, sheet


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_console_comes_up_over_a_damaged_index_and_a_rebuild_mends_it(
    indexed: tuple[Path, Sheet], open_console: Open, tmp_path: Path, damage: str
) -> None:
    data_dir, sheet = indexed
    shutil.copytree(data_dir, tmp_path / "data")
    index = tmp_path / "data" / "index"
    DAMAGES[damage](index, index / (index / "CURRENT").read_text("ascii").strip())
    (index / "building-of-a-dead-job").mkdir()
    console = open_console(tmp_path / "data").start()
    if damage == "the index file holds garbage":
        with pytest.raises(Answered, match="Rebuild the index"):
            console.client.search_index("anything at all")
    wait_job(console, console.client.start_rebuild())
    wait_searchable(console)
    assert_whole(console, sheet)
