"""While the workers work as hard as they can, the API answers as if nothing were going on."""

from __future__ import annotations

import threading
import time
from statistics import quantiles

import pytest
import requests

from tests.faults.console import TOKEN, Console, patience
from tests.faults.invariants import assert_embedded_once
from tests.faults.road import Sheet, import_sheet

pytestmark = pytest.mark.faults

#: 95 of 100 answers come within this time.
P95_SECONDS = 0.5
PATHS = ("/api/queue", "/healthz")


class Pulse:
    """Asks again and again, ten times a second, and writes down how long each answer took."""

    def __init__(self, console: Console) -> None:
        self._base = f"http://127.0.0.1:{console.port}"
        self.seconds: dict[str, list[float]] = {path: [] for path in PATHS}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> Pulse:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        with requests.Session() as session:
            session.trust_env = False
            while not self._over.wait(0.1):
                for path, taken in self.seconds.items():
                    began = time.monotonic()
                    answer = session.get(self._base + path, headers={"Authorization": f"Bearer {TOKEN}"}, timeout=30)
                    taken.append(time.monotonic() - began)
                    assert answer.status_code == 200


def test_the_api_answers_promptly_while_rows_are_imported_and_embedded(console: Console) -> None:
    sheet = Sheet(rows=30_000)
    with Pulse(console) as pulse:
        import_sheet(console, sheet)
    for path, taken in pulse.seconds.items():
        assert len(taken) > 20
        p95 = quantiles(taken, n=20)[-1]
        assert p95 < P95_SECONDS * patience(), f"{path}: p95 {p95:.2f} s over {len(taken)} answers, at most {max(taken):.2f} s"
    assert_embedded_once(console)
