"""Secrets stay in their file, and each thing that can be wrong with key or sheet is told apart from the others."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from lib.contract.states import CheckName, CredentialKind
from lib.service.config import Config
from lib.service.credentials import recheck_changed
from lib.service.logs import configure_logs
from lib.service.secret_files import read_secret
from tests.emulator.keys import make_account
from tests.emulator.server import Emulator, Fault
from tests.service.road import Road

BOOK = "book-0123456789"
KEY_CHECKS = {"file_readable": "passed", "json_shape": "passed", "private_mode": "passed", "key_accepted": "passed"}


@pytest.fixture
def google(road: Road, emulator: Emulator) -> dict[str, Any]:
    """The key of an account the emulator knows; calls for sheets go there."""
    assert road.api.put("/api/settings/sheets.api_url", json={"value": emulator.url}).status_code == 200
    return emulator.add_account()


def put(road: Road, content: dict[str, Any] | str | None = None, kind: str = "google", **more: Any) -> Any:
    text = json.dumps(content) if isinstance(content, dict) else content
    body = {"kind": kind} | ({"content": text} if text is not None else {}) | more
    return road.api.put("/api/settings/credentials", json=body)


def check(road: Road, **request: Any) -> dict[str, dict[str, Any]]:
    answer = road.api.post("/api/settings/check", json=request)
    assert answer.status_code == 200, answer.text
    return {each["name"]: each for each in answer.json()["checks"]}


def outcomes(checks: dict[str, dict[str, Any]]) -> dict[str, str]:
    return {name: each["state"] for name, each in checks.items()}


@pytest.mark.feature("S2")
def test_a_stored_secret_is_a_file_of_this_user_alone_and_is_known_by_its_account_only(
    road: Road, google: dict[str, Any], config: Config
) -> None:
    stored = put(road, google)
    assert (stored.status_code, stored.json()["account"], stored.json()["origin"]) == (200, google["client_email"], "uploaded")
    assert set(stored.json()) == {"kind", "account", "origin", "changed_at", "changed_by"}
    path = config.credentials_dir / "google"
    assert (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(config.credentials_dir.stat().st_mode)) == (0o600, 0o700)
    assert json.loads(read_secret(config, CredentialKind.GOOGLE) or "") == google
    assert [each.name for each in config.credentials_dir.iterdir()] == ["google"], "nothing is left of the way in"
    reading = road.get("/api/settings")
    assert (reading["credentials"], {each["name"]: each["state"] for each in reading["checks"]}) == ([stored.json()], KEY_CHECKS)


@pytest.mark.feature("S2")
def test_the_old_key_stays_until_the_new_one_passes(road: Road, google: dict[str, Any], emulator: Emulator, config: Config) -> None:
    first = put(road, google).json()
    email = google["client_email"]
    for bad, words in (
        ("not json", "not valid JSON (line 1, column 1)"),
        ({"installed": {}}, "OAuth client"),
        ({name: value for name, value in google.items() if name != "client_email"}, "lacks client_email"),
        (google | {"private_key": "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"}, "damaged"),
        (make_account(email, 2).key_file, "revoked"),
        (make_account("gone@project.iam.gserviceaccount.com").key_file, "does not exist any more"),
    ):
        refused = put(road, bad)
        assert (refused.status_code, refused.json()["code"]) == (422, "credentials_rejected")
        assert words in refused.json()["detail"]
        assert "What was stored before stays in use." in refused.json()["detail"]
        assert refused.json()["action"]
    emulator.token_answer = (404, {"error": "unavailable"})  # 5xx would be tried three times
    assert "could not be reached" in put(road, google).json()["detail"]
    assert json.loads(read_secret(config, CredentialKind.GOOGLE) or "") == google
    assert road.get("/api/settings")["credentials"] == [first]
    assert [each.name for each in config.credentials_dir.iterdir()] == ["google"]
    trace = [each["outcome"] for each in road.get("/api/audit", object_id="google")["items"]]
    assert (trace[0], trace[-1], len(trace)) == ("refused: key_accepted", "done", 8)


@pytest.mark.feature("S2")
def test_a_registered_file_stays_where_it_is_and_must_be_private(
    road: Road, google: dict[str, Any], config: Config, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "key.json"
    elsewhere.write_text(json.dumps(google))
    elsewhere.chmod(0o644)
    refused = put(road, path=str(elsewhere))
    assert (refused.status_code, "mode is 0644" in refused.json()["detail"]) == (422, True)
    elsewhere.chmod(0o600)
    assert put(road, path=str(elsewhere)).json()["origin"] == "registered"
    assert json.loads(read_secret(config, CredentialKind.GOOGLE) or "") == google
    elsewhere.unlink()
    assert read_secret(config, CredentialKind.GOOGLE) is None
    gone = check(road)
    assert (gone["file_readable"]["state"], gone["json_shape"]["state"]) == ("failed", "skipped")
    for path in ("/dev/zero", str(tmp_path), "/no/such/file"):
        assert put(road, path=path).status_code == 422
    for wrong in ({"path": "relative"}, {"path": "/a", "content": "b"}, {}):
        assert put(road, **wrong).json()["code"] == "invalid"


@pytest.mark.feature("S1", "S2", "S4")
def test_a_registered_file_is_tried_again_by_itself_when_it_changes(
    road: Road, google: dict[str, Any], config: Config, emulator: Emulator, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "key.json"
    elsewhere.write_text(json.dumps(google))
    elsewhere.chmod(0o600)
    put(road, path=str(elsewhere))
    emulator.add_book(BOOK, {"Data": [["key"]]})
    check(road, spreadsheet=BOOK)

    def look() -> dict[str, Any]:
        recheck_changed(road.works.database, config, actor="switchyard")
        return {each["name"]: each["state"] for each in road.get("/api/settings")["checks"]}

    before, tokens = look(), emulator.token_calls
    assert look() == before
    assert emulator.token_calls == tokens, "a file that has not changed is not tried again"
    elsewhere.write_text("not json")
    assert look()["json_shape"] == "failed"
    source = {"kind": "google_sheet", "spreadsheet": BOOK, "tab": "Data"}
    mapping = {"key": "key", "text": ["text"]}
    refused = road.api.post("/api/operations/import/preview", json={"source": source, "mapping": mapping}).json()
    assert refused["gate"]["reason_code"] == "credentials_rejected", "nobody has to press a button for it to be known"
    other = emulator.add_account("other@project.iam.gserviceaccount.com")
    fresh = tmp_path / "fresh.json"
    fresh.write_text(json.dumps(other))
    fresh.chmod(0o600)
    fresh.replace(elsewhere)
    assert look() == KEY_CHECKS, "and what the other account was allowed is forgotten"
    assert road.get("/api/settings")["credentials"][0]["account"] == other["client_email"]
    elsewhere.unlink()
    assert look()["file_readable"] == "failed"
    traces = [each for each in road.get("/api/audit", object_id="google")["items"] if each["action"] == "recheck_credentials"]
    assert [(each["actor"], each["outcome"]) for each in traces] == [
        ("switchyard", "failed: file_readable"),
        ("switchyard", "passed"),
        ("switchyard", "failed: json_shape"),
    ]


@pytest.mark.feature("S2")
def test_a_deleted_secret_is_gone_with_all_that_was_found_out_with_it(
    road: Road, google: dict[str, Any], emulator: Emulator, config: Config, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "api-key"
    elsewhere.write_text("sk-canary")
    elsewhere.chmod(0o600)
    assert put(road, kind="embeddings", path=str(elsewhere)).status_code == 200
    put(road, google)
    emulator.add_book(BOOK, {"Data": [["key"]]})
    check(road, spreadsheet=BOOK)
    assert road.api.delete("/api/settings/credentials/google").status_code == 204
    reading = road.get("/api/settings")
    assert ([each["kind"] for each in reading["credentials"]], reading["checks"]) == (["embeddings"], [])
    assert read_secret(config, CredentialKind.GOOGLE) is None
    source = {"kind": "google_sheet", "spreadsheet": BOOK, "tab": "Data"}
    refused = road.api.post("/api/operations/import/preview", json={"source": source, "mapping": {"key": "key", "text": ["text"]}}).json()
    assert refused["gate"]["reason_code"] == "credentials_missing"
    again = road.api.delete("/api/settings/credentials/google")
    assert (again.status_code, again.json()["code"]) == (404, "not_found")
    assert road.api.delete("/api/settings/credentials/embeddings").status_code == 204
    assert elsewhere.read_text() == "sk-canary", "a registered file is somebody else's"
    assert [*config.credentials_dir.iterdir()] == []
    assert road.api.delete("/api/settings/credentials/nonsense").status_code == 422
    (trace,) = [each for each in road.get("/api/audit", object_id="google")["items"] if each["action"] == "delete_credentials"]
    assert (trace["before"], trace["outcome"]) == ({"account": google["client_email"], "origin": "uploaded"}, "done")


@pytest.mark.feature("S2")
def test_no_secret_is_found_anywhere_but_in_its_file(road: Road, google: dict[str, Any], config: Config, data_dir: Path) -> None:
    configure_logs(config.logs_dir, "api")
    api_key = "sk-canary-5d41402abc4b2a76b9719d911017c592"
    secrets = [line for line in google["private_key"].splitlines() if len(line) > 40] + [google["private_key_id"] + '"', api_key]
    damaged = google | {"private_key": google["private_key"][:900]}
    answers = [
        put(road, google).text,
        put(road, damaged).text,
        put(road, json.dumps(google)[:-5]).text,
        put(road, json.dumps(google), kind="gogle").text,
        put(road, json.dumps(google), path="/tmp/x").text,
        put(road, api_key, kind="embeddings").text,
        put(road, f"{api_key}\n{api_key}", kind="embeddings").text,
        json.dumps(check(road, spreadsheet=BOOK)),
        *(road.api.get(path).text for path in ("/api/settings", "/api/audit", "/api/audit/file", "/api/telemetry/snapshot", "/metrics")),
    ]
    assert answers[5].startswith('{"kind":"embeddings"')
    places = {f"answer {number}": answer.encode() for number, answer in enumerate(answers)}
    places |= {str(path): path.read_bytes() for path in data_dir.rglob("*") if path.is_file() and path.parent != config.credentials_dir}
    assert any(name.endswith("switchyard.sqlite") for name in places)
    for secret in secrets:
        assert not [name for name, content in places.items() if secret.encode() in content], secret


@pytest.mark.feature("S1")
def test_every_check_passes_on_a_sheet_that_works_and_leaves_it_as_it_was(road: Road, google: dict[str, Any], emulator: Emulator) -> None:
    put(road, google)
    book = emulator.add_book(BOOK, {"Data": [["key", "text"], ["k1", "advice"]]})
    before = book.tab("Data").table()
    checks = check(road, spreadsheet=f"https://docs.google.com/spreadsheets/d/{BOOK}/edit", tab="Data", columns=["key"])
    assert outcomes(checks) == dict.fromkeys(CheckName, "passed")
    for each in checks.values():
        assert each["detail"]
        assert 0 <= each["seconds"] < 30
        assert each["checked_at"]
    assert [tab.title for tab in book.tabs] == ["Data"]
    assert book.tab("Data").table() == before
    assert road.get("/api/audit", limit=1)["items"][0]["action"] == "check_settings"


@pytest.mark.feature("S1")
def test_nothing_is_called_valid_that_was_not_tried(road: Road, google: dict[str, Any], emulator: Emulator) -> None:
    assert outcomes(check(road)) == {"file_readable": "failed"} | dict.fromkeys(list(CheckName)[1:], "skipped")
    put(road, google)
    only_key = check(road)
    assert outcomes(only_key) == KEY_CHECKS | dict.fromkeys(list(CheckName)[4:], "skipped")
    emulator.token_answer = (503, {})
    away = check(road, spreadsheet=BOOK)
    assert (away["key_accepted"]["state"], away["key_accepted"]["code"]) == ("failed", "sheets_unreachable")
    assert away["sheet_reachable"]["state"] == "skipped"


@pytest.mark.feature("S1", "S3")
def test_each_thing_that_is_wrong_with_a_sheet_is_named_with_its_remedy(road: Road, google: dict[str, Any], emulator: Emulator) -> None:
    put(road, google)
    email, book = google["client_email"], emulator.add_book(BOOK, {"Data": [["key", "key"], ["k1", "x"]], "Good": [["key"]], "Empty": []})

    def fails(name: str, **request: Any) -> dict[str, Any]:
        found = check(road, spreadsheet=BOOK, **request)
        assert [each for each, state in outcomes(found).items() if state == "failed"] == [name]
        return found[name]

    assert "Two columns" in fails("headers_fit", tab="Data")["detail"]
    assert fails("headers_fit", tab="Empty")["state"] == "failed"
    assert "no column called text" in fails("headers_fit", tab="Good", columns=["key", "text"])["detail"]
    assert "It has: Data, Good, Empty." in fails("tab_exists", tab="Renamed")["detail"]
    book.share = {email: "read"}
    assert fails("may_write", tab="Good")["action"] == f"In the sheet choose Share, and add {email} as Editor."
    assert outcomes(check(road, spreadsheet=BOOK, tab="Good", writing=False))["may_write"] == "skipped"
    book.share = {}
    assert fails("sheet_reachable", tab="Good")["action"] == f"In the sheet choose Share, and add {email} as Viewer."
    assert road.api.post("/api/settings/check", json={"spreadsheet": BOOK}).json()["account"] == email
    emulator.on_call = lambda _: Fault("429")
    assert fails("sheet_reachable")["code"] == "sheets_quota"
    emulator.on_call = lambda _: None
    assert check(road, spreadsheet="my sheet")["sheet_reachable"]["code"] == "spreadsheet_missing"
    stored = {each["name"]: each for each in road.get("/api/settings")["checks"] if each["spreadsheet_id"]}
    assert {each["spreadsheet_id"] for each in stored.values()} == {BOOK}, "an address that is none is not remembered"


def test_only_an_admin_may_store_a_secret(road: Road) -> None:
    document = road.api.get("/api/openapi.json").json()["paths"]
    assert document["/api/settings/credentials"]["put"]["x-role"] == "admin"
    assert document["/api/settings/check"]["post"]["x-role"] == "operator"
