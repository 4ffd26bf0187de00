"""What an index in lists costs and is worth at its real size: ``python -m tests.bench.lists [rows]``, 1.6 million by default.

The vectors are clustered, as those of texts are, and come from the real database. A rebuild, a refresh of one row in a thousand and a
deep check are performed as whole jobs; the check's own figures say how good the index is. Needs about 6 GB of disk.
"""

from __future__ import annotations

import logging
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import structlog

from lib.contract.states import Operation
from lib.service import embedders
from lib.service.config import Config
from lib.service.index.generations import Generations
from lib.service.operations import runner
from lib.service.storage import drift
from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate
from tests.bench.index_builds import DIMENSION, NoEmbedder, insert_entries, perform, put_vectors
from tests.service.works import Works

CLUSTERS, BATCH, MIB = 4000, 50_000, 1 << 20


def clustered(rows: int) -> Iterator[tuple[range, np.ndarray]]:
    """Entry ids and vectors around a few thousand directions."""
    chance = np.random.default_rng(2)
    centres = chance.normal(size=(CLUSTERS, DIMENSION)).astype("<f4")
    for start in range(0, rows, BATCH):
        count = min(BATCH, rows - start)
        block = centres[chance.integers(0, CLUSTERS, count)] + 0.8 * chance.standard_normal((count, DIMENSION), np.float32)
        yield range(start + 1, start + count + 1), block / np.linalg.norm(block, axis=1, keepdims=True)


class Watched:
    """The process while a job is performed: its greatest growth, and the longest time it said nothing of its progress."""

    def __init__(self, what: str) -> None:
        self._what, self._over, self._told, self.silent = what, threading.Event(), time.monotonic(), 0.0

    def __enter__(self) -> None:
        process = psutil.Process()
        before, self._began, real = process.memory_full_info().uss, time.monotonic(), runner.JobContext.tell
        self._told, self._grown, self._real = self._began, 0, real

        def watch() -> None:
            while not self._over.wait(0.2):
                self._grown = max(self._grown, process.memory_full_info().uss - before)

        def tell(context: runner.JobContext, phase: str, done: int = 0, total: int | None = None) -> None:
            now = time.monotonic()
            self.silent, self._told = max(self.silent, now - self._told), now
            real(context, phase, done, total)

        runner.JobContext.tell = tell  # type: ignore[method-assign]
        self._watcher = threading.Thread(target=watch)
        self._watcher.start()

    def __exit__(self, *_: object) -> None:
        seconds = time.monotonic() - self._began
        self._over.set()
        self._watcher.join()
        runner.JobContext.tell = self._real  # type: ignore[method-assign]
        silent = f"silent for {self.silent:.1f} s at most"
        print(f"{self._what:8} {seconds:6.1f} s, +{self._grown / MIB:.0f} MiB at most, {silent}", flush=True)


def main(rows: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as name:
        config = Config(data_dir=Path(name) / "data", database_url="", token="bench", workers=0)
        config.create_folders()
        database, embedder = Database(config.url), NoEmbedder()
        migrate(database)
        embedders._OPENERS["wordllama"] = lambda *_: embedder
        for ids, vectors in clustered(rows):
            insert_entries(database, ids, vectors)
        works = Works(database, config, embedder)
        with Watched("rebuild"):
            perform(works, Operation.REBUILD)
        served = Generations(config.index_dir).current()
        assert served is not None
        print(f"{served.factory}, {served.vectors:,} vectors, {served.index_file.size_bytes / MIB:,.0f} MiB", flush=True)
        changed = range(1, rows + 1, 1000)
        with database.write() as connection:
            hashes = [(at << 32 | 1).to_bytes(16, "big") for at in changed]
            connection.exec_driver_sql("UPDATE entries SET content_hash = ? WHERE entry_id = ?", list(zip(hashes, changed, strict=True)))
            put_vectors(connection, changed, hashes, next(clustered(len(hashes)))[1])
        with Watched("refresh"):
            perform(works, Operation.REFRESH)
        with Watched("check"):
            perform(works, Operation.CHECK)
        with database.read() as connection:
            check = drift.latest_check(connection)
        assert check is not None
        assert check.recall is not None
        assert check.vectors is not None
        print(f"disagreements: {check.drift.total}; {check.recall}; {check.vectors.lists}")
        database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1_600_000)
