"""Stopping the console stops everything, in any situation; and one data folder has one console."""

from __future__ import annotations

import base64
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
import requests

from lib.contract.states import Actual, WorkerRole
from tests.faults.conftest import Open
from tests.faults.console import ROOT, TOKEN, Console, patience, until, wait_gone
from tests.faults.invariants import assert_embedded_once
from tests.faults.road import Sheet, import_sheet, start_import, start_preview, wait_drained, wait_plan

pytestmark = pytest.mark.faults

STOP_SECONDS = 5.0
HOST = "127.0.0.1"


@contextmanager
def open_listeners(console: Console, count: int) -> Iterator[None]:
    """So many live feeds, read all the while."""

    def listen() -> None:
        with requests.Session() as session:
            session.trust_env = False
            headers = {"Authorization": f"Bearer {TOKEN}"}
            try:
                with session.get(f"http://{HOST}:{console.port}/ui/sse", headers=headers, stream=True, timeout=30) as feed:
                    opened.release()
                    for _ in feed.iter_lines():
                        pass
            except requests.RequestException:
                return

    opened = threading.Semaphore(0)
    threads = [threading.Thread(target=listen) for _ in range(count)]
    for thread in threads:
        thread.start()
    for _ in threads:
        assert opened.acquire(timeout=10)
    yield
    for thread in threads:
        thread.join(10)
        assert not thread.is_alive(), "a listener was left hanging"


@contextmanager
def open_tab(console: Console) -> Iterator[None]:
    """The websocket a browser's tab holds on to."""
    with closing(socket.create_connection((HOST, console.port), timeout=10)) as connection:
        key = base64.b64encode(os.urandom(16)).decode()
        connection.sendall(
            f"GET /_stcore/stream HTTP/1.1\r\nHost: {HOST}:{console.port}\r\nOrigin: http://{HOST}:{console.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        assert b" 101 " in connection.recv(4096).split(b"\r\n")[0]
        yield


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_ends_the_idle_console_and_all_it_started(open_console: Open, number: int) -> None:
    console = open_console(pages=True).start()
    assert console.signal(number) < STOP_SECONDS * patience()


def test_sigterm_ends_a_busy_console_and_nothing_is_lost(open_console: Open) -> None:
    console, sheet = open_console(pages=True).start(), Sheet(rows=40_000)
    console.client.put_setting("embedding.batch_size", 256)  # so that it takes some seconds
    plan_id = start_preview(console, sheet)
    wait_plan(console, plan_id)
    with open_listeners(console, 5), open_tab(console):
        start_import(console, plan_id)
        until(lambda: console.value("SELECT count(*) FROM embeddings") > 1000, every=0.005)
        assert console.signal(signal.SIGTERM) < STOP_SECONDS * patience()
    assert console.value("SELECT count(*) FROM items") > 0, "it was stopped in the middle"
    # Whoever is asked to stop finishes the batch in hand: nothing is held, no attempt is spent.
    assert console.query("SELECT DISTINCT state, attempts FROM items") == [("pending", 0)]
    assert {row[0] for row in console.query("SELECT actual FROM workers")} == {Actual.STOPPED}
    console.pages = False  # the API alone is up sooner, and does the same work
    console.start()
    wait_drained(console)
    assert_embedded_once(console)


def test_sigterm_while_a_worker_is_stopped_in_its_tracks_ends_it_too(open_console: Open) -> None:
    console = open_console().start()
    console.aim("embedding-1")[0].suspend()
    assert console.signal(signal.SIGTERM) < STOP_SECONDS * patience()


def test_a_second_console_on_the_same_folder_is_refused_in_words_and_harms_nothing(open_console: Open) -> None:
    console, sheet = open_console().start(), Sheet(rows=500)
    import_sheet(console, sheet)
    for pages in (False, True):
        second = open_console(console.data_dir, pages=pages)
        refused = subprocess.run(
            second.command(second.port), cwd=ROOT, env=console.environment, capture_output=True, text=True, timeout=30, check=False
        )
        assert refused.returncode != 0
        assert f"Another Switchyard is running on {console.data_dir}" in refused.stderr
        assert "Traceback" not in refused.stderr
    assert len(console.processes()) == 4
    import_sheet(console, sheet_with_more_rows(sheet))
    assert_embedded_once(console)


def sheet_with_more_rows(sheet: Sheet) -> Sheet:
    sheet.texts["row-new"] = "an entirely new row that came later"
    return sheet


def test_a_worker_started_by_hand_shares_the_work_and_leaves_in_good_order(open_console: Open) -> None:
    console, sheet = open_console().start(), Sheet(rows=3000)
    console.client.pause_workers("the third does it alone")
    worker = console.start_worker("by-hand", WorkerRole.EMBEDDING)
    import_sheet(console, sheet)
    assert_embedded_once(console)
    assert console.value("SELECT processed FROM workers WHERE worker_id = 'by-hand'") == sheet.rows
    worker.terminate()
    wait_gone([worker], 5)
    assert console.state_of("by-hand") is Actual.STOPPED
