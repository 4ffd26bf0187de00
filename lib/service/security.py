"""Who may do what: tokens, tickets for links, and the checks every request passes before its route is looked at."""

from __future__ import annotations

import fcntl
import getpass
import hmac
import os
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from fastapi import Request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from starlette.types import ASGIApp, Receive, Scope, Send

from lib.contract.environment import token_file
from lib.contract.errors import ErrorCode
from lib.contract.model import utc_now
from lib.contract.operations import Ticket, TicketRequest
from lib.contract.states import Role
from lib.service.config import Config
from lib.service.errors import ServiceError, problem_response

TICKET_SECONDS = 3600
TICKET_HEADER = "X-Switchyard-Ticket"
RANK = {Role.VIEWER: 0, Role.OPERATOR: 1, Role.ADMIN: 2}
OPEN_PATHS = frozenset({"/healthz", "/readyz"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})


@dataclass(frozen=True)
class Identity:
    """An authenticated person or program. ``actor`` is what the audit says; a client cannot choose it."""

    actor: str
    role: Role

    def may(self, role: Role) -> bool:
        """Whether this identity has ``role`` or a higher one."""
        return RANK[self.role] >= RANK[role]


def read_or_make_secret(path: Path) -> str:
    """The secret kept in ``path`` (0600), made on first use. Two processes that start at once agree on one."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+") as file:
        # Locked until it is closed: nobody reads the file between its making and its filling, and one that a kill left
        # empty is filled by the next. An empty secret would sign tickets that anybody can make.
        fcntl.flock(file, fcntl.LOCK_EX)
        os.fchmod(file.fileno(), 0o600)
        secret = file.read().strip()
        if not secret:
            secret = secrets.token_urlsafe(32)
            file.write(secret)
        return secret


class Guard:
    """Authenticates requests by token or ticket."""

    def __init__(self, config: Config) -> None:
        self._token = config.token or read_or_make_secret(token_file(config.data_dir))
        # Tickets are signed with a secret of their own: a leaked link says nothing about the token.
        self._signer = URLSafeTimedSerializer(read_or_make_secret(config.data_dir / "ticket-secret"), salt="ticket")
        self._owner = Identity(actor=_local_user(), role=Role.ADMIN)

    def identify(self, request: Request) -> Identity:
        """Who asks; ServiceError 401 when the request carries neither a good token nor a good ticket for exactly this."""
        if ticket := request.headers.get(TICKET_HEADER) or request.query_params.get("ticket"):
            return self._identify_by_ticket(ticket, request.method, request.url.path)
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise ServiceError(ErrorCode.UNAUTHENTICATED)
        if not hmac.compare_digest(token.encode(), self._token.encode()):
            raise ServiceError(ErrorCode.BAD_TOKEN)
        return self._owner

    def create_ticket(self, identity: Identity, request: TicketRequest) -> Ticket:
        """A ticket that lets its bearer use one method on one path, as ``identity``, for an hour."""
        claims = {"method": request.method, "path": request.path, "actor": identity.actor, "role": identity.role}
        expires_at: datetime = utc_now() + timedelta(seconds=TICKET_SECONDS)
        return Ticket(ticket=str(self._signer.dumps(claims)), expires_at=expires_at)

    def _identify_by_ticket(self, ticket: str, method: str, path: str) -> Identity:
        try:
            claims = self._signer.loads(ticket, max_age=TICKET_SECONDS)
        except BadSignature as error:
            raise ServiceError(ErrorCode.BAD_TICKET) from error
        allowed = {claims["method"], "HEAD"}  # HEAD tells where an upload stands, or how large a file is
        if method not in allowed or path != claims["path"]:
            raise ServiceError(ErrorCode.BAD_TICKET, "The ticket is for something else.")
        return Identity(actor=claims["actor"], role=Role(claims["role"]))


def _local_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "local"


class HostAndOriginCheck:
    """Refuses foreign Host headers (DNS rebinding) and writes that a page of another site sent."""

    def __init__(self, app: ASGIApp, *, hosts: list[str]) -> None:
        self._app = app
        self._hosts = {host.lower() for host in hosts} | {"127.0.0.1", "localhost", "[::1]"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or answer it with a problem."""
        if scope["type"] == "http" and (error := self._refusal(scope)):
            await problem_response(error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> ServiceError | None:
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        host = headers.get("host", "")
        if _without_port(host) not in self._hosts:
            return ServiceError(ErrorCode.BAD_HOST)
        if scope["method"] in _READS:
            return None
        origin = headers.get("origin")
        foreign = origin is not None and origin.partition("://")[2].lower() != host.lower()
        if foreign or headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            return ServiceError(ErrorCode.CROSS_SITE)
        return None


def _without_port(host: str) -> str:
    return host[: host.index("]") + 1].lower() if host.startswith("[") and "]" in host else host.partition(":")[0].lower()
