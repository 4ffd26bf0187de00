"""What a worker wrote around a failure: the right lines, at any length of the log, and nothing secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from lib.contract.states import CredentialKind
from lib.service.config import Config
from lib.service.logs import configure_logs
from lib.service.worker_log import MAX_LINES, PIECE_BYTES
from tests.service.road import Road, sheet
from tests.service.works import Works

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def write_log(folder: Path, name: str, lines: list[tuple[datetime, str]]) -> Path:
    path = folder / name
    told = ({"event": event, "level": "info", "timestamp": at.isoformat().replace("+00:00", "Z")} for at, event in lines)
    path.write_text("".join(f"{json.dumps(each)}\n" for each in told))
    return path


def read(road: Road, worker_id: str, around: datetime) -> dict[str, Any]:
    log: dict[str, Any] = road.get(f"/api/workers/{worker_id}/log", at=around.isoformat())
    return log


def events(log: dict[str, Any]) -> list[str]:
    return [line["message"] for line in log["lines"]]


@pytest.fixture
def logged(config: Config) -> Iterator[None]:
    """This process writes the log of embedding-1, as its worker process would."""
    ours = logging.getLogger("switchyard")
    before = ours.handlers, ours.propagate, ours.level
    configure_logs(config.logs_dir, "embedding-1")
    yield
    for handler in ours.handlers:
        handler.close()
    ours.handlers, ours.propagate, ours.level = before


@pytest.mark.feature("Q3")
def test_a_failure_leads_to_what_its_worker_wrote_then(road: Road, works: Works, logged: None) -> None:
    works.embedder.fail("advice 2")
    road.import_sheet(sheet(1, 2, 3))
    road.embed()
    (failure,) = road.get("/api/queue/failures")["items"]
    log = read(road, failure["worker_id"], datetime.fromisoformat(failure["failed_at"]))
    assert log["why_missing"] is None
    told = [line for line in events(log) if not line.startswith("job_ended")]  # here one process does everything
    assert told[0].startswith("batch_taken rows=3 lease=")
    assert "embedding_failed cause=unexpected rows=1 detail='advice 2' would not do" in told
    assert told[-1].startswith("batch_stored rows=2 failed=1 lease=")


@pytest.mark.feature("Q3")
def test_of_a_trace_only_what_it_came_to_is_told(road: Road, config: Config) -> None:
    said = "sqlalchemy.exc.OperationalError: disk I/O error"
    trace = f'Traceback (most recent call last):\n  File "/home/ann/x.py", line 1\n    x()\n{said}\n(More)'
    line = {"event": "operation_crashed", "level": "error", "timestamp": NOON.isoformat(), "exception": trace}
    (config.logs_dir / "w.jsonl").write_text(json.dumps(line) + "\n")
    assert events(read(road, "w", NOON)) == [f"operation_crashed exception={said}"]


@pytest.mark.feature("Q3")
def test_the_lines_around_a_moment_are_found_in_a_long_log_and_in_those_before_it(road: Road, config: Config) -> None:
    long = [(NOON + timedelta(seconds=second), f"second {second}") for second in range(4000)]
    assert write_log(config.logs_dir, "w.jsonl", long[2000:]).stat().st_size > 2 * PIECE_BYTES
    write_log(config.logs_dir, "w.jsonl.1", long[:2000])
    for second in (1, 1000, 1990, 2000, 3500, 3999):
        told = events(read(road, "w", NOON + timedelta(seconds=second)))
        assert told == [f"second {each}" for each in range(max(0, second - 30), min(4000, second + 6))]
    crowd = [(NOON + timedelta(milliseconds=number), f"line {number}") for number in range(500)]
    write_log(config.logs_dir, "w.jsonl", crowd)
    told = events(read(road, "w", NOON + timedelta(milliseconds=250)))
    assert (len(told), "line 250" in told, "line 0" in told) == (MAX_LINES, True, False)


@pytest.mark.feature("Q3", "S1")
def test_secrets_stay_out_even_when_a_library_wrote_them(road: Road, config: Config) -> None:
    secret = "sk-0123456789"
    (config.credentials_dir / CredentialKind.EMBEDDINGS).write_text(secret)
    write_log(config.logs_dir, "w.jsonl", [(NOON, f"key {secret} and token {config.token}")])
    assert events(read(road, "w", NOON)) == ["key [secret] and token [secret]"]


def test_a_log_that_is_not_here_broken_or_old_is_said_in_words(road: Road, config: Config) -> None:
    assert read(road, "elsewhere", NOON)["why_missing"] == "The log of elsewhere is not on the machine of the service."
    path = write_log(config.logs_dir, "w.jsonl", [(NOON, "once")])
    assert "no longer kept" in read(road, "w", NOON + timedelta(hours=1))["why_missing"]
    with path.open("ab") as file:
        file.write(b'no json\n[]\n{"event": "no time"}\n{"event": "half a li')
    assert events(read(road, "w", NOON)) == ["once"]


@pytest.mark.parametrize("name", ["..%2F..%2Fsecret", ".hidden", "%2Fetc%2Fpasswd", "a%2Fb"])
def test_no_name_leads_out_of_the_folder_of_the_logs(road: Road, config: Config, name: str) -> None:
    write_log(config.data_dir.parent, "secret.jsonl", [(NOON, "secret")])
    write_log(config.logs_dir, ".hidden.jsonl", [(NOON, "secret")])
    assert "secret.jsonl" not in (answer := road.api.get(f"/api/workers/{name}/log", params={"at": NOON.isoformat()})).text
    assert answer.status_code == 404 or answer.json()["lines"] == []


@pytest.mark.parametrize("around", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_any_moment_is_answered(road: Road, config: Config, around: str) -> None:
    write_log(config.logs_dir, "w.jsonl", [(NOON, "once")])
    assert road.get("/api/workers/w/log", at=around)["lines"] == []
