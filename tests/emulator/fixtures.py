"""The emulator as a fixture; a conftest that wants it imports it from here."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulator.server import Emulator


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """Google Sheets on loopback; stopped when the test ends."""
    emulator = Emulator().start()
    yield emulator
    emulator.stop()
