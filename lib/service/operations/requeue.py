"""Requeue: do one thing with every item that matches, in chunks; a retry may send canaries first.

A chunk is one transaction, and what it did no longer matches: whoever takes the job up again goes on with what is left.
"""

from __future__ import annotations

import time
from typing import Any

from lib.contract.jobs import JobFailure
from lib.contract.model import utc_now
from lib.contract.queue import CAUSES, ItemAction, RequeueRequest
from lib.contract.states import FailureCause
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.storage import selections

CHUNK_ROWS = 5000
#: How many rows are tried, one lot after the other, before all the rest.
CANARIES = (1, 10)
CANARY_POLL_SECONDS = 0.5
#: A canary nobody takes up for so long says that nobody works.
CANARY_WAIT_SECONDS = 300.0
#: So far ahead that nothing waiting delays it.
CANARY_PRIORITY = 24 * 365

_PHASES = {
    ItemAction.RETRY: "putting back into the queue",
    ItemAction.DISCARD: "discarding",
    ItemAction.PUT_FIRST: "putting first",
    ItemAction.PUT_BACK: "putting back in line",
}


def requeue_items(context: JobContext) -> dict[str, Any]:
    """The whole selection, or as far as the canaries allow. What failed after the job was asked for is left alone."""
    request = RequeueRequest.model_validate(context.job.arguments)
    done = 0
    if request.canary and request.action is ItemAction.RETRY:
        for number, size in enumerate(CANARIES):
            sent = context.step(f"send_canary_{number}", _send_canary, context, request, size)
            context.step(f"watch_canary_{number}", _watch_canary, context, sent["entry_ids"], sent["at"], done)
            done += len(sent["entry_ids"])
    moved: int = context.step("move_the_rest", _move_the_rest, context, request)
    return {"action": request.action.value, "done": done + moved, "skipped": _count_skipped(request, done + moved), "failed": 0}


def _count_skipped(request: RequeueRequest, done: int) -> int:
    named = request.selection.entry_ids
    return max(0, len(set(named)) - done) if named is not None else 0


def _send_canary(context: JobContext, request: RequeueRequest, size: int) -> dict[str, Any]:
    """Let a few wait again, ahead of everything. One sent twice by a restart is only a larger canary."""
    at = utc_now().timestamp()
    taken = _move_chunk(context, request, limit=size, priority=CANARY_PRIORITY)
    if taken:
        context.say(f"canary: {len(taken):,} rows sent ahead")
    return {"entry_ids": [item.entry_id for item in taken], "at": at}


def _move_chunk(
    context: JobContext, request: RequeueRequest, *, limit: int, after: selections.Place | None = None, priority: int = 0
) -> list[Any]:
    """Do with the next rows behind ``after`` what was asked for, in one transaction; those rows. Which match was settled by the start."""
    upto = context.job.created_at.timestamp()
    with context.write() as connection:
        taken = selections.take_chunk(connection, request.action, request.selection, now=upto, upto=upto, after=after, limit=limit)
        if taken:
            selections.move_items(
                connection,
                request.action,
                taken,
                now=utc_now().timestamp(),
                actor=context.job.requested_by,
                job_id=context.job.job_id,
                shorten_to=request.shorten_to,
                priority=priority,
            )
    return taken


def _watch_canary(context: JobContext, entry_ids: list[int], at: float, done: int) -> None:
    """Until all of them have a vector; the job ends here when one has failed again, or nobody works."""
    deadline = time.monotonic() + CANARY_WAIT_SECONDS
    while entry_ids:
        with context.database.read() as connection:
            failed, waiting = selections.settled_state(connection, entry_ids, since=at)
        if failed:
            raise _canary_failed(failed[0], len(failed), done)
        context.tell("watching the canary", len(entry_ids) - waiting, len(entry_ids))
        if not waiting:
            return
        if time.monotonic() > deadline:
            detail = f"Nobody has embedded the canary within {CANARY_WAIT_SECONDS / 60:.0f} minutes; the other rows were left alone."
            raise OperationFailed(JobFailure.CANARY_WAITS, detail, "Look whether the workers are paused, then retry again.")
        time.sleep(CANARY_POLL_SECONDS)


def _canary_failed(row: Any, failed: int, done: int) -> OperationFailed:
    explanation, action = CAUSES[FailureCause(row.cause)]
    so_far = f"{done:,} rows are embedded, {failed:,} failed again" if done else f"{failed:,} failed again"
    detail = f"The canary {row.key} failed again: {explanation} {so_far}; the other rows were left alone. Raw error: {row.error}"
    return OperationFailed(JobFailure.CANARY_FAILED, detail[:1500], action)


def _move_the_rest(context: JobContext, request: RequeueRequest) -> int:
    """Chunk by chunk. Safe to repeat: what was moved does not match any more."""
    upto, done, after = context.job.created_at.timestamp(), 0, None
    with context.database.read() as connection:
        total = sum(
            selections.count_matching(connection, request.selection.model_copy(update={"state": state}), now=upto, limit=None)
            for state in selections.states_for(request.action, request.selection)
        )
    while True:
        context.tell(_PHASES[request.action], done, max(done, total))
        taken = _move_chunk(context, request, limit=CHUNK_ROWS, after=after)
        if not taken:
            return done
        after, done = (taken[-1].shown_at, taken[-1].entry_id), done + len(taken)
