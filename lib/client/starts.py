"""Starting a job: asked once, however often it has to be sent."""

from __future__ import annotations

from uuid import uuid4

from lib.client.errors import Unexpected
from lib.client.transport import Transport
from lib.contract.model import Request
from lib.contract.operations import Started


def start_job(transport: Transport, path: str, request: Request, key: str | None) -> str:
    """POST ``request``; the id of the job that was started. Under one idempotency ``key`` it is one job."""
    started = transport.post(Started, path, request, key or uuid4().hex)
    if started.job_id is None:
        raise Unexpected(f"a start of {path} without its job")
    return started.job_id
