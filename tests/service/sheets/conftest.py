"""Google Sheets on loopback."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lib.service.sheets.google import GoogleSheets
from tests.emulator.server import Emulator


@pytest.fixture
def waits() -> list[tuple[float, str]]:
    """What the connection would have waited for."""
    return []


@pytest.fixture
def connect(emulator: Emulator, waits: list[tuple[float, str]]) -> Callable[..., GoogleSheets]:
    """A connection that only writes down how long it would wait."""

    def connect(key: dict[str, Any] | None = None, **how: Any) -> GoogleSheets:
        chosen = emulator.add_account() if key is None else key
        return GoogleSheets(chosen, api_url=emulator.url, wait=lambda seconds, why: waits.append((seconds, why)), timeout=(5.0, 5.0), **how)

    return connect


@pytest.fixture
def sheets(connect: Callable[..., GoogleSheets]) -> GoogleSheets:
    """Signed in as the emulator's own account."""
    return connect()
