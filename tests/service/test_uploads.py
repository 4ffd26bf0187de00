"""Files on their way in: announced, sent in slices, resumed; and never trusted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect
from starlette.testclient import TestClient

from lib.service.app import MAX_BODY_BYTES
from lib.service.config import Config
from lib.service.storage.database import Database
from lib.service.suggestions import guess_columns
from lib.service.uploads import Uploads
from tests.service.road import Road, csv_of


def announce(api: TestClient, size_bytes: int, name: str = "a.csv") -> str:
    answer = api.post("/api/uploads", json={"name": name, "size_bytes": size_bytes})
    assert answer.status_code == 201, answer.text
    path: str = f"/api/uploads/{answer.json()['upload_id']}"
    return path


def offset_of(api: TestClient, path: str) -> int:
    return int(api.head(path).headers["Upload-Offset"])


def stored(config: Config, path: str) -> bytes:
    return (config.uploads_dir / Path(path).name).read_bytes()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(min_size=1, max_size=200), cuts=st.lists(st.integers(0, 200), max_size=5))
def test_slices_of_any_size_make_the_whole(api: TestClient, config: Config, data: bytes, cuts: list[int]) -> None:
    path = announce(api, len(data))
    edges = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    for start, end in pairwise(edges):
        sent = api.put(path, params={"offset": start}, content=data[start:end])
        assert (sent.status_code, sent.headers["Upload-Offset"]) == (204, str(end))
    head = api.head(path)
    assert (head.status_code, head.headers["Upload-Offset"], head.headers["Upload-Length"]) == (204, str(len(data)), str(len(data)))
    assert stored(config, path) == data


def test_a_slice_that_does_not_continue_is_refused_and_told_where_to_go_on(api: TestClient, config: Config) -> None:
    path = announce(api, 10)
    api.put(path, params={"offset": 0}, content=b"0123")
    for offset in (0, 3, 5, 10, 1 << 70):
        answer = api.put(path, params={"offset": offset}, content=b"4567")
        assert (answer.status_code, answer.json()["code"], answer.headers["Upload-Offset"]) == (409, "wrong_offset", "4")
    assert stored(config, path) == b"0123"
    assert api.put(path, params={"offset": -1}, content=b"x").status_code == 422
    assert api.put(path, content=b"x").status_code == 422


def test_more_bytes_than_announced_are_refused(api: TestClient, config: Config) -> None:
    path = announce(api, 5)
    api.put(path, params={"offset": 0}, content=b"012")
    answer = api.put(path, params={"offset": 3}, content=b"3456")
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert stored(config, path) == b"012"
    assert api.put(path, params={"offset": 3}, content=b"34").status_code == 204
    assert api.put(path, params={"offset": 5}, content=b"").status_code == 204, "a repeated last slice does no harm"
    assert api.put(path, params={"offset": 5}, content=b"5").status_code == 413


async def arriving(*pieces: bytes, then: Callable[[], Any] = lambda: None) -> AsyncIterator[bytes]:
    """A body as the network brings it."""
    for piece in pieces:
        yield piece
    then()


def test_what_arrived_of_a_broken_slice_is_kept(api: TestClient, config: Config, database: Database) -> None:
    path = announce(api, 10)
    uploads = Uploads(database, config)

    def pull_the_cable() -> None:
        raise ClientDisconnect

    with pytest.raises(ClientDisconnect):
        asyncio.run(uploads.put_slice(Path(path).name, 0, arriving(b"012", b"34", then=pull_the_cable)))
    assert offset_of(api, path) == 5
    assert api.put(path, params={"offset": 5}, content=b"56789").status_code == 204
    assert stored(config, path) == b"0123456789"


def test_of_two_slices_at_once_the_second_is_refused(api: TestClient, config: Config, database: Database) -> None:
    path = announce(api, 8)
    meanwhile: list[httpx2.Response] = []

    def second_comes() -> None:
        meanwhile.append(api.put(path, params={"offset": 0}, content=b"abcd"))

    uploads = Uploads(database, config)
    assert asyncio.run(uploads.put_slice(Path(path).name, 0, arriving(b"01234567", then=second_comes))) == 8
    (refused,) = meanwhile
    assert (refused.status_code, refused.json()["code"]) == (409, "wrong_offset")
    assert refused.headers["Upload-Offset"] in ("0", "8")
    assert stored(config, path) == b"01234567"


def test_a_file_beyond_the_limit_is_refused_before_its_first_byte(api: TestClient, config: Config) -> None:
    api.put("/api/settings/import.max_upload_mib", json={"value": 1})
    announce(api, 1 << 20)
    before = list(config.uploads_dir.iterdir())
    answer = api.post("/api/uploads", json={"name": "a.csv", "size_bytes": (1 << 20) + 1})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert "1 MiB" in answer.json()["detail"]
    assert list(config.uploads_dir.iterdir()) == before


def test_a_file_the_disk_has_no_room_for_is_refused_before_its_first_byte(
    api: TestClient, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=2 << 20))
    announce(api, 2 << 20)
    answer = api.post("/api/uploads", json={"name": "a.csv", "size_bytes": (2 << 20) + 1})
    assert (answer.status_code, answer.json()["code"]) == (507, "no_space")
    assert "2.0 MiB left" in answer.json()["detail"]
    assert len(list(config.uploads_dir.iterdir())) == 1


def test_every_other_body_has_a_limit(api: TestClient) -> None:
    body = b'{"text": "' + b"x" * MAX_BODY_BYTES + b'"}'
    answer = api.post("/api/index/search", content=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")

    def endless() -> Iterator[bytes]:
        for _ in range(40):
            yield b"x" * 65536

    answer = api.post("/api/index/search", content=endless(), headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large"), "also when nobody said how much comes"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "a/../../b.csv", "..", "C:\\windows\\x.csv", "\u202efdp.csv", "a\nb.csv", "x" * 255]
)
def test_the_name_of_an_upload_is_shown_and_never_a_path(road: Road, config: Config, name: str) -> None:
    before = {path for path in config.data_dir.parent.rglob("*") if path.is_file()}
    content = csv_of(("a", "text", ""))
    upload_id = road.upload(content, name)
    new = {path for path in config.data_dir.parent.rglob("*") if path.is_file()} - before
    assert {path for path in new if "logs" not in path.parts and not path.name.startswith("switchyard.sqlite")} == {
        config.uploads_dir / upload_id
    }
    assert road.api.get(f"/api/uploads/{upload_id}/columns").status_code == 200
    body = {"source": {"upload_id": upload_id}, "mapping": {"key": "key", "text": ["text"]}}
    plan_id = road.api.post("/api/operations/import/preview", json=body).json()["plan_id"]
    road.works.perform_all()
    assert (road.plan(plan_id)["state"], road.plan(plan_id)["source_name"]) == ("ready", name)


@pytest.mark.parametrize("upload_id", ["../token", "..%2Ftoken", "0" * 31, "0" * 33, "A" * 32, "%00" * 32])
def test_an_id_that_is_none_reaches_no_file(api: TestClient, upload_id: str) -> None:
    for method, path in (("HEAD", ""), ("PUT", "?offset=0"), ("GET", "/columns")):
        assert api.request(method, f"/api/uploads/{upload_id}{path}").status_code in (404, 405, 422)


def test_an_unknown_upload_is_not_found(api: TestClient) -> None:
    path = f"/api/uploads/{'0' * 32}"
    assert api.head(path).status_code == 404
    assert api.put(path, params={"offset": 0}, content=b"x").json()["code"] == "not_found"
    assert api.get(f"{path}/columns").json()["code"] == "not_found"


def test_the_head_of_a_file_shows_how_it_was_read(road: Road) -> None:
    upload_id = road.upload("\ufeffid;text;owner\n1;" + "some advice of a certain length;ann\n" + "2;x;bob\n" * 9)
    columns = road.get(f"/api/uploads/{upload_id}/columns")
    assert columns["columns"] == ["id", "text", "owner"]
    assert {"format": "csv", "encoding": "utf-8-sig", "delimiter": ";", "header_row": 1}.items() <= columns["read_as"].items()
    assert columns["sample"][0] == ["1", "some advice of a certain length", "ann"]
    assert len(columns["sample"]) == 5
    assert columns["suggested"] == {"key": "id", "text": ["text"], "fields": ["owner"]}


def test_columns_are_told_only_of_a_whole_readable_file(road: Road) -> None:
    path = announce(road.api, 10)
    assert road.api.get(f"{path}/columns").json()["code"] == "upload_incomplete"
    upload_id = road.upload(b"a,b\n1,\x00\n")
    answer = road.api.get(f"/api/uploads/{upload_id}/columns")
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_source")
    assert answer.json()["action"]


@pytest.mark.feature("I7")
def test_a_source_is_mapped_as_it_was_last_time_and_another_one_is_not(road: Road) -> None:
    odd = {"key": "text", "text": ["key"], "fields": ["owner"]}
    content = csv_of(("a", "b", "c"))
    assert road.get(f"/api/uploads/{road.upload(content, 'Stock.csv')}/columns")["suggested"]["key"] == "key"
    source = {"kind": "file", "upload_id": road.upload(content, "Stock.csv")}
    plan_id = road.api.post("/api/operations/import/preview", json={"source": source, "mapping": odd}).json()["plan_id"]
    road.works.perform_all()
    road.apply(plan_id)
    again = road.get(f"/api/uploads/{road.upload(content, 'stock.csv')}/columns")
    assert (again["suggested"], again["missing"]) == (odd, [])
    assert {each["column"]: (each["use"], each["confidence"]) for each in again["suggestions"]} == {
        "key": ("text", "remembered"),
        "text": ("key", "remembered"),
        "owner": ("field", "remembered"),
    }
    assert road.get(f"/api/uploads/{road.upload(content, 'other.csv')}/columns")["suggested"]["key"] == "key"
    fewer = road.get(f"/api/uploads/{road.upload(csv_of(('a', 'b'), header=('key', 'text')), 'stock.csv')}/columns")
    assert (fewer["suggested"], fewer["missing"]) == ({"key": "text", "text": ["key"], "fields": []}, ["owner"])


@pytest.mark.feature("I7")
def test_a_guess_says_how_sure_it_is_and_why(road: Road) -> None:
    words = "a text that is long enough to be worth finding by what it means"
    content = csv_of(("1", words, "ann", "x"), ("2", words, "bob", "y"), header=("id", "advice", "owner", "size"))
    columns = road.get(f"/api/uploads/{road.upload(content)}/columns")
    assert [(each["column"], each["use"], each["confidence"]) for each in columns["suggestions"]] == [
        ("id", "key", "sure"),
        ("advice", "text", "sure"),
        ("owner", "field", "sure"),
        ("size", "field", "likely"),
    ]
    assert all(each["why"] for each in columns["suggestions"])
    same = road.get(f"/api/uploads/{road.upload(csv_of(('1', words, ''), ('1', words, '')))}/columns")
    assert (same["suggestions"][0]["confidence"], "the same" in same["suggestions"][0]["why"]) == ("guess", True)


@pytest.mark.parametrize(
    ("columns", "cells", "key", "text"),
    [
        (["id", "title", "advice", "owner"], ["1", "a title of some length", "an advice of some length", "ann"], "id", ["title", "advice"]),
        (["summary", "Name", "version"], ["a summary of some length", "faiss", "1.2"], "Name", ["summary"]),
        (["first", "second"], ["a", "bb"], "first", ["second"]),
        (["sku", "id", "x"], ["1", "2", "some words"], "id", ["x"]),
    ],
)
def test_a_first_mapping_is_guessed_from_names_and_lengths(columns: list[str], cells: list[str], key: str, text: list[str]) -> None:
    guess = guess_columns(columns, [cells]).mapping
    assert guess is not None
    assert (guess.key, guess.text) == (key, text)
    assert {guess.key, *guess.text, *guess.fields} == set(columns)
    assert guess_columns(["only"], []).mapping is None
