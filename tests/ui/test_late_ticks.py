"""Ticks of the page one has left are taken off the wire; everything else passes."""

from __future__ import annotations

import asyncio

from starlette.types import Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg

from lib.ui.late_ticks import without_late_ticks


def ask(page: str, fragment: str = "") -> BackMsg:
    message = BackMsg()
    message.rerun_script.page_script_hash = page
    message.rerun_script.fragment_id = fragment
    return message


def heard(*said: BackMsg, kind: str = "websocket") -> list[BackMsg]:
    """What reaches the console of what the browser says."""
    left = [message.SerializeToString() for message in said]
    reached: list[BackMsg] = []

    async def receive() -> Message:
        return {"type": "websocket.receive", "bytes": left.pop(0)} if left else {"type": "websocket.disconnect"}

    async def console(scope: Scope, receive: Receive, send: Send) -> None:
        while (message := await receive())["type"] == "websocket.receive":
            reached.append(BackMsg.FromString(message["bytes"]))

    async def send(message: Message) -> None:
        raise AssertionError(message)

    asyncio.run(without_late_ticks(console)({"type": kind}, receive, send))
    return reached


def test_a_tick_of_the_page_that_was_left_is_dropped():
    before, away, late = ask("queue", "f1"), ask("index"), ask("queue", "f1")
    assert heard(ask("queue"), before, away, late, ask("index", "f2")) == [ask("queue"), before, away, ask("index", "f2")]


def test_coming_back_to_a_page_lets_its_ticks_through_again():
    said = [ask("queue"), ask("index"), ask("queue"), ask("queue", "f1")]
    assert heard(*said) == said


def test_ticks_pass_while_the_page_is_known_by_its_address_only():
    said = [ask(""), ask("queue", "f1")]
    assert heard(*said) == said


def test_what_is_no_wish_to_run_changes_nothing():
    beat = BackMsg(app_heartbeat=True)
    assert heard(ask("queue"), beat, ask("index", "f1")) == [ask("queue"), beat]


def test_requests_without_a_socket_are_not_looked_at():
    said = [ask("queue"), ask("index", "f1")]
    assert heard(*said, kind="http") == said
