"""What a worker wrote around a moment, from its log on this machine: found by halving, however long the log is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from lib.contract.jobs import LogLine
from lib.contract.model import utc_now
from lib.contract.states import CredentialKind
from lib.contract.workers import WorkerLog
from lib.service.config import Config
from lib.service.logs import KEEP_FILES
from lib.service.secret_files import read_secret

#: How much is told: so long before the moment and after it, and so many lines at most, the nearest.
BEFORE, AFTER = timedelta(seconds=30), timedelta(seconds=5)
MAX_LINES = 40
#: A worker's words longer than this are cut.
MAX_CHARACTERS = 2000
#: From a piece of this size on, reading on is quicker than halving again.
PIECE_BYTES = 1 << 16
#: A name that is a file's name and nothing more.
_NAME = re.compile(r"\w[\w.-]{0,199}", re.ASCII)
#: The lines of a trace that name an error; the last one is what it came to.
_ERROR = re.compile(r"^\w[\w.]*: .*$", re.MULTILINE | re.ASCII)
#: No log is older or younger, and there is time left around both.
_FIRST, _LAST = datetime(1970, 1, 2, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
#: What every line has, and needs no telling.
_FRAME = ("event", "level", "logger", "timestamp", "exception")


def read_worker_log(config: Config, worker_id: str, around: datetime) -> WorkerLog:
    """The excerpt; why there is none, when there is none."""
    around = min(max(around.astimezone(UTC), _FIRST), _LAST)
    files = _files(config.logs_dir, worker_id)
    secrets = [secret for secret in (config.token, *(read_secret(config, kind) for kind in CredentialKind)) if secret]
    near = sorted(_near(files, around), key=lambda line: abs(line.at - around))[:MAX_LINES]
    lines = sorted((_without(secrets, line) for line in near), key=lambda line: line.at)
    missing = None
    if not files:
        missing = f"The log of {worker_id} is not on the machine of the service."
    elif not lines:
        missing = f"{worker_id} wrote nothing around then, or its log of that time is no longer kept."
    return WorkerLog(worker_id=worker_id, at=around, lines=lines, why_missing=missing, taken_at=utc_now())


def _files(folder: Path, worker_id: str) -> list[Path]:
    """Its log files, the oldest first."""
    if not _NAME.fullmatch(worker_id):
        return []
    names = [f"{worker_id}.jsonl.{number}" for number in range(KEEP_FILES, 0, -1)] + [f"{worker_id}.jsonl"]
    return [path for name in names if (path := folder / name).is_file()]


def _near(files: Iterable[Path], around: datetime) -> Iterator[LogLine]:
    for path in files:
        try:
            with path.open("rb") as file:
                yield from _between(file, path.stat().st_size, around - BEFORE, around + AFTER)
        except OSError:  # rotated away meanwhile
            continue


def _between(file: BinaryIO, size: int, first: datetime, last: datetime) -> Iterator[LogLine]:
    """Lines come in the order of their times: halve until the first is near, then read on until the last."""
    low, high = 0, size
    while high - low > PIECE_BYTES:
        middle = (low + high) // 2
        file.seek(middle)
        file.readline()  # the rest of a line
        line = _read(file.readline())
        low, high = (middle, high) if line is not None and line.at < first else (low, middle)
    file.seek(low)
    if low:
        file.readline()
    for raw in file:
        line = _read(raw)
        if line is not None and line.at > last:
            return
        if line is not None and line.at >= first:
            yield line


def _read(raw: bytes) -> LogLine | None:
    """One line of the log; None for what is none, such as one that is being written."""
    try:
        told: dict[str, Any] = json.loads(raw)
        at = datetime.fromisoformat(told["timestamp"]).astimezone(UTC)
    except (ValueError, KeyError, TypeError):
        return None
    more = "".join(f" {name}={value}" for name, value in told.items() if name not in _FRAME)
    if errors := _ERROR.findall(str(told.get("exception") or "")):
        more += f" exception={errors[-1]}"  # the whole trace is for whoever has the file
    return LogLine(at=at, level=str(told.get("level", "info")), message=f"{told.get('event', '')}{more}"[:MAX_CHARACTERS])


def _without(secrets: Iterable[str], line: LogLine) -> LogLine:
    """Nothing secret is ever written to a log; and if some library did, it is not told."""
    message = line.message
    for secret in secrets:
        message = message.replace(secret, "[secret]")
    return line.model_copy(update={"message": message})
