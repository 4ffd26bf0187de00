"""Short-lived signed tickets for links and browser uploads."""

from __future__ import annotations

from fastapi import APIRouter

from lib.contract.errors import ErrorCode
from lib.contract.operations import Ticket, TicketRequest
from lib.service.routers.deps import ServicesDep, Viewer, problems

router = APIRouter(prefix="/api/tickets", tags=["tickets"])


@router.post("", responses=problems(ErrorCode.CROSS_SITE))
def create_ticket(body: TicketRequest, who: Viewer, services: ServicesDep) -> Ticket:
    """Let the browser use one address once removed from the token; the ticket has the role of who asked."""
    return services.guard.create_ticket(who, body)
