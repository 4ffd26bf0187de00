"""Keeps the worker processes of this machine running: starts them, restarts those that die, ends them all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import structlog
from sqlalchemy.exc import SQLAlchemyError

from lib.contract.environment import DATA_DIR, DATABASE_URL
from lib.contract.states import WorkerRole
from lib.service.config import Config
from lib.service.scale import worker_name

log = structlog.get_logger("supervisor")

ROOT = Path(__file__).resolve().parents[2]
CHECK_SECONDS = 0.5
#: A worker that dies at once is restarted after 1, 2, 4, then 5 seconds: however often it dies, its work goes on within 15.
RESTART_MAX_SECONDS = 5.0
HEALTHY_AFTER_SECONDS = 10.0
#: Everything must be gone five seconds after SIGTERM; whoever does not listen is killed before.
STOP_SECONDS = 3.0


@dataclass
class _Place:
    """One worker to keep running, and the process that fills it."""

    worker_id: str
    role: WorkerRole
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    failures: int = 0
    leaves: bool = False  #: its worker drains, and is not started again
    due_at: float = field(default=0.0)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """How many embedding places there are to be, and what becomes of those too many."""

    count: Callable[[], int | None]
    is_drained: Callable[[str], bool]
    forget: Callable[[str], None]


def worker_command(worker_id: str, role: WorkerRole) -> list[str]:
    """One worker process of ours, which ends with this process."""
    return [sys.executable, "-m", "lib.service", "worker", "--role", role.value, "--name", worker_id, "--parent", str(os.getpid())]


class Supervisor:
    """The embedding workers and the one operations worker of the embedded service."""

    def __init__(
        self, config: Config, *, command: Callable[[str, WorkerRole], list[str]] = worker_command, wanted: Wanted | None = None
    ) -> None:
        """``command``: what fills a place, by its name and role. ``wanted``: how many while it runs; else as configured."""
        self._config, self._command, self._wanted = config, command, wanted
        self._places = [_Place("operations-1", WorkerRole.OPERATIONS)]
        self._places += [_Place(worker_name(number), WorkerRole.EMBEDDING) for number in range(1, config.workers + 1)]
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    @property
    def worker_ids(self) -> list[str]:
        """The names of the places it fills."""
        return [place.worker_id for place in self._places]

    def start(self) -> None:
        """Begin to watch; the processes come up in the background."""
        self._thread.start()

    def stop(self) -> None:
        """End every worker: asked at first, killed after ``STOP_SECONDS``."""
        self._stopping.set()
        self._thread.join()
        running = [place.process for place in self._places if place.process and place.process.poll() is None]
        for process in running:
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGCONT)  # one that was stopped cannot hear before it goes on
        deadline = time.monotonic() + STOP_SECONDS
        for process in running:
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                log.warning("worker_killed", pid=process.pid)
                process.kill()
                process.wait()

    def _watch(self) -> None:
        while not self._stopping.is_set():
            if self._wanted:
                self._adjust(self._wanted)
            for place in self._places:
                self._keep(place)
            self._stopping.wait(CHECK_SECONDS)

    def _adjust(self, wanted: Wanted) -> None:
        """More places, or fewer: what is too many ends once it holds nothing any more."""
        try:
            count = wanted.count()
            if count is None:
                return
            names = {worker_name(number) for number in range(1, count + 1)}
            known = {place.worker_id: place for place in self._places if place.role is WorkerRole.EMBEDDING}
            # Replaced, not changed: stop() may go through the old list at this moment.
            self._places = self._places + [_Place(name, WorkerRole.EMBEDDING) for name in sorted(names - set(known))]
            for name, place in known.items():
                place.leaves = name not in names
                if place.leaves and self._has_left(place, wanted):
                    wanted.forget(name)
                    self._places = [other for other in self._places if other is not place]
        except SQLAlchemyError as error:
            log.warning("places_unknown", error=str(error))

    @staticmethod
    def _has_left(place: _Place, wanted: Wanted) -> bool:
        if place.process is None or place.process.poll() is not None:
            return True
        if wanted.is_drained(place.worker_id):
            place.process.send_signal(signal.SIGTERM)
            place.process.send_signal(signal.SIGCONT)
        return False

    def _keep(self, place: _Place) -> None:
        if place.leaves:
            return
        now = time.monotonic()
        if place.process is not None:
            code = place.process.poll()
            if code is None:
                return
            log.warning("worker_ended", worker_id=place.worker_id, code=code)
            place.process = None
            self._wait_to_restart(place, now, healthy=now - place.started_at > HEALTHY_AFTER_SECONDS)
        if now >= place.due_at:
            try:
                place.process, place.started_at = self._spawn(place), now
            except OSError as error:  # too many processes, too little memory: that passes
                log.warning("worker_not_started", worker_id=place.worker_id, error=str(error))
                self._wait_to_restart(place, now, healthy=False)

    def _wait_to_restart(self, place: _Place, now: float, *, healthy: bool) -> None:
        place.failures = 0 if healthy else place.failures + 1
        place.due_at = now + min(RESTART_MAX_SECONDS, 2.0 ** (place.failures - 1)) if place.failures else now

    def _spawn(self, place: _Place) -> subprocess.Popen[bytes]:
        environment = {**os.environ, DATA_DIR: str(self._config.data_dir)}
        if self._config.database_url:
            environment[DATABASE_URL] = self._config.database_url
        # One thread of linear algebra each: parallelism is the number of processes.
        environment |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"} if place.role is WorkerRole.EMBEDDING else {}
        # A session of its own: Ctrl-C in the terminal reaches the console alone, which then ends the workers in order.
        command = self._command(place.worker_id, place.role)
        return subprocess.Popen(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, start_new_session=True)
