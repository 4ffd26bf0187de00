"""Canned readings of a sheet: its head, and the rows of its plan."""

from __future__ import annotations

from lib.contract.imports import ColumnMapping, ColumnSuggestion, FieldDifference, PlanRow, ReadAs, RowError, SheetColumns
from lib.contract.states import Change, Confidence, RowRule, SheetFormat

MAPPING = ColumnMapping(key="key", text=["title", "advice"], fields=["category", "owner", "updated"])


def columns() -> SheetColumns:
    return SheetColumns(
        columns=["key", "title", "advice", "category", "owner", "updated"],
        sample=[
            [
                "KB-001",
                "Customer cannot log in",
                "Ask which address they use, then send a fresh sign-in link.",
                "Access",
                "Maria",
                "2025-03-01",
            ],
            [
                "KB-002",
                "Invoice shows the wrong address",
                "Correct it in Billing, then send the invoice again.",
                "Billing",
                "Jonas",
                "2025-02-11",
            ],
            ["KB-003", "Export is empty", "Check the filter: an old one may still be set.", "Product", "Aiko", "2025-01-30"],
        ],
        read_as=ReadAs(format=SheetFormat.CSV, encoding="utf-8", delimiter=","),
        suggested=MAPPING,
        suggestions=[
            ColumnSuggestion(column="key", use="key", confidence=Confidence.SURE, why="its name says so, and its first cells differ"),
            ColumnSuggestion(column="title", use="text", confidence=Confidence.LIKELY, why="its cells have about 24 characters"),
            ColumnSuggestion(column="advice", use="text", confidence=Confidence.SURE, why="its cells have about 61 characters"),
            ColumnSuggestion(column="category", use="field", confidence=Confidence.GUESS, why="its cells are short"),
        ],
    )


def plan_rows() -> list[PlanRow]:
    return [
        PlanRow(
            position=1,
            row=2,
            change=Change.NEW,
            key="KB-001",
            text="Customer cannot log in. Ask which address they use, then send a fresh sign-in link.",
        ),
        PlanRow(
            position=2,
            row=3,
            change=Change.CHANGED,
            key="KB-002",
            text="Invoice shows the wrong address.",
            differences=[
                FieldDifference(
                    column="advice", before="Tell them to write to Billing.", after="Correct it in Billing, then send the invoice again."
                ),
                FieldDifference(column="owner", before="Peter", after="Jonas"),
            ],
        ),
        PlanRow(position=3, row=None, change=Change.REMOVED, key="KB-900", text="Fax machine is out of paper."),
        PlanRow(
            position=4,
            row=41,
            change=Change.INVALID,
            key="",
            text="Refund takes long.",
            errors=[
                RowError(code=RowRule.KEY_EMPTY, column="key", value="", rule="The key is empty.", fix="Give the row a key of its own.")
            ],
        ),
    ]
