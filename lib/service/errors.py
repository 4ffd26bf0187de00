"""The one error a service function raises towards a client, and the handlers that render it.

ServiceError            carries a stable code; its HTTP status comes from ``contract.errors.ERRORS``
└── GateRefused         409 with the gate's own words
"""

from __future__ import annotations

import errno
from http import HTTPStatus

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.exc import OperationalError
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

from lib.contract.errors import ERRORS, ErrorCode, FieldError, Problem
from lib.contract.operations import Gate

log = structlog.get_logger("errors")


class ServiceError(Exception):
    """An answer other than success: a stable code, and what happened in words."""

    def __init__(
        self,
        code: ErrorCode,
        detail: str = "",
        *,
        action: str = "",
        errors: list[FieldError] | None = None,
        headers: dict[str, str] | None = None,
        gate: Gate | None = None,
    ) -> None:
        _, meaning, remedy = ERRORS[code]
        super().__init__(detail or meaning)
        self.code, self.detail, self.action = code, detail or meaning, action or remedy
        self.errors, self.headers, self.gate = errors or [], headers, gate


class GateRefused(ServiceError):
    """The gate said no."""

    def __init__(self, gate: Gate) -> None:
        headers = {"Location": f"/api/jobs/{gate.holder}"} if gate.holder and gate.reason_code == "operation_running" else None
        super().__init__(ErrorCode.REFUSED, gate.reason_text, gate=gate, headers=headers)


def is_disk_full(error: BaseException) -> bool:
    """Whether that is what an error of a file or of the database says."""
    # SQLite gives its error no number that SQLAlchemy passes on; these are its words.
    return (isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)) or "database or disk is full" in str(error)


def problem_response(error: ServiceError) -> JSONResponse:
    """The RFC 9457 body of ``error``."""
    http_code = ERRORS[error.code][0]
    problem = Problem(
        type=f"urn:switchyard:{error.code}",
        title=HTTPStatus(http_code).phrase,
        status=http_code,
        code=error.code,
        detail=error.detail,
        action=error.action,
        gate=error.gate,
        errors=error.errors,
    )
    headers = dict(error.headers or {})
    if http_code == HTTPStatus.UNAUTHORIZED:
        headers.setdefault("WWW-Authenticate", "Bearer")
    return JSONResponse(problem.model_dump(mode="json"), http_code, headers, media_type="application/problem+json")


_BY_HTTP_CODE = {
    400: ErrorCode.INVALID,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.TOO_LARGE,
    416: ErrorCode.BAD_RANGE,
}


class ProblemApi(FastAPI):
    """Below the routes the framework answers in plain text (a body too large, a bad range): here that becomes a problem too."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and ("\0" in scope["path"] or b"%00" in scope["query_string"]):
            # PostgreSQL keeps no text with it, so nothing is called that.
            await problem_response(ServiceError(ErrorCode.INVALID, "The address holds a NUL character."))(scope, receive, send)
            return
        replaced = False

        async def send_problem(message: Message) -> None:
            nonlocal replaced
            if message["type"] == "http.response.start" and message["status"] >= 400:
                headers = Headers(raw=message["headers"])
                replaced = headers.get("content-type", "").startswith("text/plain")
                if replaced:
                    code = _BY_HTTP_CODE.get(message["status"], ErrorCode.INTERNAL)
                    kept = {name: headers[name] for name in ("content-range", "allow") if name in headers}
                    await problem_response(ServiceError(code, headers=kept))(scope, receive, send)
            if not replaced:
                await send(message)

        await super().__call__(scope, receive, send_problem if scope["type"] == "http" else send)


def install_handlers(app: FastAPI) -> None:
    """Every error of every route leaves as a problem document."""

    @app.exception_handler(ServiceError)
    async def _service_error(_: Request, error: ServiceError) -> JSONResponse:
        return problem_response(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        fields = [FieldError(pointer="/" + "/".join(map(str, e["loc"])), detail=str(e["msg"])) for e in error.errors()]
        detail = "; ".join(f"{field.pointer}: {field.detail}" for field in fields[:3])
        return problem_response(ServiceError(ErrorCode.INVALID, detail, errors=fields))

    @app.exception_handler(HTTPException)
    async def _http(_: Request, error: HTTPException) -> JSONResponse:
        code = _BY_HTTP_CODE.get(error.status_code, ErrorCode.INTERNAL)
        detail = "" if error.detail == HTTPStatus(error.status_code).phrase else str(error.detail)
        return problem_response(ServiceError(code, detail, headers=dict(error.headers or {})))

    @app.exception_handler(OSError)
    @app.exception_handler(OperationalError)
    async def _no_file_or_no_database(_: Request, error: OSError | OperationalError) -> JSONResponse:
        log.error("os_error", error=str(error), exc_info=error)
        return problem_response(ServiceError(ErrorCode.NO_SPACE if is_disk_full(error) else ErrorCode.INTERNAL))

    @app.exception_handler(Exception)
    async def _unexpected(request: Request, error: Exception) -> JSONResponse:
        log.error("unexpected_error", path=request.url.path, error=repr(error), exc_info=error)
        return problem_response(ServiceError(ErrorCode.INTERNAL))
