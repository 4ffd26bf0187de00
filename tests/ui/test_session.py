"""What lives longer than one run of a page."""

from __future__ import annotations

import threading
from time import monotonic

from lib.contract.events import Topic
from lib.ui import session


class SlowHub:
    """A hub that has heard everything after ``seconds``."""

    def __init__(self, seconds: float) -> None:
        self._heard, self.version = threading.Event(), 0
        threading.Timer(seconds, self._heard.set).start()

    def reading(self, topic: Topic) -> object | None:  # noqa: ARG002
        return object() if self._heard.is_set() else None

    def wait_for_change(self, after_version: int, timeout: float) -> int:  # noqa: ARG002
        self._heard.wait(timeout)
        self.version += 1
        return self.version


def wait_for(hub: SlowHub) -> float:
    began = monotonic()
    session._await_first_word(hub)  # type: ignore[arg-type]
    return monotonic() - began


def test_the_first_page_waits_until_the_hub_has_heard_everything():
    assert 0.05 <= wait_for(SlowHub(0.1)) < session.FIRST_WORD_SECONDS


def test_it_waits_no_longer_than_promised(monkeypatch):
    monkeypatch.setattr(session, "FIRST_WORD_SECONDS", 0.2)
    assert 0.15 <= wait_for(SlowHub(5)) < 1
