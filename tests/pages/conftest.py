"""Pages run in Streamlit's own test harness, against a service of canned readings."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.components.v2.component_manager import BidiComponentManager
from streamlit.testing.v1 import AppTest

from lib.ui import session
from tests.pages import fakes

TOP = Path(__file__).resolve().parents[2]
FILES = {
    "Home": "Home.py",
    "Import": "pages/1_Import.py",
    "Export": "pages/2_Export.py",
    "Workers": "pages/3_Workers.py",
    "Queue": "pages/4_Queue.py",
    "Index": "pages/5_Index.py",
    "Settings": "pages/6_Settings.py",
}


class Visit:
    """One page in one situation, with the fake service behind it."""

    def __init__(self, page: str, scene: str, params: dict[str, str]) -> None:
        self.client, self.hub = fakes.scene(scene)
        self.app = AppTest.from_file(str(TOP / "Home.py"), default_timeout=30)
        if page != "Home":
            self.app.switch_page(FILES[page])
        for name, value in params.items():
            self.app.query_params[name] = value

    def run(self) -> Visit:
        self.app.run()
        assert not self.app.exception, self.app.exception
        return self

    def param(self, name: str) -> str:
        """A query parameter as it stands after the last run."""
        value = self.app.query_params[name]
        return value[0] if isinstance(value, list) else value

    @property
    def text(self) -> str:
        """Everything the page says, markup included."""
        kinds = ("html", "markdown", "page_link", "button", "caption", "dialog")
        return "\n".join(_words(element) for kind in kinds for element in self.app.get(kind))

    def button(self, key: str) -> Any:
        return self.app.button(key=key)

    @property
    def dialog_title(self) -> str:
        """The title of the open dialog; empty when none is open."""
        return "".join(
            element.proto.dialog.title if hasattr(element.proto, "dialog") else str(element.proto) for element in self.app.get("dialog")
        )

    def typed_field(self) -> Any:
        """The field in which a tier 3 dialog wants the name or the number."""
        return next(field for field in self.app.text_input if (field.key or "").startswith("dialog_typed_"))

    def has_button(self, key: str) -> bool:
        return any(button.key == key for button in self.app.button)

    def asked(self, name: str) -> list[tuple[Any, ...]]:
        """The arguments of every call of the client method ``name``."""
        return [arguments for called, arguments in self.client.calls if called == name]


def _words(element: Any) -> str:
    proto = element.proto
    return " ".join(str(getattr(proto, name, "")) for name in ("body", "label", "title"))


@pytest.fixture(autouse=True)
def _streamlit(monkeypatch: pytest.MonkeyPatch) -> None:
    # Looking for components in every installed package takes 0.3 s each time.
    monkeypatch.setattr(BidiComponentManager, "discover_and_register_components", lambda *_, **__: None)


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Visit]:
    """Open a page: ``visit("Queue", "failed", cause="empty_text")``."""

    def open_it(page: str, scene: str, /, **params: str) -> Visit:
        seen = Visit(page, scene, params)
        monkeypatch.setattr(session, "make_client", lambda: seen.client)
        monkeypatch.setattr(session, "make_hub", lambda: seen.hub)
        st.cache_resource.clear()
        st.cache_data.clear()
        return seen.run()

    return open_it
