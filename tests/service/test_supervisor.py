"""Worker processes are kept running, restarted with a growing pause when they die, and all gone within five seconds."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lib.contract.states import WorkerRole
from lib.service import supervisor as supervisor_module
from lib.service.config import Config
from lib.service.supervisor import Supervisor, Wanted, worker_command
from tests.service.probes import until

WAIT = "import time; time.sleep(60)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(flush=True); time.sleep(60)"
DIE = "import sys; sys.exit(3)"


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor_module, "CHECK_SECONDS", 0.02)


@pytest.fixture
def supervise(config: Config, tmp_path: Path) -> Iterator[Callable[..., Supervisor]]:
    """A supervisor of small programs that write down each start: ``<worker>.<process id>``."""
    running: list[Supervisor] = []

    def start(program: str, *, workers: int = 1) -> Supervisor:
        note = f"import os, sys; open(os.path.join({str(tmp_path)!r}, sys.argv[1] + '.' + str(os.getpid())), 'w').close(); "
        command = lambda worker_id, _: [sys.executable, "-S", "-c", note + program, worker_id]  # noqa: E731
        supervisor = Supervisor(config.model_copy(update={"workers": workers}), command=command)
        running.append(supervisor)
        supervisor.start()
        return supervisor

    yield start
    for supervisor in running:
        if not supervisor._stopping.is_set():
            supervisor.stop()


def lives(tmp_path: Path, worker_id: str) -> list[int]:
    return [int(path.suffix[1:]) for path in tmp_path.glob(f"{worker_id}.*")]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_one_operations_worker_and_as_many_embedding_workers_as_configured(config: Config) -> None:
    supervisor = Supervisor(config.model_copy(update={"workers": 3}))
    assert supervisor.worker_ids == ["operations-1", "embedding-1", "embedding-2", "embedding-3"]
    command = worker_command("embedding-2", WorkerRole.EMBEDDING)
    assert command[:6] == [sys.executable, "-m", "lib.service", "worker", "--role", "embedding"]
    assert command[6:8] == ["--name", "embedding-2"]


def test_a_worker_that_is_killed_is_started_again(supervise: Callable[..., Supervisor], tmp_path: Path) -> None:
    supervise(WAIT)
    until(lambda: len(lives(tmp_path, "embedding-1")) == 1)
    (first,) = lives(tmp_path, "embedding-1")
    os.kill(first, 9)
    until(lambda: len(lives(tmp_path, "embedding-1")) == 2)
    assert not is_alive(first)
    assert len(lives(tmp_path, "operations-1")) == 1, "the others are left alone"


def test_a_worker_that_dies_at_once_is_started_again_after_longer_and_longer_pauses(
    supervise: Callable[..., Supervisor], monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    real = Supervisor._wait_to_restart

    def note(self: Supervisor, place: supervisor_module._Place, now: float, *, healthy: bool) -> None:
        real(self, place, now, healthy=healthy)
        if place.role is WorkerRole.OPERATIONS:
            pauses.append(place.due_at - now)
        place.due_at = now

    monkeypatch.setattr(Supervisor, "_wait_to_restart", note)
    supervise(DIE, workers=0)
    until(lambda: len(pauses) >= 6)
    longest = supervisor_module.RESTART_MAX_SECONDS
    assert pauses[:6] == [min(longest, pause) for pause in (1, 2, 4, 8, 16, 32)]


def test_a_worker_that_ran_well_for_a_while_is_started_again_at_once(config: Config) -> None:
    supervisor = Supervisor(config)
    place = supervisor._places[0]
    place.failures = 4
    supervisor._wait_to_restart(place, 100.0, healthy=True)
    assert (place.due_at, place.failures) == (100.0, 0)


def test_a_machine_that_can_start_no_process_now_is_asked_again(
    supervise: Callable[..., Supervisor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "RESTART_MAX_SECONDS", 0.01)
    real, refusals = Supervisor._spawn, []

    def refuse_first(self: Supervisor, place: supervisor_module._Place) -> object:
        if len(refusals) < 3:
            refusals.append(1)
            raise BlockingIOError(11, "Resource temporarily unavailable")
        return real(self, place)

    monkeypatch.setattr(Supervisor, "_spawn", refuse_first)
    supervise(WAIT, workers=0)
    until(lambda: len(lives(tmp_path, "operations-1")) == 1)


def test_stopping_ends_them_all_even_the_deaf_and_the_stopped(
    supervise: Callable[..., Supervisor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor_module, "STOP_SECONDS", 0.5)
    supervisor = supervise(DEAF, workers=2)
    names = supervisor.worker_ids
    until(lambda: all(len(lives(tmp_path, name)) == 1 for name in names))
    pids = [pid for name in names for pid in lives(tmp_path, name)]
    time.sleep(0.2)  # until they no longer listen
    os.kill(pids[0], 19)
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 4
    assert not any(is_alive(pid) for pid in pids)


def test_stopping_in_good_order_takes_no_five_seconds(supervise: Callable[..., Supervisor], tmp_path: Path) -> None:
    supervisor = supervise(WAIT, workers=2)
    until(lambda: all(lives(tmp_path, name) for name in supervisor.worker_ids))
    pids = [pid for name in supervisor.worker_ids for pid in lives(tmp_path, name)]
    began = time.monotonic()
    supervisor.stop()
    assert time.monotonic() - began < 4
    assert not any(is_alive(pid) for pid in pids)
    assert supervisor_module.STOP_SECONDS < 5


@pytest.mark.feature("W7")
def test_places_come_and_go_while_it_runs_and_one_too_many_ends_only_when_it_holds_nothing(config: Config, tmp_path: Path) -> None:
    count, drained, forgotten = [1], [False], list[str]()
    note = f"import os, sys; open(os.path.join({str(tmp_path)!r}, sys.argv[1] + '.' + str(os.getpid())), 'w').close(); "
    wanted = Wanted(count=lambda: count[0], is_drained=lambda _: drained[0], forget=forgotten.append)
    supervisor = Supervisor(
        config.model_copy(update={"workers": 1}),
        command=lambda worker_id, _: [sys.executable, "-S", "-c", note + WAIT, worker_id],
        wanted=wanted,
    )
    supervisor.start()
    try:
        count[0] = 2
        until(lambda: lives(tmp_path, "embedding-2") != [])
        (second,) = lives(tmp_path, "embedding-2")
        count[0] = 1
        time.sleep(0.1)
        assert is_alive(second), "it still holds rows"
        drained[0] = True
        until(lambda: forgotten == ["embedding-2"])
        until(lambda: supervisor.worker_ids == ["operations-1", "embedding-1"])
        assert len(lives(tmp_path, "embedding-1")) == 1, "the other was left alone"
        assert len(lives(tmp_path, "embedding-2")) == 1, "and nobody took the place again"
    finally:
        supervisor.stop()
