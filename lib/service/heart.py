"""A worker's sign of life: a thread that says what the worker does, and hears what people want of it."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import uuid4

import structlog
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from lib.contract.model import utc_now
from lib.contract.states import Actual, Desired, WorkerRole
from lib.contract.workers import HEARTBEAT_SECONDS
from lib.service.storage import workers as rows
from lib.service.storage.database import Database
from lib.service.storage.holds import first_hold

log = structlog.get_logger("heart")

PARENT_SECONDS = 0.5
#: When the parent is gone, what is in hand may still be finished this long.
ORPHAN_SECONDS = 2.0


class Heart:
    """One process's life in one worker's place. ``gone`` is set when it must end: its parent died or its place was taken."""

    def __init__(
        self,
        database: Database,
        *,
        worker_id: str,
        role: WorkerRole,
        parent: int | None = None,
        on_beat: Callable[[], None] = lambda: None,
    ) -> None:
        """``parent``: the process id of the supervisor this worker must not outlive; None for one started by hand."""
        self.worker_id, self.incarnation = worker_id, uuid4().hex
        self.desired = Desired.RUNNING
        self.gone = threading.Event()
        self.rate_per_second: float | None = None
        self.busy_rate_per_second: float | None = None
        self._database, self._role, self._on_beat = database, role, on_beat
        self._actual = Actual.STARTING
        self._doing: str | None = None
        self._doing_since: datetime | None = None
        self._holding = 0
        self._embedder: str | None = None
        self._parent = parent
        self._soon = threading.Event()
        self._thread = threading.Thread(target=self._live, name="heart", daemon=True)

    def start(self) -> None:
        """Take the place and begin to beat."""
        with self._database.write() as connection:
            rows.register_worker(
                connection,
                worker_id=self.worker_id,
                incarnation=self.incarnation,
                role=self._role,
                host=socket.gethostname(),
                pid=os.getpid(),
                now=utc_now(),
            )
        self.beat()
        self._thread.start()
        if self._parent is not None:
            threading.Thread(target=self._mind_parent, args=(self._parent,), name="parent", daemon=True).start()

    def say_embedder(self, name: str) -> None:
        """Which embedder the worker uses: told with the next beat."""
        self._embedder = name

    def say(self, actual: Actual, doing: str | None = None, *, holding: int = 0) -> None:
        """What the worker does now, and how many rows it holds. A change is told at the next moment, not only at the next beat."""
        changed = (actual, doing) != (self._actual, self._doing)
        if doing != self._doing:
            self._doing, self._doing_since = doing, utc_now() if doing else None
        self._actual, self._holding = actual, holding
        if changed:
            self._soon.set()

    def say_actual(self, actual: Actual) -> None:
        """The state alone has changed; what is in hand stays."""
        self.say(actual, self._doing, holding=self._holding)

    def beat(self) -> None:
        """Say it, and hear what people want."""
        with self._database.write_along() as connection:  # a sign of life must not wait for a long import to end
            desired = rows.beat(
                connection,
                worker_id=self.worker_id,
                incarnation=self.incarnation,
                now=utc_now(),
                actual=self._actual,
                doing=self._doing,
                doing_since=self._doing_since,
                embedder=self._embedder,
                holding=self._holding,
                rate_per_second=self.rate_per_second,
                busy_rate_per_second=self.busy_rate_per_second,
            )
        if desired is None:
            log.warning("place_taken", worker_id=self.worker_id)
            self.gone.set()
        else:
            self.desired = desired

    def hear(self) -> Desired:
        """What people want, asked this moment: a worker asks before each claim."""
        with self._database.read() as connection:
            desired = rows.get_desired(connection, worker_id=self.worker_id, incarnation=self.incarnation)
        if desired is None:
            self.gone.set()
            return Desired.DRAINING
        self.desired = desired
        return desired

    def holds_place(self, connection: Connection) -> bool:
        """Whether no other process has taken this one's place, within the caller's transaction."""
        return rows.get_desired(connection, worker_id=self.worker_id, incarnation=self.incarnation) is not None

    def is_held(self) -> bool:
        """Whether a job needs the embedding workers to stand still."""
        with self._database.read() as connection:
            return first_hold(connection) is not None

    def stop(self) -> None:
        """Say good-bye: a stopped worker is not a stale one."""
        self.gone.set()
        self._soon.set()
        self._thread.join(timeout=2)
        self._actual, self._doing, self._doing_since, self.rate_per_second, self._holding = Actual.STOPPED, None, None, None, 0
        with suppress(SQLAlchemyError):
            self.beat()

    def _live(self) -> None:
        while not self.gone.is_set():
            self._soon.wait(HEARTBEAT_SECONDS)
            # Changes come in bursts (busy, idle, busy): two a second are told, the last of them always.
            self.gone.wait(0.5)
            self._soon.clear()
            try:
                self.beat()
                self._on_beat()
            except SQLAlchemyError as error:
                log.warning("heartbeat_failed", worker_id=self.worker_id, error=str(error))

    def _mind_parent(self, parent: int) -> None:
        """End with the supervisor, however it died and whatever this process waits for: two lives in one place help nobody."""
        while os.getppid() == parent:
            if self.gone.wait(PARENT_SECONDS):
                return
        log.warning("parent_gone", worker_id=self.worker_id)
        self.gone.set()
        time.sleep(ORPHAN_SECONDS)
        os._exit(1)
