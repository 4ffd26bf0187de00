"""A snapshot or a restore that dies at any step leaves the old or the new generation whole, and the next life finishes it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lib.service.config import Config
from lib.service.index import publication, saved
from lib.service.index.generations import Generations
from lib.service.index.publication import PublishStep
from lib.service.operations import index, restore, snapshots
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.index.conftest import batch_of
from tests.service.probes import hash_files, rows_of
from tests.service.road import Road, sheet
from tests.service.test_restore import assert_index_is_the_table, inspect, served_ids, take

ROOT = Path(__file__).parents[2]


class Killed(BaseException):
    """As abrupt as a signal for everything above; what runs on the way out is what the next life must be able to do without."""


def die(*_: Any, **__: Any) -> Any:
    raise Killed


def after(real: Callable[..., Any]) -> Callable[..., Any]:
    """Dies when the real thing has been done."""

    def done(*arguments: Any, **more: Any) -> Any:
        real(*arguments, **more)
        raise Killed

    return done


#: where a restore dies: what is replaced, by what
MOMENTS: dict[str, tuple[Any, str, Any]] = {
    "after the safety snapshot": (restore, "take_quick_snapshot", after(snapshots.take_quick_snapshot)),
    "before the table is told": (restore, "_mark_differences", die),
    "after the table is told": (restore, "_mark_differences", after(restore._mark_differences)),
    "after the file is copied": (publication, "copy_hashed", after(publication.copy_hashed)),
    "before the pointer": (publication, "write_pointer", die),
    "after the pointer": (publication, "write_pointer", after(publication.write_pointer)),
    "after the swap": (restore, "look_at_published", die),
    "before the questions": (index, "ask_golden_questions", die),
    "before the count": (index, "count_if_quick", die),
}


@pytest.mark.feature("N5")
@pytest.mark.parametrize("moment", MOMENTS)
def test_a_restore_killed_at_any_step_serves_the_old_or_the_new_one_and_is_finished_by_the_next_life(
    road: Road, config: Config, database: Database, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    road.fill(sheet(*range(12)))
    snapshot_id, old = take(road), served_ids(config)
    road.fill(sheet(*range(3, 15)), mode="mirror", approve_removals=3)
    new, table = served_ids(config), rows_of(database, schema.entries)
    report = inspect(road, snapshot_id)
    job_id = road.start("restore", inspection_id=report["inspection_id"], typed_name="mine").json()["job_id"]
    with monkeypatch.context() as killing:
        where, name, how = MOMENTS[moment]
        killing.setattr(where, name, how)
        with pytest.raises(Killed):
            road.works.perform(job_id)
    assert served_ids(config) in (old, new), "one of the two, and whole"
    road.works.perform(job_id)
    job = road.job(job_id)
    assert (job["state"], served_ids(config)) == ("succeeded", old)
    assert rows_of(database, schema.entries) == table
    assert [each for each in rows_of(database, schema.holds) if each["job_id"] == job_id] == []
    assert_index_is_the_table(road, config, database)
    assert not list(config.index_dir.glob("building-*"))
    assert len([each for each in road.get("/api/snapshots")["items"] if each["job_id"] == job_id]) == 1


@pytest.mark.feature("N4")
@pytest.mark.parametrize("name", ["copy_hashed", "write_synced", "sync_folder", "_manifest_bytes"])
@pytest.mark.parametrize("how", ["before", "after"])
def test_a_snapshot_killed_at_any_step_is_none_or_whole_and_is_taken_by_the_next_life(
    road: Road, config: Config, monkeypatch: pytest.MonkeyPatch, name: str, how: str
) -> None:
    road.fill(sheet(*range(5)))
    whole = hash_files(config.snapshots_dir / take(road))
    index = hash_files(config.index_dir)
    job_id = road.start("snapshot", name="second").json()["job_id"]
    with monkeypatch.context() as killing:
        killing.setattr(saved, name, die if how == "before" else after(getattr(saved, name)))
        with pytest.raises(Killed):
            road.works.perform(job_id)
    assert [each["name"] for each in road.get("/api/snapshots")["items"]] == ["mine"], "what is listed is whole"
    road.works.perform(job_id)
    assert hash_files(config.snapshots_dir / job_id) == whole, "made anew, and the same"
    assert hash_files(config.index_dir) == index


#: restores from a file, and is killed at the step given
VICTIM = """
import os, signal, sys
from pathlib import Path
from lib.service.index.generations import Generations
from lib.service.index.manifest import read_whole
folder, step, source = sys.argv[1:]
def stop(reached):
    if reached == step:
        os.kill(os.getpid(), signal.SIGKILL)
facts = read_whole(Path(source))
Generations(Path(folder), on_step=stop).publish_file(Path(source) / "index.faiss", facts, revision=7, job_id="restore")
"""


@pytest.mark.feature("N5")
@pytest.mark.faults
@pytest.mark.parametrize("step", PublishStep)
def test_kill_9_at_each_step_of_the_swap_leaves_one_whole_generation(tmp_path: Path, step: PublishStep) -> None:
    from lib.service.index.build import new_index

    folder = tmp_path / "index"
    told: dict[str, Any] = {"embedder": "e", "fingerprint": "f"}
    for number, ids in enumerate(((1, 2, 3), (2, 3, 4)), 1):
        index = new_index([batch_of(*ids)], factory="IDMap2,Flat", dimension=16)
        Generations(folder).publish(index, revision=number, job_id=f"job-{number}", **told)
    source = folder / "generation-000001"
    command = [sys.executable, "-c", VICTIM, str(folder), step.value, str(source)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    generations = Generations(folder)
    current = generations.current()
    assert current is not None
    assert (current.generation, current.revision) == ((3, 7) if step is PublishStep.POINTED else (2, 2))
    facts = generations.list_generations()[-1]
    again = generations.publish_file(source / "index.faiss", facts, revision=7, job_id="restore")
    assert generations.current() == again
    assert (again.index_file, again.ids_sha256) == (facts.index_file, facts.ids_sha256)
