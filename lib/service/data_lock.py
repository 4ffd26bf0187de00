"""One supervising service per data folder: two would start every worker twice."""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable
from pathlib import Path


class DataDirInUse(RuntimeError):
    """Another Switchyard serves this data folder."""


def hold_data_dir(data_dir: Path) -> Callable[[], None]:
    """Hold the folder until the answer is called or the process dies, however it dies; DataDirInUse otherwise."""
    descriptor = os.open(data_dir / "service.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise DataDirInUse(
            f"Another Switchyard is running on {data_dir}. Use that one, stop it, or set SWITCHYARD_DATA_DIR to another folder."
        ) from error
    return lambda: os.close(descriptor)


def exit_if_in_use(data_dir: Path) -> None:
    """End this process with the words of DataDirInUse, before a server is built around it that would bury them in a traceback."""
    try:
        hold_data_dir(data_dir)()
    except DataDirInUse as refusal:
        sys.exit(str(refusal))
