"""Two clicks are one wish, and so are a reload and the way back. Of two people with the same wish one is told why not."""

from __future__ import annotations

import re
from itertools import count

import pytest
from playwright.sync_api import expect

from lib.contract.states import Operation
from tests.browser.conftest import Visit
from tests.browser.visitor import Visitor
from tests.browser.walk import edit_sample, make_plan
from tests.faults.console import Console, until

pytestmark = pytest.mark.browser

_texts = (f"Somebody has found better way number {number}." for number in count(1))


def make_new_plan(console: Console) -> str:
    """A plan that would change something; none before it did."""
    content, _ = edit_sample("ACC-004", "advice", next(_texts))
    return make_plan(console, content)


def jobs_of(console: Console, operation: Operation) -> list[str]:
    """Every job of the kind there ever was, once none of them is under way."""
    until(lambda: not any(job.is_active for job in console.client.list_jobs(operation).items), 40, "the end of the jobs")
    return [job.job_id for job in console.client.list_jobs(operation, limit=200).items]


@pytest.mark.feature("X9")
def test_a_double_click_on_apply_then_a_reload_and_the_way_back_start_one_import(visit: Visit, filled_console: Console) -> None:
    before = jobs_of(filled_console, Operation.IMPORT)
    visitor = visit(filled_console).open("Import", plan=make_new_plan(filled_console))
    visitor.button("Apply: 1 entry").dblclick()
    expect(visitor.heading("What came of it")).to_be_visible()
    visitor.shot("1-applied-once")
    visitor.reload("Import")
    expect(visitor.heading("What came of it")).to_be_visible()
    visitor.page.go_back()
    expect(visitor.said("This plan was applied")).to_be_visible()
    visitor.shot("2-the-way-back")
    assert len(jobs_of(filled_console, Operation.IMPORT)) == len(before) + 1
    assert visitor.complaints == []


@pytest.mark.feature("X9")
def test_a_double_click_on_export_then_a_reload_start_one_export(visit: Visit, filled_console: Console) -> None:
    before = jobs_of(filled_console, Operation.EXPORT)
    visitor = visit(filled_console).open("Export")
    visitor.button("Export to CSV").dblclick()
    rows = visitor.page.get_by_role("table", name="Export files, newest first").locator("tbody tr")
    expect(rows).to_have_count(len(before) + 1)
    visitor.shot("exported-once")
    visitor.reload("Export")
    assert len(jobs_of(filled_console, Operation.EXPORT)) == len(before) + 1
    expect(rows).to_have_count(len(before) + 1)
    assert visitor.complaints == []


def test_of_two_tabs_that_apply_the_same_plan_one_does_and_the_other_is_told_why_not(visit: Visit, filled_console: Console) -> None:
    before = jobs_of(filled_console, Operation.IMPORT)
    plan_id = make_new_plan(filled_console)
    first, second = (visit(filled_console).open("Import", plan=plan_id) for _ in range(2))
    hold_still(second)
    for visitor in (first, second):
        visitor.button("Apply: 1 entry").click()
    expect(first.heading("What came of it")).to_be_visible()
    refused = second.page.get_by_role("alert").filter(has_text="The plan was not applied")
    under_way = second.page.get_by_test_id("stMain").get_by_text(re.compile(r"^(queued|running)$"))
    done = second.page.get_by_text("This plan was applied")
    expect(refused.or_(under_way).or_(done).first).to_be_visible()
    # With refresh off the button may stay until this tab looks again, but it must not promise anything any more.
    expect(second.page.get_by_role("button", name="Apply: ", disabled=False)).to_have_count(0)
    second.shot("told-why-not")
    assert len(jobs_of(filled_console, Operation.IMPORT)) == len(before) + 1
    assert first.complaints + second.complaints == []


def hold_still(visitor: Visitor) -> None:
    """Refresh off, so that this tab does not hear what the other one does before it clicks."""
    visitor.page.get_by_test_id("stSidebar").get_by_role("radio", name="Off").click()
    expect(visitor.page.locator(".sy-bar")).to_contain_text("Refresh off")
