"""Requests nobody thought of: schemathesis makes them from the OpenAPI document, and none may be an error of ours."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from starlette.testclient import TestClient

from lib.contract.errors import Problem
from lib.service import embedders
from lib.service.app import create_app
from lib.service.config import Config
from lib.service.storage.database import Database
from tests.conftest import TOKEN
from tests.service.road import Road, sheet
from tests.service.works import FakeEmbedder, Works

#: So many requests the document allows, and as many it forbids, for each route.
EXAMPLES = 4
#: Endless by design, and tested in its own file.
ENDLESS = {"/ui/sse"}

SCHEMA = schemathesis.openapi.from_dict(create_app(Config(data_dir=Path("unused"), token="unused"), supervise=False).openapi())
OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for operation in (result.ok() for result in SCHEMA.get_all_operations())
    if operation.path not in ENDLESS
}


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> Iterator[TestClient]:
    """One service for all of them, which answers what it did not expect instead of raising it."""
    config = Config(data_dir=tmp_path_factory.mktemp("data"), database_url="", token=TOKEN, workers=0)
    shutil.copyfile(migrated_file, config.data_dir / "switchyard.sqlite")
    app = create_app(config, supervise=False)
    with (
        pytest.MonkeyPatch.context() as patch,
        TestClient(app, base_url="http://localhost", headers={"Authorization": f"Bearer {TOKEN}"}, raise_server_exceptions=False) as client,
    ):
        fake = FakeEmbedder()
        patch.setitem(embedders._OPENERS, embedders.DEFAULT, lambda *_: fake)
        yield client


@pytest.fixture(scope="module")
def known(calm: TestClient) -> Iterator[dict[str, str]]:
    """Path parameter → an id there is, of a service in use."""
    database = Database(calm.app.state.services.config.url)  # type: ignore[attr-defined]
    road = Road(calm, Works(database, calm.app.state.services.config, FakeEmbedder()))  # type: ignore[attr-defined]
    road.fill(sheet(1, 2, 3))
    plan = road.preview(sheet(1, 4, text="other {}"))
    job, _ = road.export()
    question = calm.post("/api/golden", json={"text": "advice", "expected_keys": ["k1"]})
    rehearsed = road.run("rehearse", change={"kind": "import", "plan_id": plan["plan_id"]})
    yield {
        "rehearsal_id": rehearsed["job_id"],
        "upload_id": plan["source"]["upload_id"],
        "plan_id": plan["plan_id"],
        "job_id": next(job["job_id"] for job in road.get("/api/jobs", operation="import")["items"]),
        "export_id": job["result"]["export_id"],
        "question_id": question.json()["question_id"],
        "worker_id": "embedding-1",
        "name": "export.keep_days",
    }
    database.close()


def send(api: TestClient, case: Case) -> Any:
    request = case.as_transport_kwargs(base_url="http://localhost")
    data = request.pop("data", None)
    body = {"content": data} if isinstance(data, bytes | str) else {}
    request.pop("cookies", None)
    headers = {name: value for name, value in dict(request.pop("headers", {})).items() if name.lower() not in ("host", "authorization")}
    return api.request(**request, **body, headers=headers)


@pytest.mark.parametrize("route", OPERATIONS)
def test_no_request_is_an_error_of_ours(calm: TestClient, known: dict[str, str], route: str) -> None:
    answers: Counter[int] = Counter()

    def check(case: Case, *, id_there_is: bool) -> None:
        if id_there_is:
            case.path_parameters = {name: known.get(name, value) for name, value in (case.path_parameters or {}).items()}
        answer = send(calm, case)
        answers[answer.status_code] += 1
        if route == "GET /readyz":
            assert answer.status_code in (200, 503)
        elif answer.status_code >= 400:
            assert answer.status_code < 500, answer.text
            assert answer.request.method == "HEAD" or Problem.model_validate_json(answer.content).status == answer.status_code

    quiet = settings(max_examples=EXAMPLES, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck))
    for mode in GenerationMode:
        with suppress(Unsatisfiable):  # nothing about this route can be broken
            quiet(given(case=OPERATIONS[route].as_strategy(generation_mode=mode), id_there_is=st.booleans())(check))()
    assert answers
