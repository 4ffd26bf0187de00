"""A publish that dies, by an error or by kill −9, leaves the old generation or the new one whole, and can be repeated."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lib.service.index.build import new_index
from lib.service.index.generations import Generations
from lib.service.index.manifest import INDEX_FILE
from lib.service.index.publication import PublishStep
from lib.service.index.reader import IndexReader
from lib.service.index.stored import Content, ids_of
from tests.service.index.files import read_proven

ROOT = Path(__file__).parents[3]
OLD, NEW = {1, 2, 3}, {2, 3, 4, 5}
SERVES_NEW = {PublishStep.POINTED}

#: publishes the ids given, and is killed at the step given
VICTIM = """
import os, signal, sys
from pathlib import Path
import numpy as np
from lib.service.index.build import new_index
from lib.service.index.generations import Generations
folder, step, *ids = sys.argv[1:]
def die(reached):
    if reached == step:
        os.kill(os.getpid(), signal.SIGKILL)
batch = (np.array(ids, np.int64), np.eye(16, dtype=np.float32)[: len(ids)])
index = new_index([batch], factory="IDMap2,Flat", dimension=16)
Generations(Path(folder), on_step=die).publish(index, embedder="e", fingerprint="f", revision=2, job_id="new")
"""


class StopHereError(Exception):
    pass


def ids_served(folder: Path) -> set[int]:
    """The ids of the served generation, whose bytes must be the ones its manifest names."""
    current = Generations(folder).current()
    assert current is not None
    return set(ids_of(read_proven(folder / current.folder_name)).tolist())


def check_recovery(folder: Path, index: Content) -> None:
    """The next life of the job repeats the publish, and housekeeping leaves two generations."""
    generations = Generations(folder)
    repeated = generations.publish(index, embedder="e", fingerprint="f", revision=2, job_id="new")
    assert ids_served(folder) == NEW
    assert generations.current() == generations.published_by("new") == repeated
    assert generations.previous().job_id == "old"
    generations.sweep()
    assert {path.name for path in folder.iterdir()} == {"CURRENT", ".lock", "generation-000001", repeated.folder_name}


@pytest.mark.feature("N2")
@pytest.mark.parametrize("step", PublishStep)
def test_an_error_at_any_step_leaves_one_whole_generation_served_and_no_litter(tmp_path, publish, index_of, step):
    folder = tmp_path / "index"
    publish(*OLD, job_id="old")

    def stop(reached: PublishStep) -> None:
        if reached is step:
            raise StopHereError

    with pytest.raises(StopHereError):
        publish(*NEW, job_id="new", revision=2, into=Generations(folder, on_step=stop))
    assert ids_served(folder) == (NEW if step in SERVES_NEW else OLD)
    litter = {path.name for path in folder.iterdir()} - {"CURRENT", ".lock", "generation-000001"}
    assert litter == ({"generation-000002"} if step in SERVES_NEW else set())
    check_recovery(folder, index_of(*NEW))


@pytest.mark.feature("N2")
@pytest.mark.faults
def test_what_lies_on_disk_at_every_step_is_a_whole_generation_and_can_be_taken_up(tmp_path, publish, index_of):
    folder = tmp_path / "index"
    publish(*OLD, job_id="old")
    seen = []

    def copy(reached: PublishStep) -> None:
        shutil.copytree(folder, tmp_path / reached)
        seen.append(reached)

    publish(*NEW, job_id="new", revision=2, into=Generations(folder, on_step=copy))
    assert seen == list(PublishStep)
    for step in PublishStep:
        frozen = tmp_path / step
        assert ids_served(frozen) == (NEW if step in SERVES_NEW else OLD)
        assert (Generations(frozen).published_by("new") is not None) == (step in SERVES_NEW)
        assert IndexReader(frozen).manifest() == Generations(frozen).current()
        check_recovery(frozen, index_of(*NEW))


@pytest.mark.feature("N2")
@pytest.mark.faults
def test_what_lies_on_disk_at_every_step_of_the_first_publish_is_nothing_or_a_whole_generation(tmp_path, index_of):
    folder = tmp_path / "index"
    publish_first = {"embedder": "e", "fingerprint": "f", "revision": 2, "job_id": "new"}
    Generations(folder, on_step=lambda step: shutil.copytree(folder, tmp_path / step)).publish(index_of(*NEW), **publish_first)
    for step in PublishStep:
        generations = Generations(tmp_path / step)
        # A generation that is whole and the only one is served even before the pointer names it.
        assert (generations.current() is not None) == (step in {PublishStep.RENAMED, PublishStep.POINTED})
        manifest = generations.publish(index_of(*NEW), **publish_first)
        generations.sweep()
        assert {path.name for path in generations.folder.iterdir()} == {"CURRENT", ".lock", manifest.folder_name}
        assert ids_served(generations.folder) == NEW


@pytest.mark.feature("N2")
@pytest.mark.faults
@pytest.mark.parametrize("step", [PublishStep.WRITTEN, PublishStep.RENAMED, PublishStep.POINTED])
def test_kill_9_in_a_publish_leaves_one_whole_generation_and_a_free_lock(tmp_path, publish, batch, step):
    folder = tmp_path / "index"
    publish(*OLD, job_id="old")
    reader = IndexReader(folder)
    assert reader.manifest().job_id == "old"
    command = [sys.executable, "-c", VICTIM, str(folder), step.value, *map(str, NEW)]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert ids_served(folder) == (NEW if step in SERVES_NEW else OLD)
    assert reader.manifest().job_id == ("new" if step in SERVES_NEW else "old")
    check_recovery(folder, new_index([batch(*NEW)], factory="IDMap2,Flat", dimension=16))


@pytest.mark.faults
def test_half_written_files_of_a_dead_publish_do_not_disturb_the_next(tmp_path, publish):
    folder = tmp_path / "index"
    publish(*OLD, job_id="old")
    (folder / "building-new").mkdir()
    (folder / "building-new" / INDEX_FILE).write_bytes(b"half")
    (folder / "generation-000002").mkdir()
    assert ids_served(folder) == OLD
    assert publish(*NEW, job_id="new", revision=2).generation == 3
    assert ids_served(folder) == NEW
