"""Settings: every declared one can be read and changed within its bounds, with a trace."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from lib.contract.settings import SETTINGS
from tests.service.road import Road, sheet


def put(road: Road, name: str, value: Any, **more: Any) -> Any:
    return road.api.put(f"/api/settings/{name}", json={"value": value, **more})


def test_every_setting_begins_with_its_default_and_nobody_s_name(road: Road) -> None:
    settings = road.get("/api/settings")["settings"]
    assert [(reading["name"], reading["value"], reading["changed_by"]) for reading in settings] == [
        (setting.name, setting.default, None) for setting in SETTINGS.values()
    ]


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_takes_its_bounds_and_refuses_what_lies_beyond(road: Road, name: str) -> None:
    setting = SETTINGS[name]
    good = setting.choices or ((setting.default,) if setting.pattern else (setting.minimum, setting.maximum))
    bad: tuple[Any, ...] = ((setting.minimum or 0) - 1, (setting.maximum or 0) + 1, "7", 10**30)
    if setting.choices or setting.pattern:
        bad = ("non sense", 7)
    for value in good:
        answer = put(road, name, value)
        assert (answer.status_code, answer.json()["value"], answer.json()["default"]) == (200, value, setting.default)
    for value in bad:
        answer = put(road, name, value)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert setting.title in answer.json()["detail"]
        assert answer.json()["errors"][0]["pointer"] == "/body/value"
    for value in (None, [], 1.5, {}):
        assert put(road, name, value).status_code == 422
    reading = next(reading for reading in road.get("/api/settings")["settings"] if reading["name"] == name)
    assert reading["value"] == good[-1], "a refused value changes nothing"
    assert reading["changed_by"]
    assert reading["changed_at"]


def test_a_change_says_from_what_to_what_and_by_whom(road: Road) -> None:
    put(road, "export.keep_days", 3)
    put(road, "export.keep_days", 5)
    action = road.get("/api/audit", limit=1)["items"][0]
    assert (action["action"], action["object_id"], action["before"], action["after"]) == (
        "put_setting",
        "export.keep_days",
        {"value": 3},
        {"value": 5},
    )
    assert action["actor"]


def test_a_change_of_what_has_changed_since_it_was_shown_is_refused(road: Road) -> None:
    put(road, "export.keep_days", 3)
    answer = put(road, "export.keep_days", 9, expected=7)
    assert (answer.status_code, answer.json()["code"]) == (409, "changed_meanwhile")
    assert "is 3 by now" in answer.json()["detail"]
    assert put(road, "export.keep_days", 9, expected=3).status_code == 200


def test_of_many_who_saw_the_same_value_one_may_change_it(road: Road) -> None:
    with ThreadPoolExecutor(10) as crowd:
        answers = list(crowd.map(lambda value: put(road, "export.keep_days", value, expected=7).status_code, range(10, 20)))
    assert sorted(answers) == [200] + [409] * 9


def test_an_unknown_setting_is_not_found(road: Road) -> None:
    assert put(road, "export.everything", 1).json()["code"] == "not_found"


def test_the_model_cannot_change_under_the_vectors_it_made(road: Road) -> None:
    put(road, "embedding.model", "bge-m3")
    road.fill(sheet(1))
    answer = put(road, "embedding.embedder", "openai")
    assert (answer.status_code, answer.json()["gate"]["reason_code"]) == (409, "needs_reembedding")
    assert put(road, "embedding.model", "bge-small").status_code == 200, "that of the other embedder may be prepared"
    assert put(road, "embedding.embedder", "wordllama").status_code == 200
    audited = road.get("/api/audit")["items"]
    assert "refused: needs_reembedding" in {action["outcome"] for action in audited}
