"""Nothing is forgotten: routes against the client, words against the README, P0 features against the tests."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path

import pytest
from fastapi import FastAPI

from lib.client.api import Client
from lib.contract import states
from lib.contract.environment import VARIABLES
from lib.contract.errors import ERRORS, ErrorCode
from lib.contract.events import RESET_EVENT, Topic
from lib.contract.faults import FAULTS, Fault
from lib.contract.jobs import JOB_FAILURES
from lib.contract.operations import Reason
from lib.contract.settings import SETTINGS
from tests.features import FEATURES, NOT_YET

TOP = Path(__file__).resolve().parents[1]
README = (TOP / "README.md").read_text("utf-8")

#: The whole API. On the right its operation id, which is the router's function and the client's method alike.
ROUTES = {
    "POST /api/uploads": "create_upload",
    "HEAD /api/uploads/{upload_id}": "get_upload_offset",
    "PUT /api/uploads/{upload_id}": "put_upload_slice",
    "GET /api/uploads/{upload_id}/columns": "get_upload_columns",
    "POST /api/operations/import/preview": "preview_import",
    "GET /api/plans/{plan_id}": "get_plan",
    "PUT /api/plans/{plan_id}/ticks": "tick_rows",
    "GET /api/plans/{plan_id}/bad-rows": "download_bad_rows",
    "POST /api/operations/import": "start_import",
    "GET /api/operations/import/{job_id}/undo": "get_undo",
    "POST /api/operations/import/{job_id}/undo": "start_undo",
    "POST /api/operations/export/preview": "preview_export",
    "POST /api/operations/export": "start_export",
    "POST /api/operations/refresh": "start_refresh",
    "POST /api/operations/rebuild": "start_rebuild",
    "POST /api/operations/snapshot": "start_snapshot",
    "POST /api/operations/inspect": "start_inspection",
    "POST /api/operations/restore": "start_restore",
    "POST /api/operations/rehearse": "start_rehearsal",
    "POST /api/operations/requeue": "start_requeue",
    "GET /api/operations": "list_operations",
    "GET /api/jobs": "list_jobs",
    "GET /api/jobs/{job_id}": "get_job",
    "GET /api/jobs/{job_id}/log": "get_job_log",
    "GET /api/jobs/{job_id}/steps": "get_job_steps",
    "POST /api/jobs/{job_id}/cancel": "cancel_job",
    "GET /api/intentions": "list_intentions",
    "POST /api/intentions/{intention_id}/cancel": "cancel_intention",
    "GET /api/exports": "list_exports",
    "GET /api/exports/plans/{plan_id}": "get_export_plan",
    "POST /api/exports/scope": "get_export_scope",
    "GET /api/exports/{export_id}/file": "download_export",
    "GET /api/workers": "list_workers",
    "POST /api/workers/{worker_id}/pause": "pause_worker",
    "POST /api/workers/{worker_id}/resume": "resume_worker",
    "POST /api/workers/{worker_id}/drain": "drain_worker",
    "POST /api/workers/pause": "pause_workers",
    "POST /api/workers/resume": "resume_workers",
    "POST /api/workers/drain": "drain_workers",
    "POST /api/workers/scale": "scale_workers",
    "GET /api/workers/forecast": "get_forecast",
    "GET /api/workers/{worker_id}/log": "get_worker_log",
    "GET /api/shift": "list_shift",
    "POST /api/shift/notes": "add_note",
    "DELETE /api/shift/notes/{entry_id}": "delete_note",
    "GET /api/queue": "get_queue",
    "GET /api/queue/history": "get_queue_history",
    "GET /api/queue/items": "list_items",
    "POST /api/queue/items/first": "put_items_first",
    "POST /api/queue/items/back": "put_items_back",
    "GET /api/queue/failures": "list_failures",
    "GET /api/queue/failures/groups": "list_failure_groups",
    "POST /api/queue/failures/retry": "retry_failures",
    "POST /api/queue/failures/discard": "discard_failures",
    "GET /api/index": "get_index",
    "POST /api/index/search": "search_index",
    "POST /api/index/check": "start_check",
    "GET /api/index/check": "get_check",
    "GET /api/index/map": "get_map",
    "GET /api/index/map/{map_id}/points": "get_map_points",
    "POST /api/operations/map": "start_map",
    "POST /api/operations/renew": "start_renewal",
    "GET /api/index/drift": "list_drift",
    "POST /api/operations/repair": "start_repair",
    "GET /api/operations/reembed": "get_reembedding",
    "POST /api/operations/reembed": "start_reembedding",
    "GET /api/golden": "list_golden_questions",
    "POST /api/golden": "create_golden_question",
    "PUT /api/golden/{question_id}": "put_golden_question",
    "DELETE /api/golden/{question_id}": "delete_golden_question",
    "GET /api/golden/comparison": "compare_golden_runs",
    "GET /api/snapshots": "list_snapshots",
    "GET /api/inspections/{inspection_id}": "get_inspection",
    "POST /api/inspections/{inspection_id}/search": "search_inspection",
    "GET /api/rehearsals": "list_rehearsals",
    "GET /api/rehearsals/{rehearsal_id}": "get_rehearsal",
    "POST /api/rehearsals/{rehearsal_id}/search": "search_rehearsal",
    "DELETE /api/rehearsals/{rehearsal_id}": "delete_rehearsal",
    "GET /api/index/go-back": "get_go_back",
    "POST /api/index/go-back": "go_back",
    "PUT /api/snapshots/{snapshot_id}": "change_snapshot",
    "GET /api/snapshots/{snapshot_id}/file": "download_snapshot",
    "DELETE /api/snapshots/{snapshot_id}": "delete_snapshot",
    "GET /api/entries": "list_entries",
    "GET /api/places": "find_places",
    "POST /api/visits": "record_visit",
    "POST /api/moments": "create_moment",
    "GET /api/moments/{moment_id}": "get_moment",
    "GET /api/entries/find": "find_rows",
    "GET /api/entries/{entry_id}/trace": "trace_entry",
    "GET /api/settings": "list_settings",
    "GET /api/sheets/tabs": "list_tabs",
    "GET /api/sheets/columns": "get_tab_columns",
    "PUT /api/settings/credentials": "put_credentials",
    "DELETE /api/settings/credentials/{kind}": "delete_credentials",
    "POST /api/settings/check": "check_settings",
    "PUT /api/settings/{name}": "put_setting",
    "GET /api/audit": "list_audit",
    "GET /api/audit/file": "download_audit",
    "GET /api/identity": "get_identity",
    "POST /api/tickets": "create_ticket",
    "GET /api/telemetry/snapshot": "get_telemetry_snapshot",
    "GET /healthz": "get_health",
    "GET /readyz": "get_readiness",
    "GET /metrics": "get_metrics",
}
#: Routes that are not calls: the feed belongs to the LiveHub, the documents describe the rest.
NOT_CALLED = {"GET /ui/sse", "GET /api/openapi.json", "GET /api/docs"}

STATE_SETS: dict[str, type[StrEnum]] = {
    name: kind for name, kind in inspect.getmembers(states, inspect.isclass) if issubclass(kind, StrEnum) and kind is not StrEnum
}


def routes_of(document: dict[str, dict[str, dict[str, dict[str, str]]]]) -> dict[str, str]:
    """``METHOD path`` → operation id, of everything in an OpenAPI document that is a call."""
    found = {
        f"{method.upper()} {path}": route.get("operationId", "")
        for path, methods in document["paths"].items()
        for method, route in methods.items()
        if method in {"get", "head", "post", "put", "patch", "delete"}
    }
    return {route: operation for route, operation in found.items() if route not in NOT_CALLED}


def test_the_openapi_document_holds_exactly_the_routes_we_promise(service_app: FastAPI) -> None:
    assert routes_of(service_app.openapi()) == ROUTES


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_has_a_client_method(route: str) -> None:
    assert callable(getattr(Client, ROUTES[route], None)), f"{route}: Client has no method {ROUTES[route]}"


def test_the_readme_lists_every_route() -> None:
    paths = {re.sub(r"\{[^}]*\}", "{…}", route.split(" ")[1]) for route in {*ROUTES, *NOT_CALLED}}
    written = re.sub(r"\{[^}]*\}", "{…}", README)
    assert not sorted(path for path in paths if path not in written)


def test_the_readme_walks_only_through_files_there_are() -> None:
    named = set(re.findall(r"`((?:Home\.py|pages/|lib/|tests/)[\w/.]*)`", README))
    assert len(named) > 25
    assert not sorted(path for path in named if not (TOP / path).exists())


def missing_from_readme(words: Iterable[str]) -> list[str]:
    """Those words the README never sets as code."""
    return [word for word in words if f"`{word}`" not in README]


@pytest.mark.parametrize("kind", STATE_SETS)
def test_the_readme_explains_every_state(kind: str) -> None:
    assert not missing_from_readme(STATE_SETS[kind])


def test_the_readme_explains_every_reason_of_the_gate() -> None:
    assert not missing_from_readme(Reason)


def test_the_readme_explains_every_failure_of_a_job_as_the_contract_does() -> None:
    for code, meaning in JOB_FAILURES.items():
        assert f"| `{code}` | {meaning} |" in README, f"the README's row of {code} differs from contract.jobs.JOB_FAILURES"


def test_the_readme_explains_every_error_code_as_the_contract_does() -> None:
    assert not missing_from_readme(ErrorCode)
    for code, (http_code, meaning, _) in ERRORS.items():
        assert f"| `{code}` | {http_code} | {meaning}" in README, f"the README's row of {code} differs from contract.errors.ERRORS"


def test_the_readme_explains_every_fault_of_a_file_as_the_contract_does() -> None:
    for fault in Fault:
        assert f"| `{fault}` | {FAULTS[fault]} |" in README, f"the README's row of {fault} differs from contract.faults.FAULTS"


def test_the_readme_names_every_topic_and_event_of_the_feed() -> None:
    assert not missing_from_readme([*Topic, RESET_EVENT])


def test_the_readme_lists_every_setting_with_its_default() -> None:
    for setting in SETTINGS.values():
        unit = f" {setting.unit}" if setting.unit else ""
        row = f"| `{setting.name}` | {setting.default}{unit} |"
        assert row in README, f"the README lacks {row}"


def test_every_setting_has_help() -> None:
    for setting in SETTINGS.values():
        assert setting.title, setting.name
        assert setting.help.endswith("."), f"{setting.name}: help is a whole sentence"


def test_the_readme_lists_every_environment_variable() -> None:
    for name, purpose in VARIABLES.items():
        assert f"| `{name}` | {purpose} |" in README, f"the README's row of {name} differs from contract.environment.VARIABLES"


def marked_features() -> Iterator[tuple[str, str]]:
    """(feature id, where) of every ``pytest.mark.feature(…)`` under tests/."""
    for path in sorted((TOP / "tests").rglob("test_*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"), str(path))):
            match node:
                case ast.Call(func=ast.Attribute(value=ast.Attribute(attr="mark"), attr="feature"), args=ids):
                    yield from ((ast.literal_eval(each), f"{path.relative_to(TOP)}:{node.lineno}") for each in ids)


def test_a_mark_names_a_feature_there_is() -> None:
    assert not [f"{where}: no feature {feature}" for feature, where in marked_features() if feature not in FEATURES]


def test_every_p0_feature_has_a_test_or_stands_on_the_not_yet_list() -> None:
    proved = {feature for feature, _ in marked_features()}
    first = {feature for feature, (priority, _) in FEATURES.items() if priority == 0}
    assert not sorted(first - proved - NOT_YET), "P0 without a test: write one"
    assert first >= NOT_YET, f"not P0, so not on NOT_YET: {', '.join(sorted(NOT_YET - first))}"


def test_the_not_yet_list_only_shrinks() -> None:
    proved = {feature for feature, _ in marked_features()}
    assert not sorted(proved & NOT_YET), "these have a test now: take them off NOT_YET in tests/features.py"
