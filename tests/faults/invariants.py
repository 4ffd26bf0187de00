"""What must hold whenever nothing is under way, however often something was killed on the way there."""

from __future__ import annotations

import hashlib
import random
from typing import Any

import numpy as np
import pyarrow as pa

from lib.contract.states import Actual
from lib.service.index.generations import Generations
from lib.service.index.stored import ids_of
from tests.faults.console import PLACES, Console, until
from tests.faults.road import Sheet
from tests.service.index.files import read_proven

_SAMPLES = 8


def assert_whole(console: Console, sheet: Sheet, *, seed: int = 0) -> None:
    """Table, queue, vectors, index, jobs, locks and processes: each as if nothing had ever happened."""
    assert_table_is(console, sheet)
    assert_embedded_once(console)
    assert_counters_are_true(console)
    assert_index_is_whole(console)
    assert_found_by_own_text(console, sheet, random.Random(seed))
    assert_nothing_is_held(console)
    assert_one_process_per_place(console)


def assert_table_is(console: Console, sheet: Sheet) -> None:
    assert dict(console.query("SELECT key, text FROM entries")) == sheet.texts


def assert_embedded_once(console: Console) -> None:
    """Each entry has exactly one vector of its present text, each text one vector, and nothing waits."""
    current = "SELECT count(*) FROM entries e JOIN embeddings m ON m.entry_id = e.entry_id AND m.content_hash = e.content_hash"
    entries = console.value("SELECT count(*) FROM entries")
    assert console.value(current) == entries
    assert console.value("SELECT count(*) FROM embeddings") == entries
    assert console.query("SELECT state, cause, error, count(*) FROM items GROUP BY 1, 2, 3") == []
    missing = "SELECT count(*) FROM embeddings m LEFT JOIN vectors v USING (content_hash, fingerprint) WHERE v.vector_id IS NULL"
    assert console.value(missing) == 0
    assert console.value("SELECT count(*) - count(DISTINCT content_hash) FROM vectors") == 0


def counts(console: Console) -> dict[str, int]:
    """The kept counters."""
    return dict(console.query("SELECT name, value FROM counters"))


def assert_counters_are_true(console: Console) -> None:
    """What is kept beside the rows equals a count of the rows."""
    real: dict[str, Any] = {"pending": 0, "leased": 0, "failed": 0, "discarded": 0}
    real |= dict(console.query("SELECT state, count(*) FROM items GROUP BY state"))
    real["entries"] = console.value("SELECT count(*) FROM entries")
    kept = counts(console)
    assert {name: kept.get(name, 0) for name in real} == real
    assert kept["embedded_total"] == kept["arrived_total"], "an item was settled twice, or left the queue unsettled"


def assert_index_is_whole(console: Console) -> None:
    """The served file is the published one and holds exactly the table's vectors."""
    generations = Generations(console.data_dir / "index")
    manifest = generations.current()
    assert manifest is not None
    index = read_proven(generations.folder_of(manifest))  # proves the file by its hash
    rows = console.query("SELECT entry_id FROM entries ORDER BY entry_id")
    assert np.sort(ids_of(index)).tolist() == [row[0] for row in rows]
    for entry_id, vector in console.query(
        "SELECT m.entry_id, v.vector FROM embeddings m JOIN vectors v USING (content_hash, fingerprint) ORDER BY random() LIMIT ?", _SAMPLES
    ):
        assert np.array_equal(index.reconstruct(entry_id), np.frombuffer(vector, "<f4")), f"entry {entry_id}: another vector in the index"

    def told() -> bool:  # until the new one is open the service answers from the one before, and says so
        reading = console.client.get_index()
        return (reading.vectors, reading.unindexed, reading.generation) == (len(rows), 0, manifest.generation)

    until(told, 15, f"a reading that tells of generation {manifest.generation} with {len(rows)} vectors and nothing left to index")
    assert not list((console.data_dir / "index").glob("building-*"))


def assert_found_by_own_text(console: Console, sheet: Sheet, chance: random.Random) -> None:
    for key in chance.sample(sorted(sheet.texts), _SAMPLES):
        hits = console.client.search_index(sheet.texts[key], k=3).hits
        assert key in [hit.key for hit in hits if hit.score > 0.999], f"{key} is not found by its own text"


def assert_nothing_is_held(console: Console) -> None:
    """No job runs, no lock is taken, no half-written file lies about, and every gate says so."""
    assert console.query("SELECT job_id, operation FROM locks") == []
    assert console.query("SELECT job_id, state FROM jobs WHERE state IN ('queued', 'running')") == []
    assert console.query("SELECT job_id, reason FROM holds") == []
    assert not list((console.data_dir / "exports").glob("*.part*"))
    assert not list((console.data_dir / "snapshots").glob(".*.part"))
    assert not list((console.data_dir / "maps").glob("building-*"))
    for reading in console.client.list_operations().operations:
        assert reading.gate.allowed, reading.gate
    waiting = "SELECT workflow_uuid, status FROM workflow_status WHERE status IN ('PENDING', 'ENQUEUED')"
    # A job has ended a moment before the engine has noted that its workflow has.
    until(lambda: not console.query(waiting), 20, "an engine that holds no work of jobs that have ended")


def assert_map_is_whole(console: Console) -> str:
    """The newest map has all of its points, byte for byte those it announces; its id."""
    newest = console.client.get_map().latest
    assert newest is not None
    points = console.client.get_map_points(newest.map_id)
    assert (len(points), hashlib.sha256(points).hexdigest()) == (newest.points_bytes, newest.points_sha256)
    assert pa.ipc.open_stream(points).read_all().num_rows == newest.points
    return newest.map_id


def assert_one_process_per_place(console: Console) -> None:
    def settled() -> bool:
        workers = console.client.list_workers().workers
        alive = {worker.worker_id for worker in workers if not worker.stale and worker.actual not in (Actual.STARTING, Actual.STOPPED)}
        filled = {name: len(processes) for name, processes in console.places().items()}
        return filled == dict.fromkeys(PLACES, 1) and alive == set(PLACES)

    until(settled, 20, "exactly one living process in each place")
