"""From what a request calls a source to the reader of its kind. A new kind of source is one more branch here."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lib.contract.imports import FileSource
from lib.contract.jobs import JobFailure
from lib.service.config import Config
from lib.service.sheets.csv_file import CsvSheet
from lib.service.sheets.reading import Sheet, UnreadableSheet


def path_of(config: Config, source: FileSource) -> Path:
    """Where the uploaded file is."""
    path = config.uploads_dir / source.upload_id
    if not path.is_file():
        detail = "The uploaded file is gone: it was removed by age."
        raise UnreadableSheet(detail, "Upload the file again.", JobFailure.UPLOAD_MISSING)
    return path


@contextmanager
def open_sheet(config: Config, source: FileSource, name: str) -> Iterator[Sheet]:
    """The source, opened at its header; UnreadableSheet when it is not there or not what ``name`` says it is."""
    del name
    yield CsvSheet(path_of(config, source), source)
