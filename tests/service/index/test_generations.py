"""Publishing, falling back, and sweeping."""

from __future__ import annotations

import numpy as np
import pytest

from lib.service.index import pointer
from lib.service.index.durable import FolderBusy, HashedFile, exclusive, sha256_of
from lib.service.index.generations import Generations, Superseded
from lib.service.index.manifest import INDEX_FILE, MANIFEST_FILE
from lib.service.index.pointer import POINTER_FILE, mark_pointer
from lib.service.index.stored import DamagedIndex


def names(generations: Generations) -> set[str]:
    return {path.name for path in generations.folder.iterdir() if path.name != ".lock"}


def test_an_unknown_folder_has_no_generation_and_is_not_made_by_asking(generations):
    assert (generations.current(), generations.previous(), generations.list_generations()) == (None, None, [])
    assert generations.published_by("a") is None
    assert generations.sweep() == []
    assert not generations.folder.exists()


@pytest.mark.feature("N2")
def test_a_published_generation_is_served_and_the_one_before_is_kept(generations, publish):
    first, second = publish(1, job_id="a"), publish(1, 2, job_id="b", revision=2)
    assert (first.generation, second.generation) == (1, 2)
    assert (first.previous_generation, second.previous_generation) == (None, 1)
    assert (generations.current(), generations.previous()) == (second, first)
    assert generations.list_generations() == [second, first]
    assert (generations.folder / POINTER_FILE).read_text() == "generation-000002\n"
    assert names(generations) == {"CURRENT", "generation-000001", "generation-000002"}


@pytest.mark.parametrize("factory", ["IDMap2,Flat", "IDMap2,SQ8"])
def test_the_manifest_names_the_kind_of_the_index(generations, index_of, factory):
    manifest = generations.publish(index_of(1, 2, factory=factory), embedder="e", fingerprint="f", revision=0, job_id="a")
    assert manifest.factory == factory


def test_an_empty_index_can_be_published(generations, publish):
    assert publish(job_id="a").vectors == 0
    assert generations.current() is not None


def test_a_job_that_published_already_gets_its_generation_back(generations, publish):
    first = publish(1, job_id="a", revision=5)
    assert publish(1, 2, job_id="a", revision=5) == first
    assert publish(1, 2, job_id="a", revision=4) == first
    second = publish(1, 2, job_id="b", revision=6)
    assert (generations.published_by("a"), generations.published_by("b"), generations.published_by("c")) == (first, second, None)
    assert publish(1, job_id="a", revision=5) == first
    assert generations.current() == second


def test_a_job_may_publish_again_when_the_table_moved_on(generations, publish):
    publish(1, job_id="a", revision=5)
    assert publish(1, 2, job_id="a", revision=6).generation == 2
    assert generations.current().revision == 6


def test_an_update_of_a_generation_that_is_no_longer_served_is_refused(generations, publish, index_of):
    publish(1, job_id="a")
    served = publish(1, 2, job_id="b")
    rest = {"embedder": "e", "fingerprint": "f", "revision": 9, "job_id": "late"}
    for stale in (0, 1):
        with pytest.raises(Superseded, match="generation-000002 is served by now"):
            generations.publish(index_of(1), based_on=stale, **rest)
    assert generations.current() == served
    assert generations.publish(index_of(1), based_on=2, **rest).generation == 3


def test_a_first_generation_may_be_asked_to_be_the_first(generations, index_of):
    rest = {"embedder": "e", "fingerprint": "f", "revision": 0}
    assert generations.publish(index_of(1), based_on=0, job_id="a", **rest).generation == 1


@pytest.mark.parametrize("job_id", ["", "../x", "a/b", "a" * 65, "a b"])
def test_a_job_id_that_cannot_be_a_folders_name_is_refused(publish, job_id):
    with pytest.raises(ValueError, match="folder's name"):
        publish(1, job_id=job_id)


