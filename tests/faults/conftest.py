"""Real consoles for tests that break them. Whatever a test did, nothing of it is left when it ends."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.console import Console

Open = Callable[..., Console]


@pytest.fixture
def open_console(tmp_path: Path) -> Iterator[Open]:
    """Makes consoles, each on a new data folder unless told which; ``pages=True`` for Streamlit and all, else the API alone."""
    consoles: list[Console] = []

    def make(data_dir: Path | None = None, **options: Any) -> Console:
        consoles.append(Console(data_dir or tmp_path / f"data{len(consoles)}", **options))
        return consoles[-1]

    yield make
    for console in consoles:
        console.sweep()


@pytest.fixture
def console(open_console: Open) -> Console:
    """The API alone, up and ready."""
    return open_console().start()
