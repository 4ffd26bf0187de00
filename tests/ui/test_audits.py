"""What people did, as a person reads it."""

from __future__ import annotations

import pytest

from lib.contract.audit import AuditEntry
from lib.ui.audits import audit_table
from tests.pages.canned import now

EXPORT = {
    "target": {"kind": "file", "format": "csv", "spreadsheet_safe": True},
    "filter": {"text": None, "fields": {}, "state": "failed"},
    "columns": ["owner", "team"],
    "plan_id": "f" * 32,
    "rows": 0,
}


def row(before: dict[str, object] | None, after: dict[str, object]) -> str:
    who = {"actor": "ann", "action": "start_export", "object_id": None, "outcome": "started", "request_id": None}
    entry = AuditEntry.model_validate({"audit_id": 1, "at": now(), "before": before, "after": after, **who})
    return audit_table([entry], caption="What people did")


@pytest.mark.feature("X6")
def test_what_was_asked_for_is_told_in_words_without_what_is_empty():
    told = row(None, EXPORT)
    assert "target kind: file, target format: csv, target spreadsheet safe: yes, filter state: failed, columns: owner · team" in told
    assert "plan id: ffffffff…, rows: 0" in told
    assert not any(word in told for word in ("None", "null", "filter text", "{"))


@pytest.mark.feature("X6")
@pytest.mark.parametrize(("before", "after", "words"), [("", 5, "value: empty → value: 5"), (True, False, "value: yes → value: no")])
def test_a_change_shows_both_sides_also_when_one_was_empty(before, after, words):
    assert words in row({"value": before}, {"value": after})