@pytest.mark.feature("N2")
@pytest.mark.parametrize("pointer", [None, "", "generation-", "generation-000009\n", "../../etc\n", "\udcff"])
def test_without_a_good_pointer_the_newest_whole_generation_is_served(generations, publish, pointer):
    publish(1, job_id="a")
    second = publish(2, job_id="b")
    path = generations.folder / POINTER_FILE
    if pointer is None:
        path.unlink()
    else:
        path.write_bytes(pointer.encode("utf-8", "surrogateescape"))
    assert generations.current() == second
    assert publish(3, job_id="c").generation in {3, 10}
    assert generations.current().job_id == "c"


@pytest.mark.feature("N2")
@pytest.mark.parametrize("name", [INDEX_FILE, MANIFEST_FILE])
@pytest.mark.parametrize("content", [None, b"", b"half"])
def test_a_damaged_served_generation_is_passed_over_for_the_newest_whole_one(generations, publish, name, content):
    first = publish(1, job_id="a")
    path = generations.folder_of(publish(2, job_id="b")) / name
    if content is None:
        path.unlink()
    else:
        path.write_bytes(content)
    assert generations.current() == first
    assert publish(3, job_id="c").generation == 3


def test_the_previous_generation_is_the_one_that_was_served_before(generations, publish):
    first = publish(1, job_id="a")
    unserved = publish(2, job_id="b")
    (generations.folder / POINTER_FILE).write_text(f"{first.folder_name}\n")
    third = publish(3, job_id="c")
    assert (third.generation, third.previous_generation) == (3, 1)
    assert generations.previous() == first
    assert unserved in generations.list_generations()


def test_without_the_one_served_before_the_newest_older_one_is_previous(generations, publish):
    first = publish(1, job_id="a")
    second = publish(2, job_id="b")
    publish(3, job_id="c")
    (generations.folder_of(second) / INDEX_FILE).unlink()
    assert generations.previous() == first


def test_sweeping_keeps_the_served_and_the_previous_generation_only(generations, publish):
    for number in range(1, 5):
        publish(number, job_id=f"job-{number}")
    (generations.folder / "building-dead").mkdir()
    (generations.folder / "building-dead" / INDEX_FILE).write_bytes(b"half")
    (generations.folder / "CURRENT.new").write_text("generation-0")
    (generations.folder / "notes.txt").write_text("not ours")
    assert generations.sweep() == ["CURRENT.new", "building-dead", "generation-000001", "generation-000002"]
    assert names(generations) == {"CURRENT", "generation-000003", "generation-000004", "notes.txt"}
    assert generations.sweep() == []
    assert publish(5, job_id="job-5").generation == 5


@pytest.mark.feature("N5")
def test_a_death_on_the_way_back_leaves_what_was_served_as_if_nobody_had_gone_back(generations, publish, monkeypatch):
    first, second = publish(1, job_id="a"), publish(1, 2, job_id="b")

    def die(folder, generation):
        raise KeyboardInterrupt

    with monkeypatch.context() as dying:
        dying.setattr(pointer, "write_pointer", die)
        with pytest.raises(KeyboardInterrupt):
            generations.go_back(first.generation)
    assert (generations.current(), generations.turned_back_to()) == (second, None)
    generations.go_back(first.generation)
    assert (generations.current(), generations.turned_back_to()) == (first, first.generation)
    third = publish(1, 2, 3, job_id="c")
    assert (generations.current(), generations.turned_back_to()) == (third, None), "whatever is published ends it"


def test_sweeping_keeps_generations_newer_than_a_pointer_turned_back(generations, publish):
    for number in range(1, 4):
        publish(number, job_id=f"job-{number}")
    (generations.folder / POINTER_FILE).write_text("generation-000002\n")
    assert generations.sweep() == []
    assert publish(9, job_id="job-9").generation == 4
    assert generations.sweep() == ["generation-000001", "generation-000003"]


