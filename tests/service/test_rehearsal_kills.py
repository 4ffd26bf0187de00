"""A rehearsal that is cancelled or dies at any step leaves production as it was, and nothing half-made."""

from __future__ import annotations

from typing import Any

import pytest

from lib.service import rehearsals
from lib.service.config import Config
from lib.service.operations import rehearsals as operation
from lib.service.operations import sampling
from lib.service.storage import schema
from lib.service.storage.database import Database
from tests.service.probes import at_every_tell, rows_of
from tests.service.road import Road
from tests.service.test_rehearsals import Contents, better, filled, production, rehearse, try_import
from tests.service.test_restore_kills import Killed, after, die

__all__ = ["filled"]


@pytest.mark.feature("M15", "X3")
def test_a_cancel_leaves_nothing_of_it(filled: Road, config: Config, contents: Contents, monkeypatch: pytest.MonkeyPatch) -> None:
    body, before = try_import(filled, better()), {}
    job_id = filled.start("rehearse", **body).json()["job_id"]

    def cancel(_: Any, phase: str) -> None:
        if phase.startswith("embedding") and not before:
            before.update(production(config, contents))
            assert filled.api.post(f"/api/jobs/{job_id}/cancel", json={}).status_code in (200, 202)

    at_every_tell(monkeypatch, cancel)
    filled.works.perform_all()
    assert filled.job(job_id)["state"] == "cancelled"
    assert not list(config.rehearsals_dir.iterdir())
    assert production(config, contents) == before


MOMENTS: dict[str, tuple[Any, str, Any]] = {
    "before the sample": (operation, "draw_sample", die),
    "while it embeds": (sampling.KeptVectors, "add", after(sampling.KeptVectors.add)),
    "after an index is written": (operation, "write_shadow", after(operation.write_shadow)),
    "before the report has its name": (operation, "write_synced", after(operation.write_synced)),
}


@pytest.mark.feature("M15")
@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_at_any_step_there_is_no_rehearsal_and_the_next_life_makes_it_without_embedding_anew(
    filled: Road, config: Config, contents: Contents, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    body = try_import(filled, better())
    before, embedded = production(config, contents), len(filled.works.embedder.embedded)
    job_id = filled.start("rehearse", **body).json()["job_id"]
    with monkeypatch.context() as killing:
        where, name, how = MOMENTS[moment]
        killing.setattr(where, name, how)
        with pytest.raises(Killed):
            filled.works.perform(job_id)
    assert filled.api.get(f"/api/rehearsals/{job_id}").json()["code"] == "not_ready"
    assert production(config, contents) == before
    rehearsals.sweep_rehearsals(filled.works.database, config)
    filled.works.perform(job_id)
    assert filled.job(job_id)["state"] == "succeeded"
    assert filled.get(f"/api/rehearsals/{job_id}")["embedded"] == 3
    texts = filled.works.embedder.embedded[embedded:]
    assert len([text for text in texts if text != "advice 7"]) == 3, "the question besides"
    assert production(config, contents) == before


def test_a_record_that_was_cut_off_is_never_taken_for_a_vector(filled: Road, config: Config, database: Database) -> None:
    report = rehearse(filled, try_import(filled, better()))
    (path,) = config.rehearsals_dir.glob("*/*/vectors-*.bin")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20] + bytes(20 + len(whole) // 3))  # the last one lost its end, and a block of zeros follows
    job = filled.apply(report["change"]["plan_id"])
    assert (job["result"]["from_cache"], job["result"]["to_embed"]) == (2, 1)
    assert {len(row["vector"]) for row in rows_of(database, schema.vectors)} == {64}
