"""The rows of plans: filtered, paged, ticked and unticked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.plans import RowFilter
from lib.contract.states import Change
from lib.service.storage.schema import plan_rows, vectors

#: What an apply would do something with, and so what can be unticked.
APPLICABLE = (Change.NEW, Change.CHANGED, Change.REMOVED)


def list_plan_rows(connection: Connection, plan_id: str, wanted: RowFilter, *, after: int, limit: int) -> list[sa.Row[Any]]:
    """Rows of a plan in the order of the sheet, after the position ``after``."""
    query = sa.select(plan_rows).where(*_matching(plan_id, wanted), plan_rows.c.position > after)
    return list(connection.execute(query.order_by(plan_rows.c.position).limit(limit)).all())


def count_plan_rows(connection: Connection, plan_id: str, wanted: RowFilter) -> int:
    """How many rows match."""
    return int(connection.execute(sa.select(sa.func.count()).where(*_matching(plan_id, wanted))).scalar_one())


def tick_plan_rows(
    connection: Connection, plan_id: str, *, ticked: bool, positions: Sequence[int] | None, wanted: RowFilter, fingerprint: str | None
) -> tuple[dict[str, int], int]:
    """Tick or untick those rows; how many of each change that touched, and how many texts to embed stand in them."""
    which = [*_matching(plan_id, wanted), plan_rows.c.change.in_(APPLICABLE), plan_rows.c.ticked.is_(not ticked)]
    if positions is not None:
        which.append(plan_rows.c.position.in_(positions))
    counted = sa.select(plan_rows.c.change, sa.func.count().label("n")).where(*which).group_by(plan_rows.c.change)
    touched = {row.change: row.n for row in connection.execute(counted)}
    texts = _count_texts(connection, which, fingerprint)
    connection.execute(sa.update(plan_rows).where(*which).values(ticked=ticked))
    return touched, texts


def count_texts(connection: Connection, plan_id: str, positions: Sequence[int], fingerprint: str | None) -> int:
    """How many texts without a vector stand in those of these rows that are ticked."""
    these = [plan_rows.c.plan_id == plan_id, plan_rows.c.position.in_(positions), plan_rows.c.ticked]
    return _count_texts(connection, these, fingerprint)


def _count_texts(connection: Connection, which: list[sa.ColumnElement[bool]], fingerprint: str | None) -> int:
    same_text = (vectors.c.content_hash == plan_rows.c.content_hash) & (vectors.c.fingerprint == (fingerprint or ""))
    to_embed = (
        sa.select(sa.func.count())
        .select_from(plan_rows.outerjoin(vectors, same_text))
        .where(*which, plan_rows.c.change.in_((Change.NEW, Change.CHANGED)), vectors.c.content_hash.is_(None))
    )
    return int(connection.execute(to_embed).scalar_one())


def get_plan_rows(connection: Connection, plan_id: str, positions: Sequence[int]) -> list[sa.Row[Any]]:
    """Some rows of a plan."""
    query = sa.select(plan_rows).where(plan_rows.c.plan_id == plan_id, plan_rows.c.position.in_(positions))
    return list(connection.execute(query.order_by(plan_rows.c.position)).all())


def put_plan_row(connection: Connection, row: sa.Row[Any], values: Mapping[str, Any]) -> None:
    """Change what a row of a plan would write."""
    this = plan_rows.c.plan_id == row.plan_id, plan_rows.c.position == row.position
    connection.execute(sa.update(plan_rows).where(*this).values(**values))


def count_left_out_cells(connection: Connection, plan_id: str) -> int:
    """How many single columns of ticked rows are left out."""
    some = sa.select(plan_rows.c.left_out).where(plan_rows.c.plan_id == plan_id, plan_rows.c.left_out.is_not(None), plan_rows.c.ticked)
    return sum(len(columns) for columns in connection.execute(some).scalars())


def list_partial_rows(connection: Connection, plan_id: str) -> dict[int, sa.Row[Any]]:
    """(row, key, left_out) of the rows of which some columns are left out, by their number in the source."""
    some = plan_rows.c.plan_id == plan_id, plan_rows.c.left_out.is_not(None), plan_rows.c.ticked
    query: sa.Select[Any] = sa.select(plan_rows.c.row, plan_rows.c.key, plan_rows.c.left_out).where(*some)
    return {row.row: row for row in connection.execute(query)}


def _matching(plan_id: str, wanted: RowFilter) -> list[sa.ColumnElement[bool]]:
    which: list[sa.ColumnElement[bool]] = [plan_rows.c.plan_id == plan_id]
    if wanted.change:
        which.append(plan_rows.c.change == wanted.change)
    if wanted.rule:
        # As the comparison writes it: inside a cell's text the quotation marks would stand escaped, so nothing else can match.
        which.append(plan_rows.c.change == Change.INVALID)
        which.append(sa.cast(plan_rows.c.errors, sa.Text).contains(f'"code": "{wanted.rule}"', autoescape=True))
    if wanted.text:
        text = wanted.text.replace("\x00", "␀")
        which.append(plan_rows.c.key.contains(text, autoescape=True) | plan_rows.c.text.contains(text, autoescape=True))
    if wanted.ticked is not None:
        which.append(plan_rows.c.ticked.is_(wanted.ticked))
    return which
