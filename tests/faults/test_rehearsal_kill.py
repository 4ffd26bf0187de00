"""kill −9 of the real worker in the middle of a rehearsal: production is as it was to the byte, and the next life finishes it."""

from __future__ import annotations

import hashlib
from uuid import uuid4

import pytest

from lib.contract.rehearsals import ImportChange, RehearseRequest
from tests.faults.conftest import Open
from tests.faults.console import Console
from tests.faults.invariants import assert_nothing_is_held
from tests.faults.road import Sheet, import_sheet, running_phase, start_import, start_preview, wait_job, wait_plan, wait_searchable
from tests.faults.strike import Strike
from tests.service.probes import hash_files

pytestmark = pytest.mark.faults

TABLES = ("entries", "items", "vectors", "embeddings", "removals", "counters", "plans", "plan_rows", "settings", "snapshots")


def production(console: Console) -> dict[str, str]:
    """Every row of what people gave us and what came of it, and every file that is served or saved."""
    rows = {table: hashlib.sha256(repr(console.query(f"SELECT * FROM {table}")).encode()).hexdigest() for table in TABLES}
    return rows | {
        name: found for folder in ("index", "snapshots", "uploads") for name, found in hash_files(console.data_dir / folder).items()
    }


@pytest.mark.feature("M15")
def test_a_rehearsal_whose_worker_is_killed_touches_nothing_and_is_made_by_the_next_life(open_console: Open) -> None:
    console = open_console().start()
    sheet = Sheet(rows=3_000)
    import_sheet(console, sheet)
    console.client.pause_workers("nobody else embeds")
    plan_id = start_preview(console, Sheet(rows=9_000, seed=2))
    wait_plan(console, plan_id)
    before = production(console)
    strike = Strike(console, "operations-1")
    job_id = console.client.start_rehearsal(RehearseRequest(change=ImportChange(plan_id=plan_id), rows=10_000), uuid4().hex)
    strike.when(lambda: running_phase(console, "rehearse") == "embedding the sample as it would be", job_id)
    result = wait_job(console, job_id).result
    assert result is not None
    assert (result["rows"], result["embedded"]) == (9_000, 9_000)
    assert production(console) == before
    assert_nothing_is_held(console)
    report = console.client.get_rehearsal(job_id)
    assert (report.counts.changed, report.counts.new, report.to_embed) == (3_000, 6_000, 0)
    applied = wait_job(console, start_import(console, plan_id)).result
    assert applied is not None
    assert applied["to_embed"] == 0, "every vector was taken from the rehearsal, with the embedding workers paused"
    wait_searchable(console)
    assert console.client.get_index().vectors == 9_000
