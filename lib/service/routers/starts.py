"""Starting an operation: what every such route asks for besides its body, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from fastapi import Depends, Query, Response

from lib.contract.errors import ErrorCode
from lib.contract.operations import Started
from lib.contract.states import Operation
from lib.service.intentions import start_or_wait
from lib.service.jobs import Start
from lib.service.routers.deps import IdempotencyKey, RequestId, ServicesDep, problems
from lib.service.security import Identity
from lib.service.services import Services


def starts(*codes: ErrorCode) -> dict[str, Any]:
    """How the decorator of such a route is called: 202, and the refusals it may meet, ``codes`` among them."""
    refusals = problems(ErrorCode.REFUSED, ErrorCode.IDEMPOTENCY_KEY_REUSED, ErrorCode.CROSS_SITE, *codes)
    return {"status_code": 202, "response_model_exclude_none": True, "responses": refusals}


def point(response: Response, path: str) -> None:
    """Say where that lies which was started, and when to look there again."""
    response.headers["Location"] = path
    response.headers["Retry-After"] = "1"


@dataclass(frozen=True)
class _Starter:
    """How a start is asked for (once only; now or when the gate opens), and the answer it is told in."""

    services: Services
    response: Response
    request_id: str
    key: str | None
    when_free: bool

    def ask(self, operation: Operation, arguments: dict[str, Any], who: Identity) -> Start:
        """The start of one operation, asked for like this."""
        return Start(
            operation=operation,
            arguments=arguments,
            actor=who.actor,
            request_id=self.request_id,
            idempotency_key=self.key,
            when_free=self.when_free,
        )

    def start(self, operation: Operation, arguments: dict[str, Any], who: Identity) -> Started:
        """Start an operation that has nothing to be looked at first but the gate."""
        start = self.ask(operation, arguments, who)
        return self.tell(start_or_wait(self.services.database, self.services.queue, start, when_free=start.when_free))

    def tell(self, started: Started) -> Started:
        """Point to the job, or to the intention that waits to start it."""
        point(self.response, f"/api/jobs/{started.job_id}" if started.job_id else f"/api/intentions/{started.intention_id}")
        return started


def _starter(
    services: ServicesDep,
    response: Response,
    request_id: RequestId,
    key: IdempotencyKey = None,
    when_free: Annotated[bool, Query(description="if another operation is in the way, start by itself when it ends")] = False,
) -> _Starter:
    return _Starter(services, response, request_id, key, when_free)


Starter = Annotated[_Starter, Depends(_starter)]
