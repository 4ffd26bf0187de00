"""Logs: one JSON line per event, on a file of this process's own in the data folder, and warnings on the terminal too."""

from __future__ import annotations

import logging
import sys
from logging.handlers import RotatingFileHandler
from pathlib import Path

import structlog

MAX_BYTES = 8 << 20
KEEP_FILES = 3


def configure_logs(folder: Path, process: str) -> None:
    """Send everything structlog and the standard library say to ``<process>.jsonl``, rotated at 8 MiB."""
    file = _LogFile(folder / f"{process}.jsonl", maxBytes=MAX_BYTES, backupCount=KEEP_FILES, encoding="utf-8")
    terminal = logging.StreamHandler(sys.stderr)
    terminal.setLevel(logging.WARNING)
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, structlog.processors.JSONRenderer()],
    )
    for handler in (file, terminal):
        handler.setFormatter(formatter)
    ours = logging.getLogger("switchyard")
    for replaced in ours.handlers:
        replaced.close()
    ours.handlers, ours.propagate = [file, terminal], False
    ours.setLevel(logging.INFO)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=_SwitchyardLoggers(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


class _LogFile(RotatingFileHandler):
    """A log file whose own failure, on a full disk, is not worth a traceback for each line: the terminal still hears what matters."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        """Leave the line out."""


class _SwitchyardLoggers(structlog.stdlib.LoggerFactory):
    """Every logger of ours stands below ``switchyard``, so that libraries' loggers are left alone."""

    def __call__(self, *names: str) -> logging.Logger:
        return logging.getLogger(".".join(("switchyard", *names)))
