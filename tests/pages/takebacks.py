"""Canned readings of what can be taken back, waits, or is saved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from lib.contract.imports import UndoReport, UndoRow
from lib.contract.operations import Intention
from lib.contract.snapshots import Snapshot
from lib.contract.states import Change, IntentionState, Operation, UndoOutcome
from lib.contract.workers import Hold
from tests.pages.canned import JOB_ID, OPEN, PLAN_ID, ago, now

UNDO_JOB_ID = "9" * 32
INTENTION_ID = "8" * 32
SNAPSHOT_ID = "7" * 32


def undo_report(**more: Any) -> UndoReport:
    """An import of 150 rows, two of which somebody has changed since."""
    rows = [
        UndoRow(
            key=f"KB-{number:03}",
            change=Change.NEW,
            outcome=UndoOutcome.KEPT if number in {7, 140} else UndoOutcome.REVERSED,
            detail="Changed since the import, so it is left as it is now." if number in {7, 140} else "",
        )
        for number in range(1, 151)
    ]
    facts: dict[str, Any] = {
        "job_id": JOB_ID,
        "gate": OPEN,
        "expires_at": now() + timedelta(days=29, hours=23, minutes=56),
        "counts": {"reversed": 148, "kept": 2, "failed": 0},
        "rows": rows,
        "taken_at": now(),
    }
    return UndoReport(**(facts | more))


def intention(**more: Any) -> Intention:
    facts: dict[str, Any] = {
        "intention_id": INTENTION_ID,
        "operation": Operation.IMPORT,
        "state": IntentionState.WAITING,
        "arguments": {"plan_id": PLAN_ID},
        "requested_by": "Maria",
        "created_at": ago(minutes=2),
        "detail": "An export is running, started by Jonas. Wait until it ends, or cancel it.",
    }
    return Intention(**(facts | more))


def snapshot(**more: Any) -> Snapshot:
    facts: dict[str, Any] = {
        "snapshot_id": SNAPSHOT_ID,
        "name": "before the big clean-up",
        "note": "Maria removes the 2023 entries today",
        "generation": 3,
        "vectors": 150,
        "dimension": 256,
        "embedder": "wordllama:l2_supercat_256:1",
        "size_bytes": 159_744,
        "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "taken_at": ago(hours=5),
        "taken_by": "Maria",
        "job_id": "6" * 32,
        "automatic": False,
    }
    return Snapshot(**(facts | more))


def snapshots() -> list[Snapshot]:
    automatic = snapshot(
        snapshot_id="5" * 32,
        name="before import cccccccc",
        note=f"taken by itself before job {JOB_ID}",
        taken_by="local admin",
        automatic=True,
        taken_at=ago(minutes=5),
    )
    return [automatic, snapshot()]


def hold() -> Hold:
    return Hold(job_id=JOB_ID, operation="import", reason="while an import is applied", since=ago(seconds=1))
