"""A browser, and real consoles to point it at: one with nothing in it, one with the sample sheet."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, expect, sync_playwright

from tests.browser.visitor import Visitor
from tests.browser.walk import load_sample
from tests.faults.console import ROOT, Console

CHROMIUM = Path("/usr/bin/chromium")
#: Kept as output of CI, ignored by git.
PICTURES = ROOT / "test-output" / "browser"

Visit = Callable[..., Visitor]

# A machine that runs other things too is slow, not wrong.
expect.set_options(timeout=15_000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A walk that fails is walked once more, and the summary names it (RERUN): a busy machine loses a race once, a defect twice."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, Any, Any]:
    report = yield
    item.stash.setdefault(_FAILED, []).extend([report.when] if report.failed else [])
    return report


_FAILED = pytest.StashKey[list[str]]()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """Debian's Chromium. CI must have it; elsewhere these tests are skipped without it."""
    if not CHROMIUM.exists():
        missing = f"There is no Chromium at {CHROMIUM}: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(missing)
        pytest.skip(missing)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def visit(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Visit]:
    """Sits somebody down before a console: ``visit(console, theme="dark", width=800)``. Each has a browser profile of their own."""
    name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_")).strip("-")
    contexts: list[BrowserContext] = []
    visitors: list[Visitor] = []

    def make(console: Console, *, theme: str = "light", width: int = 1280, height: int = 800) -> Visitor:
        context = browser.new_context(
            viewport={"width": width, "height": height}, color_scheme="dark" if theme == "dark" else "light", accept_downloads=True
        )
        contexts.append(context)
        visitors.append(Visitor(context.new_page(), f"http://127.0.0.1:{console.port}", PICTURES, name))
        return visitors[-1]

    yield make
    for number, visitor in enumerate(visitors, start=1):
        if request.node.stash.get(_FAILED, []):
            visitor.shot(f"failed-{number}")
    for context in contexts:
        context.close()


def make_console(folder: Path, **environment: str) -> Iterator[Console]:
    """A console that serves pages, on a new data folder, swept away in the end."""
    console = Console(folder / "data", pages=True, environment=environment)
    try:
        yield console.start()
    finally:
        console.sweep()


@pytest.fixture(scope="package")
def empty_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """A new installation. Tests only look at it; they ask for it by name, as the state ``empty``."""
    yield from make_console(tmp_path_factory.mktemp("empty"), SWITCHYARD_WORKERS="1", SWITCHYARD_ENVIRONMENT="test")


@pytest.fixture(scope="package")
def filled_console(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Console]:
    """An installation in use: the sample is in the table and searchable, and was exported once."""
    for console in make_console(tmp_path_factory.mktemp("filled"), SWITCHYARD_WORKERS="1", SWITCHYARD_ENVIRONMENT="test"):
        load_sample(console)
        yield console
