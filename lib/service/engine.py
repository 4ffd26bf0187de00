"""The durable engine (DBOS): the queue that carries job ids to operations workers, and the executor that performs them.

One id names the job and its workflow. The workflow is how a job gets done; the ``jobs`` row is what people see, and the
lock is ours: the engine frees its own deduplication id while a cancelled step still runs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from dbos import DBOS, DBOSClient
from sqlalchemy import Connection

from lib.contract.states import Operation
from lib.service.storage.database import Database

Answer = TypeVar("Answer")

#: Same on every host, so that any of them may take up another's work; raise it when the steps of an operation change.
APPLICATION_VERSION = "1"
APPLICATION_NAME = "switchyard"
WORKFLOW_NAME = "perform_job"

#: An idle engine that polls ten times a second costs 5-8 % of a core.
POLL_SECONDS = 0.5

TABLE_QUEUE, INDEX_QUEUE = "table", "index"
QUEUE_OF: dict[Operation, str] = {
    Operation.PREVIEW: TABLE_QUEUE,
    Operation.IMPORT: TABLE_QUEUE,
    Operation.COMPARE: TABLE_QUEUE,
    Operation.EXPORT: TABLE_QUEUE,
    Operation.REFRESH: INDEX_QUEUE,
    Operation.REBUILD: INDEX_QUEUE,
    Operation.UNDO: TABLE_QUEUE,
    Operation.SNAPSHOT: INDEX_QUEUE,
    Operation.INSPECT: TABLE_QUEUE,  # reads only, and may take its time: no refresh has to wait for it
    Operation.RESTORE: INDEX_QUEUE,
    Operation.CHECK: TABLE_QUEUE,  # it only reads: a long one must not keep the index from being refreshed
    Operation.REPAIR: INDEX_QUEUE,
    Operation.REQUEUE: TABLE_QUEUE,
    Operation.RENEW: TABLE_QUEUE,
    Operation.MAP: TABLE_QUEUE,  # reads only
    Operation.REHEARSE: TABLE_QUEUE,  # reads only
    Operation.REEMBED: TABLE_QUEUE,  # long: the index of the present model is refreshed meanwhile
}


class JobQueue:
    """The way into the engine, for processes that start jobs and perform none."""

    def __init__(self, database: Database) -> None:
        self._client = DBOSClient(system_database_url=database.url, application_name=APPLICATION_NAME, lazy=True)

    def enqueue(self, connection: Connection, operation: Operation, job_id: str) -> None:
        """Hand the job over within the caller's transaction: it is performed if and only if that commits."""
        self._client.enqueue_in_transaction(
            connection,
            {
                "workflow_name": WORKFLOW_NAME,
                "queue_name": QUEUE_OF[operation],
                "workflow_id": job_id,
                "app_version": APPLICATION_VERSION,
            },
            job_id,
        )

    def close(self) -> None:
        """Give back the connections."""
        self._client.destroy()


class Executor:
    """The engine inside an operations worker. One per process, for the engine is a singleton."""

    def __init__(self, database: Database, *, incarnation: str, perform: Callable[[str], None]) -> None:
        self.incarnation = incarnation
        DBOS(
            config={
                "name": APPLICATION_NAME,
                "system_database_url": database.url,
                # Not the worker's name: an orphan of its former life could go on to take workflows that nobody would recover.
                "executor_id": incarnation,
                "application_version": APPLICATION_VERSION,
                "enable_otlp": False,
                "log_level": "WARNING",
            }
        )

        @DBOS.workflow(name=WORKFLOW_NAME)
        def perform_job(job_id: str) -> None:
            perform(job_id)

    def launch(self) -> None:
        """Start polling."""
        DBOS.launch()
        DBOS.register_queue(TABLE_QUEUE, worker_concurrency=2, polling_interval_sec=POLL_SECONDS, on_conflict="always_update")
        # One at a time on all hosts: generations are numbered, and each starts from the one before.
        DBOS.register_queue(
            INDEX_QUEUE, worker_concurrency=1, global_concurrency=1, polling_interval_sec=POLL_SECONDS, on_conflict="always_update"
        )

    def list_taken(self) -> dict[str, str]:
        """Job id → the incarnation that took it from its queue and has not finished it."""
        taken = DBOS.list_workflows(status="PENDING", name=WORKFLOW_NAME, load_input=False, load_output=False)
        return {workflow.workflow_id: workflow.executor_id or "" for workflow in taken}

    def take_over(self, incarnations: Iterable[str]) -> None:
        """Put back into their queues what dead incarnations took; what somebody took up meanwhile stays with them."""
        # Underscored, but the one call that leaves running workflows alone; resume_workflows runs them a second time.
        DBOS._recover_pending_workflows(list(incarnations))

    def take_up_again(self, job_ids: Iterable[str]) -> None:
        """Perform anew what nobody performs although it was taken."""
        DBOS.resume_workflows(list(job_ids))

    def find_ended(self, job_ids: Iterable[str]) -> set[str]:
        """Which of these workflows the engine considers over, whatever their jobs say."""
        over = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
        return {found.workflow_id for found in DBOS.list_workflows(workflow_ids=list(job_ids)) if found.status in over}

    def stop(self) -> None:
        """Stop polling; what is in hand stays for recovery."""
        DBOS.destroy(workflow_completion_timeout_sec=0)


def run_step(name: str, function: Callable[..., Answer], *arguments: Any) -> Answer:
    """A checkpoint: once it has answered, a restart goes on behind it. The function must be safe to repeat."""
    return DBOS.run_step({"name": name}, function, *arguments)
