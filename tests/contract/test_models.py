"""What the contract's messages accept, and what they refuse."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

import lib.contract
from lib.contract.environment import default_data_dir, token_file
from lib.contract.errors import ERRORS, ErrorCode, Problem
from lib.contract.events import TOPIC_READINGS, TelemetrySnapshot, Topic
from lib.contract.exports import ExportRequest
from lib.contract.golden import GoldenRequest
from lib.contract.health import RepairRequest
from lib.contract.imports import ColumnMapping, FileSource, ImportRequest, PreviewRequest, UploadRequest
from lib.contract.index import ProbeRequest, SearchRequest
from lib.contract.jobs import Job
from lib.contract.model import Reading, Request, utc_now
from lib.contract.operations import EmptyRequest, SnapshotRequest, TicketRequest
from lib.contract.queue import CAUSES, ItemSelection, QueueReading
from lib.contract.reembedding import ReembedRequest
from lib.contract.settings import SettingChange
from lib.contract.states import ACTIVE_JOB_STATES, ENDED_JOB_STATES, FailureCause, ImportMode, JobState, Operation
from lib.contract.workers import WorkerWish

UPLOAD_ID = "0123456789abcdef0123456789abcdef"
MAPPING = {"key": "name", "text": ["summary"], "fields": ["version"]}

#: One valid body of every request.
REQUESTS: dict[type[Request], dict[str, Any]] = {
    UploadRequest: {"name": "packages.csv", "size_bytes": 81234},
    ColumnMapping: MAPPING,
    FileSource: {"kind": "file", "upload_id": UPLOAD_ID, "sheet": None},
    PreviewRequest: {"source": {"kind": "file", "upload_id": UPLOAD_ID}, "mapping": MAPPING, "mode": "merge"},
    ImportRequest: {"plan_id": "p", "mode": "mirror", "policy": "all_or_nothing", "approve_removals": 3},
    ExportRequest: {"target": {"kind": "file", "format": "csv"}, "filter": {}},
    EmptyRequest: {},
    SnapshotRequest: {"name": "before the summer", "note": "as agreed"},
    TicketRequest: {"method": "GET", "path": "/api/exports/e1/file"},
    ItemSelection: {"cause": "quota"},
    GoldenRequest: {"text": "customer cannot log in", "expected_keys": ["ACC-001"], "k": 5, "note": "asked daily"},
    RepairRequest: {"check_id": "c"},
    ReembedRequest: {"embedder": "openai", "url": "http://127.0.0.1:1/v1", "model": "m", "dimension": 8},
    ProbeRequest: {"like_key": "ACC-001", "k": 10, "fields": {"category": "Billing"}, "generation": "previous"},
    SearchRequest: {"text": "customer cannot log in", "k": 10},
    SettingChange: {"value": 5, "expected": 7},
    WorkerWish: {"reason": "disk is being replaced"},
}


def models() -> list[type[BaseModel]]:
    """Every model the contract defines."""
    modules = [importlib.import_module(f"lib.contract.{module.name}") for module in pkgutil.iter_modules(lib.contract.__path__)]
    found = {model for module in modules for _, model in inspect.getmembers(module, inspect.isclass) if issubclass(model, BaseModel)}
    return sorted((model for model in found if model.__module__.startswith("lib.contract")), key=lambda model: model.__name__)


def named(model: type[BaseModel]) -> str:
    return model.__name__


@pytest.mark.parametrize("model", models(), ids=named)
def test_every_model_is_a_frozen_reading_or_request(model: type[BaseModel]) -> None:
    assert issubclass(model, Reading | Request)
    assert model.model_config["frozen"]


@pytest.mark.parametrize("model", models(), ids=named)
def test_instants_end_in_at_and_nothing_else_does(model: type[BaseModel]) -> None:
    for name, field in model.model_fields.items():
        is_instant = datetime in (field.annotation, *get_args(field.annotation))
        assert is_instant == (name in {"at", "since", "eta"} or name.endswith(("_at", "_since"))), f"{named(model)}.{name}"


@pytest.mark.parametrize("request_type", REQUESTS, ids=named)
def test_a_valid_request_survives_the_wire(request_type: type[Request]) -> None:
    request = request_type.model_validate(REQUESTS[request_type])
    assert request_type.model_validate_json(request.model_dump_json()) == request


@pytest.mark.parametrize("request_type", REQUESTS, ids=named)
def test_a_request_refuses_a_field_it_does_not_know(request_type: type[Request]) -> None:
    with pytest.raises(ValidationError, match="extra_forbidden"):
        request_type.model_validate({**REQUESTS[request_type], "surprise": 1})


def test_a_request_refuses_an_unknown_field_deep_inside() -> None:
    with pytest.raises(ValidationError, match=r"mapping\.textt"):
        PreviewRequest.model_validate({**REQUESTS[PreviewRequest], "mapping": {**MAPPING, "textt": ["summary"]}})


def test_a_reading_ignores_what_a_newer_service_adds() -> None:
    reading = QueueReading.model_validate(
        {"entries": 1, "pending": 0, "leased": 0, "failed": 0, "embedded": 1, "taken_at": utc_now(), "new_in_2027": True}
    )
    assert not hasattr(reading, "new_in_2027")
    assert reading.lag_seconds is None, "unknown is null, never zero"


@pytest.mark.parametrize(
    ("mapping", "twice"),
    [
        ({"key": "name", "text": ["name"]}, "name"),
        ({"key": "name", "text": ["summary", "summary"]}, "summary"),
        ({"key": "name", "text": ["summary"], "fields": ["summary"]}, "summary"),
        ({"key": "a", "text": ["b", "b"], "fields": ["a"]}, "a, b"),
    ],
)
def test_a_mapping_uses_each_column_once_and_names_the_others(mapping: dict[str, Any], twice: str) -> None:
    with pytest.raises(ValidationError, match=f"used twice: {twice}"):
        ColumnMapping.model_validate(mapping)


@pytest.mark.parametrize("mapping", [{"key": "", "text": ["a"]}, {"key": "a", "text": []}, {"text": ["a"]}, {"key": "a"}])
def test_a_mapping_needs_a_key_and_a_text(mapping: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        ColumnMapping.model_validate(mapping)


def test_an_import_merges_unless_asked_to_mirror() -> None:
    request = PreviewRequest.model_validate({"source": {"upload_id": UPLOAD_ID}, "mapping": MAPPING})
    assert request.mode is ImportMode.MERGE


@pytest.mark.parametrize("upload_id", ["", "../../etc/passwd", UPLOAD_ID.upper(), UPLOAD_ID + "0", UPLOAD_ID[:-1], UPLOAD_ID + "\n"])
def test_an_upload_id_is_never_a_path(upload_id: str) -> None:
    with pytest.raises(ValidationError):
        FileSource(upload_id=upload_id)


@pytest.mark.parametrize("path", ["/healthz", "/api/../token", "/api/exports?x=1", "/api/", "//other.example/api/x", "/api/ü"])
def test_a_ticket_is_only_for_a_plain_address_of_the_api(path: str) -> None:
    with pytest.raises(ValidationError):
        TicketRequest(method="GET", path=path)


@pytest.mark.parametrize(
    ("request_type", "change"),
    [
        (SearchRequest, {"text": ""}),
        (SearchRequest, {"text": "x" * 10_001}),
        (SearchRequest, {"k": 0}),
        (SearchRequest, {"k": 101}),
        (UploadRequest, {"size_bytes": -1}),
        (UploadRequest, {"name": ""}),
        (UploadRequest, {"name": "x" * 256}),
        (ImportRequest, {"approve_removals": -1}),
        (ImportRequest, {"mode": "replace"}),
        (WorkerWish, {"reason": "x" * 201}),
        (SnapshotRequest, {"name": "x" * 81}),
        (SnapshotRequest, {"note": "x" * 501}),
        (ItemSelection, {"entry_ids": list(range(10_001))}),
        (TicketRequest, {"method": "DELETE"}),
    ],
)
def test_a_request_keeps_its_bounds(request_type: type[Request], change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        request_type.model_validate({**REQUESTS[request_type], **change})


def test_every_error_code_has_its_http_code_and_its_words() -> None:
    assert set(ERRORS) == set(ErrorCode)
    for code, (http_code, meaning, action) in ERRORS.items():
        assert 400 <= http_code <= 599, code
        assert meaning.endswith("."), code
        assert action.endswith("."), code


def test_every_failure_cause_has_its_words() -> None:
    assert set(CAUSES) == set(FailureCause)
    assert all(meaning.endswith(".") and action.endswith(".") for meaning, action in CAUSES.values())


def test_every_topic_has_a_reading_that_says_when_it_was_taken_and_a_place_in_the_snapshot() -> None:
    assert set(TOPIC_READINGS) == set(Topic)
    for topic, reading in TOPIC_READINGS.items():
        assert "taken_at" in reading.model_fields, topic
        assert TelemetrySnapshot.model_fields[topic.value].annotation is reading


def test_a_problem_carries_its_code_on_the_wire() -> None:
    problem = Problem(title="Conflict", status=409, code=ErrorCode.REFUSED, detail="An import runs.")
    assert problem.model_dump(mode="json")["code"] == "refused"


def test_a_job_is_either_active_or_ended() -> None:
    assert set(JobState) == ACTIVE_JOB_STATES | ENDED_JOB_STATES
    assert not ACTIVE_JOB_STATES & ENDED_JOB_STATES
    for state in JobState:
        job = Job(job_id="j", operation=Operation.IMPORT, state=state, requested_by="mara", created_at=utc_now())
        assert job.is_active == (state in ACTIVE_JOB_STATES)


def test_now_is_an_aware_utc_instant() -> None:
    assert utc_now().utcoffset() == timedelta(0)


def test_the_data_folder_is_the_chosen_one_or_the_users_own(tmp_path: Path) -> None:
    assert default_data_dir({"SWITCHYARD_DATA_DIR": str(tmp_path), "XDG_DATA_HOME": "/elsewhere"}) == tmp_path.resolve()
    assert default_data_dir({"XDG_DATA_HOME": str(tmp_path)}) == tmp_path / "switchyard"
    assert default_data_dir({}) == Path.home() / ".local" / "share" / "switchyard"
    assert token_file(tmp_path) == tmp_path / "token"
