"""What past imports took, from the moment they were applied until nothing waited: what the time left is learned from."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy import Connection

#: So many runs are kept, and so many of the last of them are learned from.
KEEP, LEARN_FROM = 200, 30


@dataclass(frozen=True, slots=True)
class Run:
    """One import's rows, all that waited with them, done by so many workers without anybody interfering."""

    rows: int
    workers: int
    seconds: float


def begin_run(connection: Connection, *, job_id: str, fingerprint: str, rows: int, workers: int, now: float) -> None:
    """An import was applied. One that came before and is not done yet is no run of its own any more."""
    drop_open_run(connection)
    if rows and workers:
        connection.execute(
            sa.text(
                "INSERT INTO runs (job_id, fingerprint, waiting, workers, started_at) VALUES (:job_id, :fingerprint, :rows, :workers, :now)"
            ),
            {"job_id": job_id, "fingerprint": fingerprint, "rows": rows, "workers": workers, "now": now},
        )


def drop_open_run(connection: Connection) -> None:
    """Somebody has interfered, or another import came: how long this one takes says nothing of the next."""
    connection.execute(sa.text("DELETE FROM runs WHERE ended_at IS NULL"))


def end_run(connection: Connection, now: float) -> None:
    """Nothing waits any more."""
    ended = connection.execute(sa.text("UPDATE runs SET ended_at = :now WHERE ended_at IS NULL"), {"now": now}).rowcount
    if ended:
        connection.execute(
            sa.text("DELETE FROM runs WHERE run_id NOT IN (SELECT run_id FROM runs ORDER BY run_id DESC LIMIT :keep)"), {"keep": KEEP}
        )


def list_runs(connection: Connection, fingerprint: str) -> list[Run]:
    """The last runs of this embedder, oldest first."""
    rows = connection.execute(
        sa.text(
            "SELECT waiting, workers, ended_at - started_at AS seconds FROM runs WHERE fingerprint = :fingerprint AND ended_at IS NOT NULL "
            "ORDER BY run_id DESC LIMIT :most"
        ),
        {"fingerprint": fingerprint, "most": LEARN_FROM},
    ).all()
    return [Run(row.waiting, row.workers, row.seconds) for row in reversed(rows)]
