"""The search probe: narrowed by fields, the neighbours of a row, and the generation before beside the served one."""

from __future__ import annotations

from typing import Any

import pytest

from lib.contract.states import FailureCause
from lib.service import search
from tests.service.road import Road, csv_of
from tests.service.works import FakeEmbedder

ROWS = [(f"k{number}", f"advice {number}", "ann" if number % 10 else "bob") for number in range(60)]


@pytest.fixture
def filled(road: Road) -> Road:
    road.fill(csv_of(*ROWS))
    return road


def ask(road: Road, *, expect: int = 200, **body: Any) -> dict[str, Any]:
    answer = road.api.post("/api/index/search", json=body)
    assert answer.status_code == expect, answer.text
    found: dict[str, Any] = answer.json()
    return found


def keys(found: dict[str, Any]) -> list[str]:
    return [hit["key"] for hit in found["hits"]]


@pytest.mark.feature("N7")
def test_a_narrowed_search_looks_further_until_it_has_enough(filled: Road) -> None:
    found = ask(filled, text="advice 7", k=5, fields={"owner": "bob"})
    assert len(found["hits"]) == 5
    assert {hit["fields"]["owner"] for hit in found["hits"]} == {"bob"}
    scores = [hit["score"] for hit in found["hits"]]
    assert scores == sorted(scores, reverse=True)
    assert found["searched"] == len(ROWS), "bob has one row in ten"
    assert ask(filled, text="advice 7", k=5, fields={"owner": "nobody"})["hits"] == []


def test_how_far_it_looked_is_told_when_it_stops_at_its_bound(filled: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(search, "DEEPEST", 30)
    found = ask(filled, text="advice 7", k=5, fields={"owner": "nobody"})
    assert (found["hits"], found["searched"]) == ([], 30)


@pytest.mark.feature("N7")
def test_the_neighbours_of_a_row_are_those_a_search_for_its_text_finds_but_itself(filled: Road) -> None:
    near, searched = ask(filled, like_key="k7", k=5), ask(filled, text="advice 7", k=6)
    assert "k7" not in keys(near)
    assert keys(near) == [key for key in keys(searched) if key != "k7"]


def test_a_row_that_is_not_there_or_has_no_vector_has_no_neighbours(filled: Road) -> None:
    assert "has a vector" in ask(filled, like_key="nobody", expect=404)["detail"]
    filled.import_sheet(csv_of(("late", "still in the queue", "ann")))
    ask(filled, like_key="late", expect=404)


@pytest.mark.feature("N7")
def test_the_generation_before_answers_beside_the_served_one(filled: Road) -> None:
    assert "no generation before" in ask(filled, text="parcel", generation="previous", expect=404)["detail"]
    filled.import_sheet(csv_of(("new", "parcel is late", "ann")))
    filled.embed()
    filled.run("refresh")
    served, before = (ask(filled, text="parcel is late", k=1, generation=which) for which in ("served", "previous"))
    assert (served["generation"], keys(served)) == (2, ["new"])
    assert before["generation"] == 1
    assert keys(before) != ["new"]


def test_a_generation_before_that_is_damaged_or_was_swept_this_moment_is_told_of(filled: Road) -> None:
    filled.import_sheet(csv_of(("new", "parcel is late", "ann")))
    filled.embed()
    filled.run("refresh")
    (path,) = filled.works.config.index_dir.glob("generation-000001/index.faiss")
    path.write_bytes(bytes(path.stat().st_size))
    problem = ask(filled, text="parcel", generation="previous", expect=409)
    assert (problem["code"], "generation 1 cannot be opened" in problem["detail"]) == ("not_ready", True)
    assert ask(filled, text="parcel is late", k=1)["generation"] == 2


@pytest.mark.parametrize("body", [{}, {"text": "a", "like_key": "k1"}, {"text": ""}])
def test_a_search_asks_one_question(filled: Road, body: dict[str, Any]) -> None:
    ask(filled, **body, expect=422)


@pytest.mark.feature("N7")
@pytest.mark.parametrize(
    ("cause", "code"), [("empty_text", "invalid"), ("text_too_long", "invalid"), ("bad_key", "not_ready"), ("unreachable", "not_ready")]
)
def test_a_question_that_cannot_be_embedded_is_told_so_and_never_an_error_of_ours(
    filled: Road, embedder: FakeEmbedder, cause: str, code: str
) -> None:
    embedder.fail("  ", FailureCause(cause))
    problem = ask(filled, text="  ", expect=422 if code == "invalid" else 409)
    assert (problem["code"], "would not do" in problem["detail"], bool(problem["action"])) == (code, True, True)
    assert [error["pointer"] for error in problem["errors"]] == (["/body/text"] if code == "invalid" else [])
