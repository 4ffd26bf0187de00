"""How fast workers work: what each had processed lately, and how long batches of each size took."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

SAMPLE_SECONDS = 30.0
WINDOW_SECONDS = 900.0
#: So many batches of a size count: what is older fades as new ones come.
MEMORY_BATCHES = 200


@dataclass(frozen=True, slots=True)
class Pace:
    """What batches of one size took on average."""

    rows: float
    seconds: float
    batches: float


def sample_workers(connection: Connection, now: float) -> None:
    """Write down how much each embedding worker has processed, when it is time, and drop what no rate is made of any more."""
    last = connection.execute(sa.text("SELECT MAX(at) FROM worker_samples")).scalar_one()
    if last is not None and now - last < SAMPLE_SECONDS - 1:
        return
    connection.execute(
        sa.text(
            "INSERT INTO worker_samples (worker_id, at, processed) "
            "SELECT worker_id, :now, processed FROM workers WHERE role = 'embedding' AND actual <> 'stopped'"
        ),
        {"now": now},
    )
    for worker_id, kept in list_processed(connection).items():
        connection.execute(
            sa.text("DELETE FROM worker_samples WHERE worker_id = :worker_id AND at < :before AND (at < :first OR at > :last)"),
            {"worker_id": worker_id, "before": now - WINDOW_SECONDS - SAMPLE_SECONDS, "first": kept[0][0], "last": kept[-1][0]},
        )


def list_processed(connection: Connection) -> dict[str, list[tuple[float, int]]]:
    """Worker → (at, processed so far) over the window that ends with its last work, oldest first: nothing of it moves while it is idle."""
    found: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for row in connection.execute(sa.text("SELECT worker_id, at, processed FROM worker_samples ORDER BY worker_id, at")):
        found[row.worker_id].append((row.at, row.processed))
    return {worker_id: _until_last_work(samples) for worker_id, samples in found.items()}


def _until_last_work(samples: list[tuple[float, int]]) -> list[tuple[float, int]]:
    end = next(at for at, processed in samples if processed == samples[-1][1])
    return [sample for sample in samples if end - WINDOW_SECONDS - SAMPLE_SECONDS <= sample[0] <= end]


def add_pace(connection: Connection, *, fingerprint: str, rows: int, seconds: float) -> None:
    """Count one batch."""
    size = 1 << max(0, rows - 1).bit_length()
    connection.execute(
        sa.text(
            "INSERT INTO paces (fingerprint, size, batches, rows, seconds) VALUES (:fingerprint, :size, 1, :rows, :seconds) "
            "ON CONFLICT (fingerprint, size) DO UPDATE SET batches = paces.batches * :fade + 1, rows = paces.rows * :fade + :rows, "
            "seconds = paces.seconds * :fade + :seconds"
        ),
        {"fingerprint": fingerprint, "size": size, "rows": rows, "seconds": seconds, "fade": 1 - 1 / MEMORY_BATCHES},
    )


def list_paces(connection: Connection, fingerprint: str) -> list[Pace]:
    """What batches took, one for each size."""
    statement = sa.text("SELECT * FROM paces WHERE fingerprint = :fingerprint ORDER BY size")
    rows = connection.execute(statement, {"fingerprint": fingerprint})
    return [Pace(row.rows / row.batches, row.seconds / row.batches, row.batches) for row in rows]
