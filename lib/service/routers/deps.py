"""What a route may ask for by type."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any
from uuid import uuid4

from fastapi import Depends, Header, Query, Request

from lib.contract.errors import ERRORS, ErrorCode, Problem
from lib.contract.states import Role
from lib.service.errors import ServiceError
from lib.service.security import Identity
from lib.service.services import Services


def get_services(request: Request) -> Services:
    """The parts of the running service."""
    services: Services = request.app.state.services
    return services


def require(role: Role) -> Callable[[Request], Identity]:
    """A dependency that answers who asks, and refuses identities below ``role``."""

    def identify(request: Request) -> Identity:
        identity = get_services(request).guard.identify(request)
        if not identity.may(role):
            raise ServiceError(ErrorCode.FORBIDDEN, f"This needs the role {role}; {identity.actor} is {identity.role}.")
        return identity

    identify.role = role  # type: ignore[attr-defined]  # the OpenAPI document reads it
    return identify


def get_request_id(request: Request) -> str:
    """The caller's request id, or one of ours; it stands in the audit."""
    given = request.headers.get("x-request-id", "")
    return given if given.isascii() and given.isprintable() and 0 < len(given) <= 64 else uuid4().hex


ServicesDep = Annotated[Services, Depends(get_services)]
Viewer = Annotated[Identity, Depends(require(Role.VIEWER))]
Operator = Annotated[Identity, Depends(require(Role.OPERATOR))]
Admin = Annotated[Identity, Depends(require(Role.ADMIN))]
RequestId = Annotated[str, Depends(get_request_id)]
IdempotencyKey = Annotated[str | None, Header(alias="Idempotency-Key", min_length=8, max_length=255, pattern=r"^[\x21-\x7e]+$")]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(max_length=200)]


def problems(*codes: ErrorCode) -> dict[int | str, dict[str, Any]]:
    """The error answers of a route, for the OpenAPI document."""
    schema = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    by_http: dict[int | str, dict[str, Any]] = {}
    for code in codes:
        http_code, meaning, _ = ERRORS[code]
        described = by_http.setdefault(http_code, {"model": Problem, "description": "", "content": schema})
        described["description"] = " ".join(filter(None, (described["description"], f"`{code}`: {meaning}")))
    return by_http


EVERYWHERE = problems(
    ErrorCode.UNAUTHENTICATED, ErrorCode.BAD_TOKEN, ErrorCode.BAD_TICKET, ErrorCode.FORBIDDEN, ErrorCode.BAD_HOST, ErrorCode.INVALID
)
