"""A browser tab without a browser: speaks Streamlit's websocket protocol, as one that shows a page and ticks."""

from __future__ import annotations

import asyncio
import json
import time
from types import TracebackType

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.asyncio.client import ClientConnection, connect

#: Seconds one run of a page may take before the measurement is called off.
PATIENCE = 60.0


class Tab:
    """Open it with ``async with``; then ``load`` and ``tick``."""

    def __init__(self, port: int, page: str = "") -> None:
        self._address, self._page = f"ws://127.0.0.1:{port}/_stcore/stream", page
        self.fragments: dict[str, float] = {}  #: the parts that tick, in the order of the page, and every how many seconds
        self.bytes = 0
        self._script = ""

    async def __aenter__(self) -> Tab:
        self._socket: ClientConnection = await connect(
            self._address, subprotocols=["streamlit"], max_size=None, origin=self._address.replace("ws", "http").rsplit("/", 2)[0]
        )
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._socket.close()

    async def load(self) -> None:
        """The first run of the page; what ticks is learned from it."""
        await self._send(fragment="")
        await self._settle(learn=True)

    async def tick(self, turn: int, interval: float) -> float:
        """Redraw what is due in this turn of ``interval`` seconds, one after the other as a browser asks; how long it took in all."""
        began = time.monotonic()
        for fragment, seconds in self.fragments.items():
            if turn == 0 or int(turn * interval / seconds) > int((turn - 1) * interval / seconds):
                await self._send(fragment)
                await self._settle()
        return time.monotonic() - began

    async def _send(self, fragment: str) -> None:
        message = BackMsg()
        message.rerun_script.query_string = ""
        message.rerun_script.page_name = self._page if not self._script else ""
        message.rerun_script.page_script_hash = self._script
        message.rerun_script.fragment_id = fragment
        await self._socket.send(message.SerializeToString())

    async def _settle(self, *, learn: bool = False) -> None:
        """Until the run has ended."""
        while True:
            data = await asyncio.wait_for(self._socket.recv(), PATIENCE)
            assert isinstance(data, bytes)
            self.bytes += len(data)
            message = ForwardMsg.FromString(data)
            kind = message.WhichOneof("type")
            if kind == "new_session":
                self._script = message.new_session.page_script_hash
            elif learn and kind == "delta" and _is_ticker(message):
                timer = json.loads(message.delta.new_element.component_instance.json_args)
                self.fragments[message.delta.fragment_id] = timer["interval"] / 1000
            elif learn and kind == "auto_rerun":
                self.fragments[message.auto_rerun.fragment_id] = message.auto_rerun.interval
            elif kind == "script_finished":
                return


def _is_ticker(message: ForwardMsg) -> bool:
    element = message.delta.new_element
    return element.WhichOneof("type") == "component_instance" and "autorefresh" in element.component_instance.component_name
