"""What an import makes table and Google sheet agree on: staged while the sheet is read, valid with the import, taken back with it.

An export has its own way, for which see ``export_plans``: its moment is in the sheet, that of an import is a transaction here.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.service.storage.schema import agreements

_KEYS_AT_ONCE = 500


def _staged_under(job_id: str) -> str:
    """No tab and no export is called so."""
    return f"import:{job_id}"


def drop_staged(connection: Connection, job_id: str) -> None:
    """Forget what this import, or an earlier attempt of it, has staged."""
    connection.execute(sa.delete(agreements).where(agreements.c.sheet == _staged_under(job_id)))


def stage(connection: Connection, job_id: str, cells_by_key: Sequence[tuple[str, Mapping[str, str]]]) -> None:
    """Add rows that sheet and table will agree on once the import is made; each key once."""
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    rows = [(_staged_under(job_id), key, json.dumps(cells, ensure_ascii=False)) for key, cells in cells_by_key]
    connection.exec_driver_sql(f"INSERT INTO agreements (sheet, key, cells) VALUES ({mark}, {mark}, {mark})", rows)  # noqa: S608 - constants


def read_agreed(connection: Connection, sheet: str, keys: Collection[str]) -> dict[str, dict[str, str]]:
    """Key → column → the value both sides last agreed on, of some keys."""
    found: dict[str, dict[str, str]] = {}
    asked = sorted(keys)
    for start in range(0, len(asked), _KEYS_AT_ONCE):
        some = agreements.c.key.in_(asked[start : start + _KEYS_AT_ONCE])
        rows = connection.execute(sa.select(agreements.c.key, agreements.c.cells).where(agreements.c.sheet == sheet, some))
        found |= {row.key: row.cells for row in rows}
    return found


def put_agreed(connection: Connection, sheet: str, cells_by_key: Mapping[str, Mapping[str, str]]) -> None:
    """These rows are agreed on like this; what is known of others stays."""
    if not cells_by_key:
        return
    mark = "?" if connection.dialect.name == "sqlite" else "%s"
    statement = (
        f"INSERT INTO agreements (sheet, key, cells) VALUES ({mark}, {mark}, {mark}) "  # noqa: S608 - constants
        "ON CONFLICT (sheet, key) DO UPDATE SET cells = excluded.cells"
    )
    connection.exec_driver_sql(statement, [(sheet, key, json.dumps(cells, ensure_ascii=False)) for key, cells in cells_by_key.items()])


_REMEMBER_FORMER = """
UPDATE import_changes SET agreed = (SELECT a.cells FROM agreements a WHERE a.sheet = :sheet AND a.key = import_changes.key)
WHERE job_id = :job_id
"""
# Of rows the plan leaves out, the former agreement stands. What neither side has any more is nobody's to agree on.
_DROP_REPLACED = """
DELETE FROM agreements WHERE sheet = :sheet AND (
  key IN (SELECT key FROM agreements WHERE sheet = :staged)
  OR (
    NOT EXISTS (SELECT 1 FROM entries e WHERE e.key = agreements.key)
    AND key NOT IN (SELECT key FROM plan_rows WHERE plan_id = :plan_id AND (NOT ticked OR change = 'invalid'))
  )
)
"""
_ADOPT = "UPDATE agreements SET sheet = :sheet WHERE sheet = :staged"


def adopt_staged(connection: Connection, *, sheet: str, job_id: str, plan_id: str) -> None:
    """The import is made: what it staged counts from now on. What that replaces is kept with its other changes."""
    values = {"sheet": sheet, "job_id": job_id, "plan_id": plan_id, "staged": _staged_under(job_id)}
    for statement in (_REMEMBER_FORMER, _DROP_REPLACED, _ADOPT):
        connection.execute(sa.text(statement), values)


_REVERSED = "FROM import_changes WHERE job_id = :import_job_id AND outcome = 'reversed'"
_DROP_AGREED = f"DELETE FROM agreements WHERE sheet = :sheet AND key IN (SELECT key {_REVERSED})"  # noqa: S608 - constants
_PUT_BACK = f"INSERT INTO agreements (sheet, key, cells) SELECT :sheet, key, agreed {_REVERSED} AND agreed IS NOT NULL"


def take_back_agreed(connection: Connection, *, sheet: str, import_job_id: str) -> None:
    """The import was undone: of the rows that went back, what was agreed before counts again."""
    values = {"sheet": sheet, "import_job_id": import_job_id}
    for statement in (_DROP_AGREED, _PUT_BACK):
        connection.execute(sa.text(statement), values)
