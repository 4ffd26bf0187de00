"""Keeps a tick of the page one has just left from blanking the page one has come to.

Streamlit 1.67, measured in Chromium: a fragment's tick that the browser sends after it has asked for another page, and before it has
heard of it, still names the old one. The server runs it after the new page and announces the old page's id; the browser then clears
everything and stays blank ("Bad delta path index"). On a slow machine with 1 s ticks that was one page switch in forty.
Nothing public in Streamlit prevents it, so such ticks are taken off the wire before it sees them.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from streamlit.proto.BackMsg_pb2 import BackMsg


def without_late_ticks(console: ASGIApp) -> ASGIApp:
    """The console, deaf to ticks of pages that its browser has already left."""

    async def serve(scope: Scope, receive: Receive, send: Send) -> None:
        await console(scope, _Listener(receive) if scope["type"] == "websocket" else receive, send)

    return serve


class _Listener:
    """What one browser tab says, but for its late ticks."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._page = ""  # what was asked for last; empty while the browser has named it by its address only

    async def __call__(self) -> Message:
        while self._is_late(message := await self._receive()):
            pass
        return message

    def _is_late(self, message: Message) -> bool:
        said = BackMsg.FromString(message.get("bytes") or b"")
        if not said.HasField("rerun_script"):
            return False
        wish = said.rerun_script
        if not wish.fragment_id:
            self._page = wish.page_script_hash
            return False
        return bool(self._page) and wish.page_script_hash not in {"", self._page}
