"""Service and console on one port: what begins with /api, /ui/sse, /healthz, /readyz or /metrics is the service's."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.contract.environment import API_URL
from lib.service.app import create_app
from lib.service.config import Config
from lib.service.data_lock import exit_if_in_use

_OURS = ("/api", "/ui/sse", "/healthz", "/readyz", "/metrics")


class Embedded:
    """The ASGI application behind one port, and its life."""

    def __init__(
        self, console: ASGIApp, *, console_lifespan: Callable[[FastAPI], AbstractAsyncContextManager[None]], hosts: list[str]
    ) -> None:
        self._console, self._console_lifespan = console, console_lifespan
        # With SWITCHYARD_API_URL the console uses a service elsewhere and starts none here.
        self._service = None if os.environ.get(API_URL) else _build_service(hosts)

    @asynccontextmanager
    async def lifespan(self, root: FastAPI) -> AsyncIterator[None]:
        """Service first, console second; stopped the other way round."""
        if self._service is None:
            async with self._console_lifespan(root):
                yield
        else:
            async with self._service.router.lifespan_context(self._service), self._console_lifespan(root):
                yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand the request to whose path it is."""
        path = scope.get("path", "")
        ours = scope["type"] == "http" and any(path == prefix or path.startswith(f"{prefix}/") for prefix in _OURS)
        if ours and self._service is not None:
            await self._service(scope, receive, send)
        else:
            await self._console(scope, receive, send)


def _build_service(hosts: list[str]) -> FastAPI:
    config = Config()
    config.create_folders()
    exit_if_in_use(config.data_dir)
    return create_app(config, hosts=hosts)
