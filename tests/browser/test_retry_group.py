"""Rows that are too long for the model: one click shortens and retries their group, behind a canary, and clears it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import expect

from lib.contract.imports import ColumnMapping, FileSource, ImportRequest, PreviewRequest
from lib.contract.states import JobState, Operation, PlanState
from tests.browser.conftest import Visit, make_console
from tests.browser.walk import finish, to_csv
from tests.embeddings_endpoint import DIMENSION, MAX_CHARACTERS, Endpoint, serve_embeddings
from tests.faults.console import Console, until

LONG_ROWS, GOOD_ROWS = 12, 3
PATIENCE = 60_000


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    with serve_embeddings() as endpoint:
        yield endpoint


@pytest.fixture
def console(tmp_path: Path, endpoint: Endpoint) -> Iterator[Console]:
    """A console with a real worker that embeds over the endpoint; twelve rows are too long for its model."""
    for console in make_console(tmp_path, SWITCHYARD_WORKERS="1", SWITCHYARD_ENVIRONMENT="test"):
        fail_long_rows(console, endpoint)
        yield console


def fail_long_rows(console: Console, endpoint: Endpoint) -> None:
    """Three rows are embedded, twelve are too long."""
    for name, value in {"url": endpoint.url, "dimension": DIMENSION, "embedder": "openai"}.items():
        console.client.put_setting(f"embedding.{name}", value)
    rows = [["key", "text"], *([f"good-{number}", f"good {number}"] for number in range(GOOD_ROWS))]
    rows += [[f"long-{number}", f"{number} and a long story " * 20] for number in range(LONG_ROWS)]
    upload = console.client.upload_file("sheet.csv", to_csv(rows))
    mapping = ColumnMapping(key="key", text=["text"])
    plan_id = console.client.preview_import(PreviewRequest(source=FileSource(upload_id=upload.upload_id), mapping=mapping))
    until(lambda: console.client.get_plan(plan_id, limit=0).state is PlanState.READY, 60, "the plan")
    finish(console, console.client.start_import(ImportRequest(plan_id=plan_id)))
    until(lambda: console.client.get_queue().failed == LONG_ROWS, 60, "the failures")


@pytest.mark.feature("M4", "Q6", "Q4")
def test_one_click_shortens_and_retries_a_group_and_clears_it(visit: Visit, console: Console, endpoint: Endpoint) -> None:
    visitor = visit(console, theme="dark", height=1600).open("Queue")
    page = visitor.page
    expect(page.get_by_text("The text is longer than the model takes.").first).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_label("Characters to embed")).to_have_value(str(MAX_CHARACTERS), timeout=PATIENCE)
    visitor.shot("1-group")
    asked = len(endpoint.asked)
    page.get_by_role("button", name=f"Shorten and retry {LONG_ROWS} rows").click()
    expect(page.get_by_text("No row has failed.")).to_be_visible(timeout=PATIENCE)
    until(lambda: console.client.get_queue().embedded == LONG_ROWS + GOOD_ROWS, 60, "the embedded rows")
    assert len(endpoint.asked[asked]) == 1, "the canary went alone"
    until(lambda: console.client.list_jobs(Operation.REQUEUE).items[0].state is JobState.SUCCEEDED, 60, "the job's end")
    page.get_by_label("Find a row").fill("long-7")
    page.get_by_label("Find a row").press("Enter")
    expect(page.get_by_text(f"first {MAX_CHARACTERS} characters only").first).to_be_visible(timeout=PATIENCE)
    visitor.shot("2-cleared")
    assert visitor.complaints == []
