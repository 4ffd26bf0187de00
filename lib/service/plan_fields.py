"""Leaving single columns of a changed row out of a plan: they stay as they are in the table, the others are taken over.

The plan's row always holds exactly what applying it would write. So a column that is left out is put back into it from the entry,
one that is taken back from the differences, and whoever applies the plan need not know.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.plans import TickRequest
from lib.contract.states import Change
from lib.service.errors import ServiceError
from lib.service.operations.comparison import restore_texts, store_texts
from lib.service.sheets.cells import hash_content, hash_record, join_text
from lib.service.storage import plan_rows as rows
from lib.service.storage.entries import get_entries

#: Which of a row's columns stay as they are, and what the row holds then; None when nothing of it would change any more.
Rebuilt = dict[str, Any] | None


def tick_columns(connection: Connection, plan: sa.Row[Any], request: TickRequest) -> tuple[int, list[int]]:
    """Leave these columns of these rows out, or take them back; how many cells that were, and the rows to be unticked or ticked with that.

    Of an unticked row nothing is taken over: to take a column of it is to tick the row, all its other columns left out.
    """
    found = rows.get_plan_rows(connection, plan.plan_id, request.positions or [])
    wrong = [row for row in found if row.change != Change.CHANGED or not {*(request.columns or [])} <= _columns(row)]
    if wrong or len(found) < len({*(request.positions or [])}):
        raise _refuse("columns", "Only columns that differ in a changed row can be left out. Look at the plan again.")
    entries = get_entries(connection, [row.entry_id for row in found])
    named, cells, turned = {*(request.columns or [])}, 0, []
    for row in found:
        before = {*(row.left_out or [])} if row.ticked else _columns(row)
        out = before - named if request.ticked else before | named
        cells += len(before ^ out)
        rebuilt = rebuild(plan.mapping, row, entries[row.entry_id], out)
        if row.ticked != (rebuilt is not None):
            turned.append(row.position)
        rows.put_plan_row(connection, row, rebuilt or rebuild(plan.mapping, row, entries[row.entry_id], set()) or {})
    return cells, turned


def _columns(row: sa.Row[Any]) -> set[str]:
    return {each["column"] for each in row.differences or []}


def rebuild(mapping: dict[str, Any], row: sa.Row[Any], entry: sa.Row[Any], left_out: set[str]) -> Rebuilt:
    """The plan's row with these columns as they are in the entry, and all others as they are in the sheet."""
    of_sheet = restore_texts(row.texts, row.text) | row.fields | {each["column"]: each["after"] for each in row.differences}
    texts_before = restore_texts(entry.texts, entry.text)
    texts: dict[str, str] = {}
    fields: dict[str, str] = {}
    for name in dict.fromkeys((*mapping["text"], *mapping["fields"], *texts_before, *entry.fields)):
        stays = name in left_out
        value = (texts_before | entry.fields).get(name) if stays else of_sheet.get(name)
        if value is not None:
            is_text = name in texts_before if stays else name in mapping["text"]
            (texts if is_text else fields)[name] = value
    text = join_text(texts)
    if not text:
        raise _refuse("columns", f"Row {row.row:,} would have no text left to embed. Take another of its text columns back first.")
    record_hash = hash_record(row.key, texts, fields)
    if left_out and record_hash == bytes(entry.record_hash):
        return None
    return {
        "left_out": sorted(left_out) or None,
        "text": text,
        "texts": store_texts(texts),
        "fields": fields,
        "content_hash": hash_content(text),
        "record_hash": record_hash,
    }


def _refuse(field: str, detail: str) -> ServiceError:
    return ServiceError(ErrorCode.INVALID, detail, errors=[FieldError(pointer=f"/body/{field}", detail=detail)])
