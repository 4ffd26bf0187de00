"""The operations API: built here, started here, stopped here."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio.to_thread
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import RouteContext, iter_route_contexts

from lib.contract.states import Role
from lib.service import scale
from lib.service.config import Config
from lib.service.data_lock import hold_data_dir
from lib.service.errors import ProblemApi, install_handlers
from lib.service.head_requests import HeadAsGet
from lib.service.logs import configure_logs
from lib.service.routers import (
    audit,
    docs,
    entries,
    exports,
    golden,
    health,
    identity,
    index,
    inspections,
    intentions,
    jobs,
    maps,
    moments,
    operations,
    places,
    plans,
    queue,
    rehearsals,
    settings,
    sheets,
    shift,
    snapshots,
    stream,
    telemetry,
    tickets,
    visits,
    workers,
)
from lib.service.routers import uploads as uploads_router
from lib.service.routers.deps import EVERYWHERE
from lib.service.security import OPEN_PATHS, HostAndOriginCheck
from lib.service.services import build_services
from lib.service.storage.database import Database
from lib.service.supervisor import Supervisor, Wanted

#: Bodies larger than this are refused unless the route says otherwise.
MAX_BODY_BYTES = 1 << 20

#: The order of the document.
_ROUTERS = (
    uploads_router,
    operations,
    plans,
    jobs,
    intentions,
    exports,
    workers,
    queue,
    index,
    maps,
    golden,
    snapshots,
    inspections,
    rehearsals,
    entries,
    places,
    visits,
    moments,
    settings,
    sheets,
    shift,
    audit,
    identity,
    tickets,
    telemetry,
    stream,
    docs,
    health,
)


def create_app(config: Config, *, hosts: list[str] | None = None, supervise: bool = True) -> FastAPI:
    """The ASGI application. ``hosts``: names it answers for besides the loopback ones. ``supervise``: keep workers running."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        anyio.to_thread.current_default_thread_limiter().total_tokens = 64
        services, release = await anyio.to_thread.run_sync(_start, config, supervise)
        app.state.services = services
        supervisor = await anyio.to_thread.run_sync(_build_supervisor, config, services.database) if supervise else None
        await anyio.to_thread.run_sync(services.telemetry.start)
        if supervisor:
            supervisor.start()
        try:
            yield
        finally:
            services.feed.close()
            if supervisor:
                await anyio.to_thread.run_sync(supervisor.stop)
            await anyio.to_thread.run_sync(services.close)
            release()

    app = ProblemApi(
        title="Switchyard operations API",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        max_body_size=MAX_BODY_BYTES,
        responses=EVERYWHERE,
        generate_unique_id_function=lambda route: route.name,  # equals the client's method: one word finds the whole road
    )
    install_handlers(app)
    for module in _ROUTERS:
        app.include_router(module.router)
    app.add_middleware(HeadAsGet)
    app.add_middleware(HostAndOriginCheck, hosts=hosts or [])
    app.openapi = lambda: _describe(app)  # type: ignore[method-assign]
    return app


def _build_supervisor(config: Config, database: Database) -> Supervisor:
    scale.claim_crew(database, config)
    wanted = Wanted(
        count=lambda: scale.count_crew(database),
        is_drained=lambda worker_id: scale.is_drained(database, worker_id),
        forget=lambda worker_id: scale.forget_worker(database, worker_id),
    )
    count = scale.count_crew(database)
    return Supervisor(config if count is None else config.model_copy(update={"workers": count}), wanted=wanted)


def _start(config: Config, supervise: bool) -> tuple[Any, Any]:
    config.create_folders()
    release = hold_data_dir(config.data_dir) if supervise else lambda: None
    configure_logs(config.logs_dir, "api")
    return build_services(config), release


def _describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document: as FastAPI makes it, with the token and the role each route needs."""
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for served in iter_route_contexts(app.routes):
            if served.path not in OPEN_PATHS:
                for method in served.methods or ():
                    described = document["paths"][served.path][method.lower()]
                    described["security"] = [{"token": []}]
                    described["x-role"] = _role_of(served)
        app.openapi_schema = document
    return app.openapi_schema


def _role_of(route: RouteContext) -> Role:
    for dependency in route.dependant.dependencies:
        if role := getattr(dependency.call, "role", None):
            return Role(role)
    raise LookupError(f"{route.path} asks for no role")
