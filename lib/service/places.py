"""Going somewhere by a few letters: jobs, plans, snapshots and rows, found by the indexes of their ids and keys."""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.places import Place, PlaceKind, PlacePage
from lib.contract.states import ItemState
from lib.service.storage import places as rows
from lib.service.storage.database import Database

#: Characters of a row's text that a list of places shows.
EXCERPT = 120


def find_places(database: Database, text: str, limit: int) -> PlacePage:
    """What ``text`` may mean: the beginning of an id or a key, the number of an entry, or words of a row or of a snapshot's name."""
    began, wanted = time.monotonic(), " ".join(text.split())
    with database.read() as connection:
        found = [
            *(_job(row) for row in rows.find_jobs(connection, wanted, limit)),
            *(_plan(row) for row in rows.find_plans(connection, wanted, limit)),
            *(_snapshot(row) for row in rows.find_snapshots(connection, wanted, limit)),
        ]
        found += [_entry(row) for row in rows.find_entries(connection, wanted, max(1, limit - len(found)))]
    return PlacePage(items=found[:limit], seconds=time.monotonic() - began, taken_at=utc_now())


def _job(row: sa.Row[Any]) -> Place:
    detail = f"{row.state}, asked by {row.requested_by}"
    return Place(kind=PlaceKind.JOB, title=f"{row.operation} {row.job_id[:8]}", detail=detail, link=f"/?job={row.job_id}")


def _plan(row: sa.Row[Any]) -> Place:
    return Place(
        kind=PlaceKind.PLAN, title=f"{row.source_name} {row.plan_id[:8]}", detail=str(row.state), link=f"/Import?plan={row.plan_id}"
    )


def _snapshot(row: sa.Row[Any]) -> Place:
    return Place(kind=PlaceKind.SNAPSHOT, title=row.name, detail=f"generation {row.generation}", link=f"/Index?snapshot={row.snapshot_id}")


def _entry(row: sa.Row[Any]) -> Place:
    failed = row.item == ItemState.FAILED
    return Place(
        kind=PlaceKind.FAILURE if failed else PlaceKind.ENTRY,
        title=row.key,
        detail=" ".join(row.text[:EXCERPT].split()),
        link=f"/Queue?row={row.entry_id}",
    )
