"""What is new since somebody last looked, and moments that a link can lead back to."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from lib.contract.model import utc_now
from lib.contract.moments import Moment
from lib.contract.visits import Visit
from lib.service.storage import moments
from lib.service.storage.database import Database
from lib.service.storage.schema import jobs, visits
from lib.service.visits import AWAY, record_visit
from tests.service.road import Road, sheet


def look(road: Road) -> Visit:
    answer = road.api.post("/api/visits", json={})
    assert answer.status_code == 200, answer.text
    return Visit.model_validate(answer.json())


def leave(database: Database) -> None:
    """Nobody has looked for longer than a visit lasts, and what has happened so far was before that."""
    with database.write() as connection:
        connection.execute(sa.update(visits).values(seen_at=utc_now() - AWAY - timedelta(seconds=1)))
        connection.execute(sa.update(jobs).values(finished_at=utc_now() - 2 * AWAY))


@pytest.mark.feature("H3")
def test_the_first_visit_has_nothing_to_compare_with(road: Road) -> None:
    road.fill(sheet(1, 2))
    first = look(road)
    assert first.since is None
    assert first.jobs == []


@pytest.mark.feature("H3")
def test_a_new_visit_tells_what_ran_what_became_of_rows_what_failed_and_what_was_set(road: Road) -> None:
    road.fill(sheet(1, 2))
    look(road)
    leave(road.works.database)
    road.works.embedder.fail("hopeless")
    road.import_sheet(sheet(2, 3, text="hopeless"))
    road.embed()
    road.api.put("/api/settings/export.keep_days", json={"value": 3})
    visit = look(road)
    assert (visit.rows_new, visit.rows_changed, visit.rows_removed) == (1, 1, 0)
    assert {(each.operation, each.state): each.count for each in visit.jobs}["import", "succeeded"] >= 1
    assert [(each.cause, each.count, each.is_new) for each in visit.failures] == [("unexpected", 2, True)]
    assert visit.settings == ["export.keep_days"]


@pytest.mark.feature("H3")
def test_looking_again_within_a_visit_compares_with_the_same_moment_and_each_person_with_their_own(database: Database) -> None:
    record_visit(database, "ann")
    leave(database)
    since = record_visit(database, "ann").since
    assert since is not None
    assert record_visit(database, "ann").since == since
    assert record_visit(database, "bob").since is None


@pytest.mark.feature("M8")
def test_a_moment_keeps_the_figures_of_then_whatever_happens_later(road: Road) -> None:
    road.fill(sheet(1, 2))
    kept = Moment.model_validate(road.api.post("/api/moments", json={}).json())
    road.fill(sheet(3, 4))
    then = Moment.model_validate(road.get(f"/api/moments/{kept.moment_id}"))
    assert then == kept
    assert (then.queue.entries, road.get("/api/queue")["entries"]) == (2, 4)
    assert then.moment_id.startswith(f"{then.taken_at:%Y%m%dT%H%M%SZ}")


@pytest.mark.feature("M8")
def test_a_moment_that_is_gone_is_an_error_in_words(road: Road, database: Database) -> None:
    moment_id = road.api.post("/api/moments", json={}).json()["moment_id"]
    with database.write() as connection:
        moments.forget_moments(connection, utc_now() + timedelta(seconds=1))
    answer = road.api.get(f"/api/moments/{moment_id}")
    assert answer.status_code == 404
    assert "kept for 30 days" in answer.json()["detail"]