def test_sweeping_removes_no_generation_when_none_is_whole(generations, publish):
    manifest = publish(1, job_id="a")
    (generations.folder_of(manifest) / INDEX_FILE).write_bytes(b"")
    assert generations.current() is None
    assert generations.sweep() == []
    assert names(generations) == {"CURRENT", "generation-000001"}


def test_sweeping_waits_for_nobody_and_spares_a_publish_under_way(generations, publish):
    publish(1, job_id="a")
    (generations.folder / "building-live").mkdir()
    with exclusive(generations.folder / ".lock", timeout_seconds=0):
        assert generations.sweep() == []
    assert (generations.folder / "building-live").exists()


def test_a_second_publish_at_the_same_time_is_told_so(generations, publish):
    publish(1, job_id="a")
    impatient = Generations(generations.folder, lock_seconds=0.1)
    with exclusive(generations.folder / ".lock", timeout_seconds=0), pytest.raises(FolderBusy, match="Another process is writing"):
        publish(2, job_id="b", into=impatient)
    assert publish(2, job_id="b", into=impatient).generation == 2


@pytest.mark.feature("N2")
@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-40]), "cannot be read again"),
        (lambda path: flip(path, -4), "does not hold the ids"),
        (lambda path: flip(path, 100), "another vector for id 1"),
    ],
)
def test_a_file_that_does_not_hold_what_was_written_is_never_served(generations, publish, index_of, spoil, words):
    first = publish(7, job_id="a")
    content = index_of(1, 2, 3)

    def spoiled(file, served):
        written = content(file, served)
        spoil(file.path)
        return written

    with pytest.raises(DamagedIndex, match=words):
        generations.publish(spoiled, embedder="e", fingerprint="f", revision=1, job_id="b")
    assert generations.current() == first
    assert names(generations) == {"CURRENT", "generation-000001"}


def flip(path, offset: int) -> None:
    data = np.frombuffer(path.read_bytes(), np.uint8).copy()
    data[offset] ^= 0x40
    path.write_bytes(data.tobytes())


def test_a_full_disk_ends_the_publish_with_the_systems_own_error(generations, publish, monkeypatch):
    first = publish(1, job_id="a")

    def full(self, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(HashedFile, "write", full)
    with pytest.raises(OSError, match="No space left"):
        publish(2, job_id="b")
    assert generations.current() == first
    assert names(generations) == {"CURRENT", "generation-000001"}


@pytest.mark.feature("N1", "N4")
def test_a_generation_is_served_at_once_and_sealed_later(generations, publish):
    publish(1, job_id="a")
    served = publish(1, 2, job_id="b", revision=2, sealed=False)
    path, mark = generations.folder_of(served) / INDEX_FILE, mark_pointer(generations.folder)
    assert (generations.current(), served.index_file.sha256) == (served, None)
    (path.parent / f"{MANIFEST_FILE}.new").write_bytes(b"half")  # of somebody who died while sealing
    sealed = generations.seal(served)
    assert sealed.index_file.sha256 == sha256_of(path)
    assert generations.current() == sealed == generations.seal(sealed)
    assert sealed == served.model_copy(update={"files": sealed.files})
    assert mark_pointer(generations.folder) != mark, "readers are not told"
    assert {each.name for each in path.parent.iterdir()} == {INDEX_FILE, MANIFEST_FILE}


def test_sealing_one_that_is_not_served_leaves_the_pointer_alone(generations, publish):
    first = publish(1, job_id="a", sealed=False)
    second, mark = publish(2, job_id="b", revision=2), mark_pointer(generations.folder)
    assert generations.seal(first).index_file.sha256
    assert (generations.current(), mark_pointer(generations.folder)) == (second, mark)


@pytest.mark.feature("N4")
def test_a_file_that_is_not_the_published_one_is_never_sealed(generations, publish):
    served = publish(1, 2, job_id="a", sealed=False)
    flip(generations.folder_of(served) / INDEX_FILE, 200)
    with pytest.raises(DamagedIndex, match="another hash"):
        generations.seal(served)
    assert generations.current().index_file.sha256 is None
