"""Taking an import back: every row as it was, or kept because somebody has changed it since; nothing is embedded again."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.index import SearchRequest
from lib.contract.model import utc_now
from lib.service.gate import UNDO_FOR
from lib.service.operations.runner import JobContext
from lib.service.storage import changes, schema
from lib.service.storage.database import Database
from lib.service.storage.entries import hash_table
from tests.service.probes import locks_and_holds, rows_of, services_of, table_of
from tests.service.road import Road, csv_of, sheet

PROBES = [f"advice {number % 40} of {word}" for number, word in enumerate(["ann", "bob", "eve", "log", "refund"] * 20)]


def post_undo(road: Road, job_id: str, **query: Any) -> Any:
    return road.api.post(f"/api/operations/import/{job_id}/undo", json={}, params=query)


def undo(road: Road, job_id: str) -> dict[str, Any]:
    """Ask for it, perform it; the ended job."""
    answer = post_undo(road, job_id)
    assert answer.status_code == 202, answer.text
    road.works.perform_all()
    return road.job(answer.json()["job_id"])


def report(road: Road, job_id: str, **query: Any) -> dict[str, Any]:
    found: dict[str, Any] = road.get(f"/api/operations/import/{job_id}/undo", **query)
    return found


def outcomes(road: Road, job_id: str) -> dict[str, tuple[str, str]]:
    return {row["key"]: (row["change"], row["outcome"]) for row in report(road, job_id)["rows"]}


def search_all(road: Road) -> list[list[tuple[str, float]]]:
    """Keys and scores of the hits of a hundred searches."""
    search = services_of(road).search
    return [[(hit.key, hit.score) for hit in search.search_index(SearchRequest(text=text, k=10)).hits] for text in PROBES]


def everything(database: Database) -> tuple[Any, ...]:
    """Hashes of all rows, the rows themselves, and which vector is whose."""
    with database.read() as connection:
        vectors = sa.select(schema.embeddings.c.entry_id, schema.embeddings.c.content_hash, schema.embeddings.c.fingerprint)
        whose = [tuple(row) for row in connection.execute(vectors.order_by(schema.embeddings.c.entry_id))]
        return hash_table(connection), table_of(database), whose


def mixed(numbers: range, *, but: dict[int, tuple[str, str]]) -> str:
    return csv_of(*((f"k{number}", *but.get(number, (f"advice {number}", "ann"))) for number in numbers))


@pytest.mark.feature("M2", "I10")
def test_import_then_undo_leaves_every_row_and_a_hundred_searches_as_they_were_and_embeds_nothing(
    road: Road, database: Database, counters_are_true: Callable[[], None]
) -> None:
    road.fill(mixed(range(40), but={}))
    before, found = everything(database), search_all(road)
    # Text changed, a field changed, added and, because it is a mirror, removed: 0 to 7 are not in it.
    changed = mixed(range(8, 50), but={10: ("quite another text", "ann"), 11: ("advice 12", "ann"), 12: ("advice 12", "bob")})
    job = road.import_sheet(changed, mode="mirror")
    assert (job["result"]["new"], job["result"]["changed"], job["result"]["removed"]) == (10, 3, 8)
    assert len(road.embed()) == 11, "of the new texts; that of k12 was known"
    road.run("refresh")
    assert everything(database) != before
    assert search_all(road) != found

    ended = undo(road, job["job_id"])
    assert ended["state"] == "succeeded", ended["error"]
    assert {"reversed": 21, "kept": 0, "to_embed": 0, "from_cache": 10}.items() <= ended["result"].items()
    counters_are_true()
    assert everything(database) == before
    assert (road.queue()["pending"], road.queue()["embedded"]) == (0, 40)
    assert road.embed() == [], "every vector came from the cache"
    road.run("refresh")
    assert search_all(road) == found


@pytest.mark.feature("M2")
def test_undo_before_anything_was_embedded_empties_the_queue_of_it(road: Road, database: Database) -> None:
    road.fill(sheet(1, 2))
    before = everything(database)
    job = road.import_sheet(sheet(2, 3, text="not yet embedded {}"))
    road.works.worker()._claim(road.works.embedder.fingerprint)  # a worker has them in hand
    undo(road, job["job_id"])
    assert everything(database) == before
    assert (road.queue()["pending"], road.queue()["leased"], road.queue()["entries"]) == (0, 0, 2)
    assert road.get("/api/index")["unindexed"] == 0


@pytest.mark.feature("M2")
def test_rows_that_were_changed_or_removed_since_are_kept_and_listed(road: Road, database: Database) -> None:
    road.import_sheet(sheet(1, 2, 3, 4, 5))
    first = road.import_sheet(csv_of(*((f"k{number}", f"first {number}", "ann") for number in (1, 2, 3, 6, 7))), mode="mirror")
    assert first["result"]["removed"] == 2
    # k1 changes again, k2 goes, k4 (removed by the first) comes back by itself, k6 (added by the first) goes.
    rows = [("k1", "second 1", "ann"), ("k3", "first 3", "ann"), ("k4", "second 4", "ann"), ("k7", "first 7", "ann")]
    second = road.import_sheet(csv_of(*rows), mode="mirror")
    dry = report(road, first["job_id"])
    assert dry["gate"]["allowed"]
    assert outcomes(road, first["job_id"]) == {
        "k1": ("changed", "kept"), "k2": ("changed", "kept"), "k3": ("changed", "reversed"), "k4": ("removed", "kept"),
        "k5": ("removed", "reversed"), "k6": ("new", "kept"), "k7": ("new", "reversed"),
    }  # fmt: skip
    assert dry["counts"] == {"reversed": 3, "kept": 4, "failed": 0}
    assert {row["outcome"]: row["detail"] for row in dry["rows"]} == {
        "reversed": "", "kept": "Changed since the import, so it is left as it is now.",
    }  # fmt: skip

    assert [row["key"] for row in report(road, first["job_id"], outcome="kept", limit=10)["rows"]] == ["k1", "k2", "k4", "k6"]

    ended = undo(road, first["job_id"])
    assert (ended["result"]["reversed"], ended["result"]["kept"]) == (3, 4)
    assert road.keys() == {"k1": "second 1", "k3": "advice 3", "k4": "second 4", "k5": "advice 5"}
    done = report(road, first["job_id"])
    assert (done["rows"], done["counts"], done["undone_by_job"]) == (dry["rows"], dry["counts"], ended["job_id"]), "as it said before"

    undo(road, second["job_id"])
    # k3 was put back by the first undo, so the second has nothing to say about it; k2 and k6 come back as the first import left them.
    assert road.keys() == {"k1": "first 1", "k2": "first 2", "k3": "advice 3", "k5": "advice 5", "k6": "first 6"}


@pytest.mark.feature("M2")
def test_an_undo_is_reported_page_by_page(road: Road) -> None:
    job = road.import_sheet(sheet(*range(7)))
    seen, cursor, sizes = [], None, []
    while True:
        page = report(road, job["job_id"], limit=3, **({"cursor": cursor} if cursor else {}))
        assert page["counts"]["reversed"] == 7
        seen += [row["key"] for row in page["rows"]]
        sizes.append(len(page["rows"]))
        if (cursor := page["next_cursor"]) is None:
            break
    assert (seen, sizes) == ([f"k{number}" for number in range(7)], [3, 3, 1])
    assert road.api.get(f"/api/operations/import/{job['job_id']}/undo", params={"cursor": "x"}).json()["code"] == "bad_cursor"


@pytest.mark.feature("M2")
def test_an_import_is_undone_once_and_can_then_be_imported_again(road: Road, database: Database) -> None:
    content = sheet(1, 2)
    job = road.import_sheet(content)
    ended = undo(road, job["job_id"])
    again = post_undo(road, job["job_id"])
    gate = again.json()["gate"]
    assert (again.status_code, gate["reason_code"], gate["holder"]) == (409, "already_so", ended["job_id"])
    assert gate == report(road, job["job_id"])["gate"]
    assert road.keys() == {}
    plan = road.preview(content)
    assert plan["counts"]["new"] == 2
    second = road.apply(plan["plan_id"])
    assert (second["state"], second["result"]["new"]) == ("succeeded", 2)
    assert road.keys() == {"k1": "advice 1", "k2": "advice 2"}
    assert post_undo(road, second["job_id"]).status_code == 202


@pytest.mark.feature("M2")
def test_a_plan_made_before_an_undo_is_stale_after_it(road: Road) -> None:
    job = road.import_sheet(sheet(1))
    plan = road.preview(sheet(1, text="changed {}"))
    undo(road, job["job_id"])
    assert road.plan(plan["plan_id"])["state"] == "stale"
    assert road.post_import(plan["plan_id"]).json()["gate"]["reason_code"] == "plan_stale"


@pytest.mark.feature("M2")
def test_undo_is_offered_for_thirty_days_and_then_forgotten(road: Road, database: Database) -> None:
    job = road.import_sheet(sheet(1))

    def age(days: int) -> None:
        with database.write() as connection:
            finished = utc_now() - timedelta(days=days)
            connection.execute(sa.update(schema.jobs).where(schema.jobs.c.job_id == job["job_id"]).values(finished_at=finished))
            changes.forget_changes_before(connection, utc_now() - UNDO_FOR)

    age(29)
    assert report(road, job["job_id"])["gate"]["allowed"]
    assert rows_of(database, schema.import_changes) != []
    age(31)
    gate = report(road, job["job_id"])["gate"]
    assert (gate["reason_code"], gate["fix_link"]) == ("not_undoable", f"/Import?job={job['job_id']}")
    assert "30 days" in gate["reason_text"]
    answer = post_undo(road, job["job_id"])
    assert (answer.status_code, answer.json()["gate"]) == (409, gate)
    assert rows_of(database, schema.import_changes) == []


@pytest.mark.feature("M2")
def test_only_an_import_that_was_applied_can_be_undone(road: Road, database: Database) -> None:
    road.import_sheet(sheet(1))
    export, _ = road.export()
    plan = road.preview(sheet(2))
    cancelled = road.post_import(plan["plan_id"]).json()["job_id"]
    running = post_undo(road, cancelled).json()["gate"]
    assert (running["reason_code"], running["holder"]) == ("operation_running", cancelled)
    assert report(road, cancelled)["gate"] == running
    for job_id in ("unknown", export["job_id"]):
        assert post_undo(road, job_id, when_free=True).status_code == 404, "also while another operation runs: nothing waits for it"
        assert road.api.get(f"/api/operations/import/{job_id}/undo").status_code == 404
    road.api.post(f"/api/jobs/{cancelled}/cancel")
    gate = post_undo(road, cancelled).json()["gate"]
    assert (gate["reason_code"], gate["holder"]) == ("not_undoable", cancelled)
    assert "cancelled" in gate["reason_text"]
    assert report(road, cancelled)["rows"] == []


@pytest.mark.feature("M2")
def test_an_undo_that_dies_between_its_commit_and_its_checkpoint_is_not_done_twice(
    road: Road, database: Database, monkeypatch: pytest.MonkeyPatch, counters_are_true: Callable[[], None]
) -> None:
    class Killed(BaseException):
        pass

    road.fill(sheet(1, 2, 3))
    before = everything(database)
    job = road.import_sheet(sheet(3, 4, text="other {}"), mode="mirror")
    job_id = post_undo(road, job["job_id"]).json()["job_id"]
    with monkeypatch.context() as killing:
        killing.setattr(JobContext, "say", lambda *_: (_ for _ in ()).throw(Killed))  # the first thing after the commit
        with pytest.raises(Killed):
            road.works.perform(job_id)
    assert road.job(job_id)["state"] == "running"
    assert everything(database) == before
    first = road.job(job["job_id"])["result"]["undone"]
    road.works.perform(job_id)
    ended = road.job(job_id)
    assert (ended["state"], ended["attempt"]) == ("succeeded", 2)
    assert ended["result"] == first
    assert everything(database) == before
    assert locks_and_holds(database) == ([], [])
    counters_are_true()
