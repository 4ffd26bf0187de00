"""A proxy that breaks connections."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading


class FaultProxy:
    """A TCP proxy whose behaviour a test changes while it runs.

    ``mode``: ok, stall (nothing comes down), reset (every connection is cut at once);
    ``cut_after``: bytes down after which a connection is cut in the middle.
    """

    def __init__(self, port: int) -> None:
        self.upstream_port, self.mode, self.cuts = port, "ok", 0
        self.cut_after: int | None = None
        self.tasks: set[asyncio.Task[None]] = set()
        self.writers: set[asyncio.StreamWriter] = set()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.ready = threading.Event()
        self.thread.start()
        assert self.ready.wait(5)

    def _run(self) -> None:
        self.loop.run_until_complete(self._serve())
        self.loop.close()

    async def _serve(self) -> None:
        self.ended = asyncio.Event()
        server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port: int = server.sockets[0].getsockname()[1]
        self.ready.set()
        await self.ended.wait()
        server.close()
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self.tasks.add(task)
        self.writers.add(writer)
        with contextlib.suppress(OSError, asyncio.CancelledError):
            if self.mode == "reset":
                self._abort(writer)
            else:
                await self._join(reader, writer)
        self.writers.discard(writer)
        writer.close()
        self.tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream_port)
        try:
            pumps = [
                asyncio.create_task(self._pump(reader, up_writer, down=False)),
                asyncio.create_task(self._pump(up_reader, writer, down=True)),
            ]
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
        finally:
            up_writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, down: bool) -> None:
        passed = 0
        while data := await reader.read(16384):
            if down:
                await self._stall()
            if down and self.cut_after is not None and passed + len(data) > self.cut_after:
                writer.write(data[: max(0, self.cut_after - passed)])
                await writer.drain()
                self._abort(writer)
                break
            writer.write(data)
            await writer.drain()
            passed += len(data)

    async def _stall(self) -> None:
        while self.mode == "stall":  # noqa: ASYNC110  (the test says when, from another thread)
            await asyncio.sleep(0.02)

    def _abort(self, writer: asyncio.StreamWriter) -> None:
        """RST instead of FIN."""
        self.cuts += 1
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    def cut(self) -> None:
        """Cut every connection now."""
        self.loop.call_soon_threadsafe(lambda: [self._abort(writer) for writer in list(self.writers)])

    def stop(self) -> None:
        self.loop.call_soon_threadsafe(self.ended.set)
        self.thread.join(5)
