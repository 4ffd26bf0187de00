"""The wire between a console and its service elsewhere, which remembers what was asked over it."""

from __future__ import annotations

import asyncio
import re

from tests.client.fault_proxy import FaultProxy

_REQUEST = re.compile(rb"^(?:GET|HEAD|POST|PUT|DELETE) \S+ HTTP/1\.1\r$", re.MULTILINE)


class Wire(FaultProxy):
    """``asked``: the first line of each request, in order."""

    def __init__(self, port: int) -> None:
        self.asked: list[str] = []
        super().__init__(port)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, down: bool) -> None:
        if down:
            await super()._pump(reader, writer, down=True)
            return
        while data := await reader.read(16384):
            self.asked += [line.decode().strip() for line in _REQUEST.findall(data)]
            writer.write(data)
            await writer.drain()
