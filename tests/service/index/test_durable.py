"""A file that is hashed and made durable behind its writer."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from lib.service.index import durable
from lib.service.index.durable import HashedFile, file_facts


@pytest.mark.feature("N2")
def test_what_is_written_is_hashed_and_all_of_it_durable_before_its_facts_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_SYNCED_BYTES", 1000)
    sizes, real = [], os.fsync

    def watched(descriptor: int) -> None:
        sizes.append(os.fstat(descriptor).st_size)
        real(descriptor)

    monkeypatch.setattr(os, "fsync", watched)
    chance = np.random.default_rng(1)
    with HashedFile(tmp_path / "file") as file:
        for size in (1, 5000, 0, 300_000, 17):
            file.write(chance.bytes(size))
    assert file.facts == file_facts(tmp_path / "file")
    assert (file.facts.size_bytes, sizes[-1]) == (305_018, 305_018)


def test_other_first_bytes_are_hashed_and_durable_like_the_first(tmp_path: Path) -> None:
    with HashedFile(tmp_path / "file") as file:
        file.write(bytes(100_000))
        file.write_again(b"head")
    assert (tmp_path / "file").read_bytes() == b"head" + bytes(99_996)
    assert file.facts == file_facts(tmp_path / "file")


def test_a_settled_file_takes_no_more(tmp_path: Path) -> None:
    with HashedFile(tmp_path / "file") as file:
        file.write(b"all")
        file.settle()
        with pytest.raises(ValueError, match="settled"):
            file.write(b"more")
    assert file.facts == file_facts(tmp_path / "file")


def test_a_file_that_cannot_be_made_durable_fails_its_writer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"), HashedFile(tmp_path / "file") as file:
        file.write(b"all")
