"""A real console (or the API alone) on a data folder of its own: started, killed, started again, and swept away in the end."""

from __future__ import annotations

import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import psutil

from lib.client.api import Client
from lib.client.connection import Connection
from lib.client.errors import ClientError
from lib.contract.states import Actual, WorkerRole

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "faults"
#: The supervised places of a console with two embedding workers.
PLACES = ("embedding-1", "embedding-2", "operations-1")
READY_SECONDS = 40.0


def patience() -> float:
    """What a limit in seconds is multiplied by: 1, or how many processes share a core of an overloaded machine."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def until(condition: Callable[[], Any], seconds: float = 30.0, what: str = "it", every: float = 0.05) -> Any:
    """The first true answer of ``condition()``; fails when there is none in time."""
    deadline = time.monotonic() + seconds * patience()
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds:g} s"
        time.sleep(every)
    return answer


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


class Console:
    """``streamlit run Home.py`` (``pages=True``) or ``python -m lib.service api``, with everything it starts."""

    def __init__(self, data_dir: Path, *, pages: bool = False, environment: dict[str, str] | None = None) -> None:
        self.data_dir, self.pages, self.port = data_dir, pages, free_port()
        self.data_dir.mkdir(parents=True, exist_ok=True)
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("SWITCHYARD_", "STREAMLIT_"))}
        self.environment = {**clean, "SWITCHYARD_DATA_DIR": str(data_dir), "SWITCHYARD_TOKEN": TOKEN, **(environment or {})}
        self.client = Client(Connection(f"http://127.0.0.1:{self.port}", TOKEN))
        self.process: psutil.Popen | None = None
        self.output = data_dir.parent / f"{data_dir.name}.output"

    # Life

    def command(self, port: int) -> list[str]:
        """What starts it."""
        if self.pages:
            return [sys.executable, "-m", "streamlit", "run", "Home.py", "--server.port", str(port)]
        return [sys.executable, "-m", "lib.service", "api", "--port", str(port)]

    def start(self, *, wait: bool = True) -> Console:
        """Start it; by default answers once it would serve."""
        with self.output.open("ab") as output:
            self.process = psutil.Popen(
                self.command(self.port),
                cwd=ROOT,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        if wait:
            self.wait_ready()
        return self

    def wait_ready(self, seconds: float = READY_SECONDS) -> None:
        """Until ``/readyz`` says yes."""
        until(self.is_ready, seconds, f"ready (see {self.output})")

    def is_ready(self) -> bool:
        try:
            return self.client.get_readiness().ready
        except ClientError:
            return False

    @property
    def is_up(self) -> bool:
        """Whether the console's own process lives."""
        return self.process is not None and self.process.poll() is None

    def recover(self) -> None:
        """Start it again at once if it is gone, while orphans of its former life may still live; wait until it would serve."""
        if not self.is_up:
            self.start(wait=False)
        self.wait_ready()

    def aim(self, victim: str) -> list[psutil.Process]:
        """Who is to die: one worker, the ``console`` alone (its workers become orphans), or the whole ``group`` at once."""
        if victim == "console":
            return [psutil.Process(self.process.pid)] if self.process is not None and self.is_up else []
        return self.processes() if victim == "group" else self.places().get(victim, [])

    def kill9(self, victim: str | list[psutil.Process]) -> float:
        """kill −9, at once where the targets were aimed at before; answers when, on the monotonic clock."""
        targets = self.aim(victim) if isinstance(victim, str) else victim
        for target in targets:
            with suppress(psutil.NoSuchProcess):
                target.kill()
        died = time.monotonic()
        if self.process is not None and self.process.pid in [target.pid for target in targets]:
            self.process.wait(10)
        return died

    def signal(self, number: int) -> float:
        """Send a signal to the console alone and wait until nothing of it is left; answers after how many seconds that was."""
        began = time.monotonic()
        assert self.process is not None
        self.process.send_signal(number)
        self.process.wait(20)
        until(lambda: not self.processes(), 20, "the end of every process")
        return time.monotonic() - began

    def sweep(self) -> list[str]:
        """End whatever still runs on this data folder; what that was. Safe to call at any time."""
        left = self.processes()
        words = [" ".join(_command_of(process)) for process in left]
        for process in left:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        if self.process is not None:
            self.process.wait(10)
        wait_gone(left)
        self.client.transport.session.close()
        return words

    # What runs

    def processes(self) -> list[psutil.Process]:
        """Every process on this data folder, whoever its parent is by now."""
        return [process for process in psutil.process_iter() if _works_on(process, str(self.data_dir))]

    def places(self) -> dict[str, list[psutil.Process]]:
        """worker id → the processes that claim to be it."""
        filled: dict[str, list[psutil.Process]] = {}
        for process in self.processes():
            command = _command_of(process)
            if "worker" in command and "--name" in command:
                filled.setdefault(command[command.index("--name") + 1], []).append(process)
        return filled

    def start_worker(self, name: str, role: WorkerRole) -> psutil.Process:
        """One more worker, as a person would start it: in the background of a shell that is gone at once."""
        command = [sys.executable, "-m", "lib.service", "worker", "--role", role, "--name", name]
        subprocess.run(
            ["sh", "-c", '"$@" &', "sh", *command],
            cwd=ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=True,
        )
        until(lambda: self.state_of(name) in (Actual.IDLE, Actual.BUSY), 20, f"the worker {name}")
        return self.places()[name][0]

    def state_of(self, worker_id: str) -> Actual | None:
        """What the worker last said it does."""
        return next((worker.actual for worker in self.client.list_workers().workers if worker.worker_id == worker_id), None)

    def is_writable(self) -> bool:
        """Whether nobody holds the writer's lock at this moment."""
        try:
            with closing(sqlite3.connect(self.data_dir / "switchyard.sqlite", timeout=0.1)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                connection.rollback()
        except sqlite3.OperationalError:
            return False
        return True

    # What it holds

    def query(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Rows straight from the database, past the service."""
        path = self.data_dir / "switchyard.sqlite"
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=60)) as connection:
            return connection.execute(statement, values).fetchall()

    def value(self, statement: str, *values: Any) -> Any:
        """The one value of the one row."""
        return self.query(statement, *values)[0][0]


def wait_gone(processes: list[psutil.Process], seconds: float = 10) -> None:
    """Until none of them runs. A zombie does not: who adopts it may take a while to bury it."""
    until(lambda: not any(map(_runs, processes)), seconds, "the end of processes")


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _works_on(process: psutil.Process, data_dir: str) -> bool:
    try:
        return _runs(process) and process.environ().get("SWITCHYARD_DATA_DIR") == data_dir
    except (psutil.Error, OSError):
        return False


def _command_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
