"""Somebody at a browser: opens pages, reads what they say, takes pictures, and notes what goes wrong behind the page."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

from playwright.sync_api import ConsoleMessage, Download, Locator, Page, Request, WebSocket, expect
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

PAGES = ("Home", "Import", "Export", "Workers", "Queue", "Index", "Settings")
THEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
#: Milliseconds a busy machine may take for one thing to appear.
PATIENCE = 20_000
#: What no page may ever show.
TRACES = re.compile(r"Traceback|\w*Exception\b|StreamlitAPI|\w+Error:|Page not found|Connection error")
#: What never leaves this machine.
HERE = {"127.0.0.1", ""}
#: Streamlit looks for its base path below a deep link first: two 404s that nobody can prevent (notes/streamlit.md 2.4).
_PROBES = re.compile(r"/[A-Z][a-z]+/_stcore/(health|host-config)$")


class Visitor:
    """One browser tab on one console. ``base_url`` has no trailing slash; pictures go to ``pictures`` as ``<name>-<step>.png``."""

    def __init__(self, page: Page, base_url: str, pictures: Path, name: str) -> None:
        self.page, self.base_url, self.pictures, self.name = page, base_url, pictures, name
        self.complaints: list[str] = []  #: errors in the browser's console, and pages that broke
        self.requests: list[str] = []  #: the address of everything the browser asked for
        self.full_runs = 0  #: how often the server ran the whole page
        self.ticks: Counter[str] = Counter()  #: how often it ran only a part, by the part's id
        page.set_default_timeout(PATIENCE)
        page.on("console", self._note_console)
        page.on("pageerror", lambda error: self.complaints.append(f"uncaught: {error}"))
        page.on("request", self._note_request)
        page.on("websocket", self._note_socket)

    # Going somewhere

    def open(self, page: str = "Home", **params: str) -> Visitor:
        """Type the address of a page and wait until it shows what the service says."""
        path = "/" if page == "Home" else f"/{page}"
        self.page.goto(f"{self.base_url}{path}{'?' + urlencode(params) if params else ''}", wait_until="commit")
        return self.arrive(page)

    def reload(self, page: str) -> Visitor:
        """Press F5."""
        self.page.reload(wait_until="commit")
        return self.arrive(page)

    def go(self, page: str) -> Visitor:
        """Take the sidebar to a page."""
        self.page.get_by_test_id("stSidebar").get_by_role("link", name=re.compile(rf"^{page}\b")).click()
        return self.arrive(page)

    def arrive(self, page: str) -> Visitor:
        """Until ``page`` stands there, frame and all, with nothing unknown left on it."""
        expect(self.page.locator(".sy-title h1")).to_have_text(page, timeout=PATIENCE)
        expect(self.page.locator(".sy-bar")).to_contain_text("Service answers", timeout=PATIENCE)
        expect(self.page.get_by_text("not known yet")).to_have_count(0, timeout=PATIENCE)
        return self

    # Reading

    def heading(self, text: str) -> Locator:
        """A block's heading, by how it begins."""
        return self.page.get_by_role("heading", name=re.compile(f"^{re.escape(text)}")).first

    def button(self, name: str) -> Locator:
        """A button by its label; icons are no part of it."""
        return self.page.get_by_role("button", name=re.compile(rf"(^|\s){re.escape(name)}$"))

    def link(self, name: str) -> Locator:
        """A link by its label."""
        return self.page.get_by_test_id("stMain").get_by_role("link", name=re.compile(rf"(^|\s){re.escape(name)}$"))

    def tile(self, label: str) -> Locator:
        """The number under a name."""
        return self.page.locator(".sy-tile", has=self.page.locator("dt", has_text=re.compile(f"^{label}$"))).locator("dd").first

    def fact(self, name: str) -> Locator:
        """The value of a fact of the index or of a job."""
        return self.page.locator(".sy-fact", has=self.page.locator("dt", has_text=re.compile(f"^{name}$"))).locator("dd").first

    def stage(self, name: str) -> Locator:
        """A station of Home's strip."""
        return self.page.locator(".sy-stage", has=self.page.locator(".sy-name", has_text=re.compile(f"^{name}$")))

    def said(self, text: str) -> Locator:
        """A sentence the eye finds on the page. A result is said twice for a while, in its place and in a toast: either will do."""
        return self.page.get_by_text(text).filter(visible=True).first

    def dialog(self) -> Locator:
        """The open dialog."""
        return self.page.get_by_role("dialog")

    def text(self) -> str:
        """Everything the page says to the eye."""
        return self.page.locator("body").inner_text()

    def param(self, name: str) -> str:
        """A query parameter as the address has it now; fails when it is not there."""
        found = re.search(rf"[?&]{name}=([^&#]+)", self.page.url)
        assert found, f"{self.page.url} has no {name}"
        return found[1]

    # Waiting

    def until(self, condition: Callable[[], Any], what: str, seconds: float = PATIENCE / 1000) -> Any:
        """The first true answer, while the browser goes on."""
        deadline = time.monotonic() + seconds
        while not (answer := condition()):
            assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s at {self.page.url}:\n{self.text()}"
            self.page.wait_for_timeout(50)
        return answer

    def settle(self) -> None:
        """Until the browser has drawn what it knows, twice over: a new width or theme takes it two frames."""
        self.page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done, 60))))")

    def wait_for_ticks(self, count: int) -> None:
        """Until one and the same part of the page has been redrawn ``count`` times more."""
        before = Counter(self.ticks)
        self.until(lambda: any(runs - before[part] >= count for part, runs in self.ticks.items()), f"{count} ticks")

    def download(self, link: Locator) -> Download:
        """Click, and the file."""
        with self.page.expect_download() as waiting:
            link.click()
        return waiting.value

    # Keeping

    def shot(self, step: str, *, full: bool = False) -> Path:
        """A picture kept as output of the run: what the eye sees, or (``full``) also what one would have to scroll to."""
        self.pictures.mkdir(parents=True, exist_ok=True)
        path, size = self.pictures / f"{self.name}-{step}.png", self.page.viewport_size
        assert size is not None
        if full:
            hidden = self.page.get_by_test_id("stMain").evaluate("main => main.scrollHeight - main.clientHeight")
            self.page.set_viewport_size({"width": size["width"], "height": size["height"] + int(hidden)})
        self.page.screenshot(path=path, animations="disabled")
        self.page.set_viewport_size(size)
        return path

    def shot_both(self, step: str) -> None:
        """The whole page in both themes; the light one stays. What the browser loads late must have come."""
        expect(self.page.get_by_test_id("stSkeleton")).to_have_count(0)
        for theme in THEMES:
            self.page.emulate_media(color_scheme=theme)
            self.settle()
            self.shot(f"{step}-{theme}", full=True)

    def _note_console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _PROBES.search(message.location["url"]):
            self.complaints.append(f"{message.text} ({message.location['url']})")

    def _note_request(self, request: Request) -> None:
        self.requests.append(request.url)

    def _note_socket(self, socket: WebSocket) -> None:
        self.requests.append(socket.url)
        socket.on("framereceived", self._note_frame)

    def _note_frame(self, payload: str | bytes) -> None:
        if isinstance(payload, str):
            return
        message = ForwardMsg.FromString(payload)
        if message.WhichOneof("type") == "new_session":
            parts = message.metadata.run.fragment_ids
            self.ticks.update(parts)
            self.full_runs += not parts


def elsewhere(visitor: Visitor) -> list[str]:
    """What was asked of other hosts."""
    return [address for address in visitor.requests if host_of(address) not in HERE]


def host_of(address: str) -> str:
    """Whom a request goes to; empty for what never leaves the browser."""
    parts = urlsplit(address)
    return parts.hostname or "" if parts.scheme in {"http", "https", "ws", "wss"} else ""
