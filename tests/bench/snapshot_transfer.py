"""How much memory the console's process takes while a large snapshot goes down and comes up again.

``python -m tests.bench.snapshot_transfer [vectors]``: a real console, an index of random vectors (1,000,000 × 256 is 1 GB), the
complete set downloaded by the client and uploaded again in slices. Prints the peak above what the process had before.
"""

from __future__ import annotations

import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import psutil

from lib.contract.model import utc_now
from lib.service.config import Config
from lib.service.index.build import new_index
from lib.service.index.bundle import Bundle
from lib.service.index.generations import Generations
from lib.service.index.saved import save_copy
from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate
from lib.service.storage.snapshots import put_snapshot
from tests.faults.console import Console

DIMENSION = 256
MIB = 1 << 20


def batches(vectors: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Ids and random directions."""
    chance = np.random.default_rng(1)
    for start in range(0, vectors, 50_000):
        count = min(50_000, vectors - start)
        block = chance.normal(size=(count, DIMENSION)).astype(np.float32)
        yield np.arange(start, start + count, dtype=np.int64), block / np.linalg.norm(block, axis=1, keepdims=True)


def publish(config: Config, vectors: int) -> str:
    """An index of ``vectors`` random vectors, and a snapshot of it; the snapshot's id."""
    generations = Generations(config.index_dir)
    content = new_index(batches(vectors), factory="IDMap2,Flat", dimension=DIMENSION, expected=vectors)
    served = generations.publish(content, embedder="random", fingerprint="r" * 16, revision=1, job_id="bench")
    snapshot_id = "b" * 32
    facts = save_copy(generations.folder_of(served), served, config.snapshots_dir / snapshot_id, table_sha256="0" * 64)
    bundle = Bundle(config.snapshots_dir / snapshot_id).facts()
    database = Database(config.url)
    migrate(database)
    with database.write() as connection:
        put_snapshot(
            connection, snapshot_id=snapshot_id, name="bench", note="", generation=1, vectors=vectors, dimension=DIMENSION,
            embedder="random", size_bytes=facts.size_bytes, sha256=served.index_file.sha256, taken_at=utc_now(), taken_by="bench",
            job_id="bench", automatic=False, bundle_sha256=bundle.sha256, bundle_bytes=bundle.size_bytes,
        )  # fmt: skip
    database.close()
    return snapshot_id


@contextmanager
def peak_of(process: psutil.Process, what: str, size: int) -> Iterator[None]:
    """Prints by how much the process grew above what it had, what stays of that, and how fast it was.

    Its own memory only: the pages of a file that is mapped are the system's.
    """

    def own() -> int:
        info = process.memory_full_info()
        return int(info.uss)

    before, peak, done = own(), 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.1):
            peak = max(peak, own())

    watcher, began = threading.Thread(target=watch), time.monotonic()
    watcher.start()
    try:
        yield
    finally:
        seconds = time.monotonic() - began
        done.set()
        watcher.join()
    time.sleep(1)
    grown, stays = (peak - before) / MIB, (own() - before) / MIB
    speed = size / MIB / seconds
    print(f"{what:9} {size / MIB:8.0f} MiB, {seconds:6.1f} s, {speed:5.0f} MiB/s: +{grown:5.1f} MiB at most, +{stays:5.1f} after")


def main() -> None:
    vectors = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    with tempfile.TemporaryDirectory() as folder:
        config = Config(data_dir=Path(folder) / "data")
        config.create_folders()
        snapshot_id = publish(config, vectors)
        console = Console(config.data_dir, pages=True, environment={"SWITCHYARD_WORKERS": "1"}).start()
        try:
            time.sleep(5)
            process, target = psutil.Process(console.process.pid), Path(folder) / "set.switchyard.tar"
            size = Bundle(config.snapshots_dir / snapshot_id).size_bytes
            with peak_of(process, "download", size):
                console.client.download_snapshot(snapshot_id, target)
            with peak_of(process, "upload", size), target.open("rb") as file:
                console.client.upload_file(target.name, file)
        finally:
            console.sweep()


if __name__ == "__main__":
    main()
