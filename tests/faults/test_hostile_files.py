"""A thousand hostile files from one seed: each is refused by name or behaves, nothing dies, and nothing on disk changes.

``make fuzz`` feeds ten thousand. The seed stands in the test's name: ``SWITCHYARD_FUZZ_SEED=… SWITCHYARD_FUZZ_FILES=…``.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from lib.contract.faults import BadFile, Fault
from lib.service.index.quarantine import Staged, check_structure, stage_upload
from lib.service.index.sandbox import examine
from tests.faults.hostile import MEMBERS, Corpus, Hostile, all_files
from tests.faults.seed import choose_seed

ROOT = Path(__file__).resolve().parents[2]
FILES = int(os.environ.get("SWITCHYARD_FUZZ_FILES", "1000"))
SEED = choose_seed("SWITCHYARD_FUZZ_SEED")
#: So many that pass the walker get a child of their own, as in production; one process then reads and uses all of them.
OWN_CHILDREN = max(12, FILES // 50)

#: Reads every file it is told of as the child does, then searches, removes and adds: it has to live to the end.
READER = """
import importlib.util, json, sys
import numpy as np, faiss
spec = importlib.util.spec_from_file_location("child", sys.argv[1])
child = importlib.util.module_from_spec(spec); spec.loader.exec_module(child)
outcomes = []
for path in json.loads(sys.stdin.read()):
    try:
        index = faiss.read_index(path, faiss.IO_FLAG_READ_ONLY)
    except Exception as error:
        outcomes.append("unreadable")
        continue
    said = child._examine(faiss, index, {"facts": True, "sample": [1, 2, 3], "queries": None, "k": 3})
    if not said["not_finite"] and not said["repeated_ids"] and isinstance(index, faiss.IndexIDMap2):
        index.remove_ids(np.array([1, 5], np.int64))
        index.add_with_ids(np.ones((2, index.d), np.float32), np.array([1, 900], np.int64))
        index.search(np.ones((1, index.d), np.float32), 5)
    outcomes.append("not_finite" if said["not_finite"] else "bad_ids" if said["repeated_ids"] or (said["first_id"] or 0) < 0 else "read")
print(json.dumps(outcomes))
"""


class Kitchen:
    """Where files are taken in: what lies there before must lie there, unchanged, after."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.upload, self.quarantine = folder, folder / "upload", folder / "quarantine"
        folder.mkdir()
        (folder / "secret.txt").write_text("do not touch")

    def take_in(self, hostile: Hostile) -> Staged | str:
        """Up to the walker, all in this process; the fault it was refused for, or what may be given to a child."""
        self.upload.unlink(missing_ok=True)
        self.upload.write_bytes(hostile.data)
        try:
            staged = stage_upload(self.upload, hostile.name, self.quarantine, sha256=None, limit_bytes=1 << 20)
            check_structure(staged)
        except BadFile as bad:
            return bad.fault if bad.detail else "without a word"
        assert {path.name for path in self.quarantine.iterdir()} <= set(MEMBERS)
        return staged


def by_child(path: Path) -> str:
    try:
        examine(path, sample=None)
    except BadFile as bad:
        return bad.fault.value
    return "read"


@pytest.mark.faults
@pytest.mark.feature("N5")
@pytest.mark.parametrize("seed", [SEED], ids=lambda seed: f"seed={seed}")
def test_every_hostile_file_is_refused_by_name_or_behaves_and_nothing_on_disk_changes(tmp_path: Path, seed: int) -> None:
    kitchen, corpus, passed = Kitchen(tmp_path / "kitchen"), Corpus(seed), tmp_path / "passed"
    passed.mkdir()
    before = all_files(kitchen.folder)
    counts: Counter[str] = Counter()
    kept: list[tuple[Hostile, Path]] = []
    for number in range(FILES):
        hostile = corpus.next()
        taken = kitchen.take_in(hostile)
        if isinstance(taken, str):
            assert not hostile.sound, f"{hostile.how} was refused: {taken}"
            counts[str(taken)] += 1
            continue
        path = passed / f"{number}.faiss"
        path.write_bytes(taken.index_path.read_bytes())
        kept.append((hostile, path))
    kitchen.upload.unlink()
    for path in kitchen.quarantine.iterdir():
        path.unlink()
    assert all_files(kitchen.folder) == before
    outcomes = read_all([path for _, path in kept])
    for (hostile, path), outcome in list(zip(kept, outcomes, strict=True))[:OWN_CHILDREN]:
        assert by_child(path) == outcome, hostile.how
    assert all(outcome == "read" for (hostile, _), outcome in zip(kept, outcomes, strict=True) if hostile.sound)
    counts.update(outcomes)
    told_of = ", ".join(f"{count:,} {what}" for what, count in counts.most_common())
    sys.stderr.write(f"\nseed {seed}, {FILES:,} files: {told_of}\n")
    assert (sum(counts.values()), counts["without a word"]) == (FILES, 0)
    told = {Fault.BAD_STRUCTURE, Fault.UNKNOWN_KIND, Fault.NAMES_ANOTHER_FILE, Fault.BAD_ARCHIVE, Fault.BAD_MANIFEST, Fault.WRONG_EXTENSION}
    assert set(counts) >= {*told, Fault.NOT_FINITE}, f"not all kinds of harm came about: {counts}"


def read_all(paths: list[Path]) -> list[str]:
    command = [sys.executable, "-c", READER, str(ROOT / "lib/service/index/sandbox_child.py")]
    before = {path: path.read_bytes() for path in paths}
    told = json.dumps([str(path) for path in paths]).encode()
    done = subprocess.run(command, input=told, capture_output=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    assert before == {path: path.read_bytes() for path in paths}
    outcomes: list[str] = json.loads(done.stdout)
    return outcomes
