"""What building an index costs: ``python -m tests.bench.index_builds [rows]`` prints DESIGN section 13's figures, each from one run.

A rebuild is held against FAISS alone (same vectors: build, write, fsync); a refresh of one row in a hundred against a full rebuild, both as
whole jobs on the real database; and a check of table against index is timed.
"""

from __future__ import annotations

import logging
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import faiss
import numpy as np
import structlog

from lib.contract.model import utc_now
from lib.contract.states import Operation
from lib.service import embedders
from lib.service.config import Config
from lib.service.index.build import new_index
from lib.service.index.generations import Generations
from lib.service.index.reader import IndexReader
from lib.service.storage import jobs
from lib.service.storage.counters import add_to_counters, next_revision
from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate
from tests.service.works import FakeEmbedder, Works

DIMENSION, BATCH, RUNS = 256, 8192, 5
Cost = tuple[float, float]  #: seconds on the wall, seconds of CPU


class NoEmbedder(FakeEmbedder):
    """Its vectors are in the table already."""

    name, fingerprint, dimension = "bench-256", "b" * 16, DIMENSION


def cost_of(action: Callable[[], Any]) -> Cost:
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - wall, time.process_time() - cpu


def best(costs: list[Cost]) -> Cost:
    return min(wall for wall, _ in costs), min(cpu for _, cpu in costs)


def unit_vectors(rows: int, seed: int) -> np.ndarray:
    vectors = np.random.default_rng(seed).normal(size=(rows, DIMENSION)).astype("<f4")
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def batches(vectors: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    ids = np.arange(1, len(vectors) + 1, dtype=np.int64)
    for start in range(0, len(ids), BATCH):
        yield ids[start : start + BATCH], vectors[start : start + BATCH]


def against_raw_faiss(folder: Path, vectors: np.ndarray) -> None:
    generations = Generations(folder / "compared")

    def raw() -> None:
        index = faiss.index_factory(DIMENSION, "IDMap2,Flat", faiss.METRIC_INNER_PRODUCT)
        for ids, rows in batches(vectors):
            index.add_with_ids(rows, ids)
        faiss.write_index(index, str(folder / "raw.faiss"))
        with (folder / "raw.faiss").open("rb") as file:
            os.fsync(file.fileno())

    def ours() -> None:
        content = new_index(batches(vectors), factory="IDMap2,Flat", dimension=DIMENSION, expected=len(vectors))
        generations.publish(content, embedder="bench", fingerprint="b", revision=1, job_id=uuid4().hex)
        generations.sweep()

    pairs = [(cost_of(raw), cost_of(ours)) for _ in range(RUNS)]  # in turns: both meet the same neighbours
    (raw_wall, raw_cpu), (wall, cpu) = best([pair[0] for pair in pairs]), best([pair[1] for pair in pairs])
    print(f"rebuild / raw FAISS, {len(vectors):,} vectors: wall {wall / raw_wall:.2f}  CPU {cpu / raw_cpu:.2f}  (raw {raw_wall:.2f} s)")


def insert_entries(database: Database, ids: range, vectors: np.ndarray) -> None:
    """Entries that have their vectors."""
    now = utc_now().timestamp()
    hashes = [number.to_bytes(16, "big") for number in ids]
    with database.write() as connection:
        rows = [(at, f"k{at}", f"row {at}", h, h, now, now) for at, h in zip(ids, hashes, strict=True)]
        connection.exec_driver_sql(
            "INSERT INTO entries (entry_id, key, text, texts, fields, content_hash, record_hash, import_id, created_at, updated_at) "
            "VALUES (?, ?, ?, '{}', '{}', ?, ?, 'bench', ?, ?)",
            rows,
        )
        put_vectors(connection, ids, hashes, vectors)
        add_to_counters(connection, entries=len(vectors))


def put_vectors(connection: Any, ids: Any, hashes: list[bytes], vectors: np.ndarray) -> None:
    """Embedded just now, all of them in one revision."""
    model, revision, now = NoEmbedder.fingerprint, next_revision(connection), utc_now().timestamp()
    connection.exec_driver_sql(
        "INSERT INTO vectors (content_hash, fingerprint, vector) VALUES (?, ?, ?)",
        [(h, model, row.tobytes()) for h, row in zip(hashes, vectors, strict=True)],
    )
    connection.exec_driver_sql(
        "INSERT OR REPLACE INTO embeddings (entry_id, content_hash, fingerprint, revision, embedded_at) VALUES (?, ?, ?, ?, ?)",
        [(int(at), h, model, revision, now) for at, h in zip(ids, hashes, strict=True)],
    )


def perform(works: Works, operation: Operation) -> Cost:
    job_id = uuid4().hex
    with works.database.write() as connection:
        jobs.insert_job(connection, job_id=job_id, operation=operation, requested_by="bench", arguments={}, now=utc_now())
    cost = cost_of(lambda: works.perform(job_id))
    with works.database.read() as connection:
        job = jobs.get_job(connection, job_id)
    assert job is not None
    assert job.state == "succeeded", job.error
    return cost


def refresh_against_rebuild(works: Works, folder: Path, rows: int) -> None:
    rebuilds, refreshes = [], []
    for turn in range(RUNS):
        rebuilds.append(perform(works, Operation.REBUILD))
        Generations(folder).sweep()  # as housekeeping does, beside the jobs
        ids = range(1 + turn, rows + 1, 100)
        with works.database.write() as connection:
            hashes = [(at << 32 | turn + 1).to_bytes(16, "big") for at in ids]
            connection.exec_driver_sql("UPDATE entries SET content_hash = ? WHERE entry_id = ?", list(zip(hashes, ids, strict=True)))
            put_vectors(connection, ids, hashes, unit_vectors(len(hashes), turn + 1))
        refreshes.append(perform(works, Operation.REFRESH))
        Generations(folder).sweep()
    queries = unit_vectors(50, 99)
    updated = [IndexReader(folder).search(query, 10)[1] for query in queries]
    perform(works, Operation.REBUILD)
    rebuilt = [IndexReader(folder).search(query, 10)[1] for query in queries]
    equal = [[ident for ident, _ in hits] for hits in updated] == [[ident for ident, _ in hits] for hits in rebuilt]
    (full_wall, full_cpu), (wall, cpu) = best(rebuilds), best(refreshes)
    ratios = f"wall {wall / full_wall:.3f}  CPU {cpu / full_cpu:.3f}"
    print(f"refresh of 1 % / full rebuild, {rows:,} rows: {ratios}  (refresh {wall:.3f} s, rebuild {full_wall:.2f} s)")
    print(f"results of both equal: {equal}")


def main(rows: int) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        vectors = unit_vectors(rows, 0)
        against_raw_faiss(folder, vectors)
        config = Config(data_dir=folder / "data", database_url="", token="bench", workers=0)
        config.create_folders()
        database, embedder = Database(config.url), NoEmbedder()
        migrate(database)
        embedders._OPENERS["wordllama"] = lambda *_: embedder
        insert_entries(database, range(1, len(vectors) + 1), vectors)
        works = Works(database, config, embedder)
        refresh_against_rebuild(works, config.index_dir, rows)
        wall, cpu = perform(works, Operation.CHECK)
        print(f"check of table, index and every vector, {rows:,} rows: wall {wall:.2f} s  CPU {cpu:.2f} s")
        database.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 200_000)
