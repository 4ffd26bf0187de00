"""Kill something, let everything recover by itself, and look at how long that took."""

from __future__ import annotations

import time
from collections.abc import Callable

import psutil
import structlog

from tests.faults.console import PLACES, Console, patience, until, wait_gone
from tests.faults.road import active_jobs

log = structlog.get_logger("faults")

#: After a kill the work has resumed, or its job is interrupted, within this time (DESIGN, invariant 2).
RESUMED_SECONDS = 15.0
VICTIMS = (*PLACES, "console", "group")


class Strike:
    """One kill. Aimed before the moment comes, for finding a process takes longer than many a phase lasts."""

    def __init__(self, console: Console, victim: str) -> None:
        self.console, self.victim = console, victim
        self.targets: list[psutil.Process] = until(lambda: console.aim(victim), 30, f"a process in the place of {victim}")

    def when(self, reached: Callable[[], object], job_id: str | None = None) -> float:
        """Wait for the moment, then see :meth:`now`."""
        until(reached, 30, "the moment to kill", every=0.002)
        return self.now(job_id)

    def now(self, job_id: str | None = None) -> float:
        """Kill, bring the console back if it died, and wait until the job goes on: after so many seconds."""
        console = self.console
        attempt = self._attempt(job_id)
        console.kill9(self.targets)
        orphans = [process for process in console.processes() if process not in self.targets] if self.victim == "console" else []
        began = time.monotonic()
        console.recover()
        left = max(0.0, RESUMED_SECONDS - (time.monotonic() - began) / patience())
        until(lambda: self._goes_on(job_id, attempt), left, "the resumption of the work")
        resumed = time.monotonic() - began
        wait_gone(orphans)  # by themselves: nobody is left to end them
        log.info("resumed", victim=self.victim, seconds=round(resumed, 1))
        return resumed

    def _attempt(self, job_id: str | None) -> int:
        return int(self.console.value("SELECT attempt FROM jobs WHERE job_id = ?", job_id)) if job_id else 0

    def _goes_on(self, job_id: str | None, attempt: int) -> bool:
        if job_id is None or self.victim.startswith("embedding"):
            return True
        return self._attempt(job_id) > attempt or job_id not in active_jobs(self.console)
