"""The variables a process is started with, and where data lives by default."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

DATA_DIR = "SWITCHYARD_DATA_DIR"
DATABASE_URL = "SWITCHYARD_DATABASE_URL"
API_URL = "SWITCHYARD_API_URL"
TOKEN = "SWITCHYARD_TOKEN"
ENVIRONMENT = "SWITCHYARD_ENVIRONMENT"
WORKERS = "SWITCHYARD_WORKERS"

#: name → what it is for; the README table is held to this.
VARIABLES: dict[str, str] = {
    DATA_DIR: "everything the service keeps; default: `switchyard` in the user's data folder",
    DATABASE_URL: "a PostgreSQL database instead of SQLite in the data folder",
    API_URL: "use a service elsewhere instead of the embedded one",
    TOKEN: "the bearer token; unset, the embedded service makes one and keeps it 0600 as `token` in the data folder",
    ENVIRONMENT: "the label in the status bar; default: `local`",
    WORKERS: "embedding workers to supervise; default 2",
}


def default_data_dir(environ: Mapping[str, str] = os.environ) -> Path:
    """The folder of ``SWITCHYARD_DATA_DIR``, else ``switchyard`` under the XDG data home."""
    if chosen := environ.get(DATA_DIR):
        return Path(chosen).expanduser().resolve()
    data_home = environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(data_home) / "switchyard"


def token_file(data_dir: Path) -> Path:
    """Where the embedded service keeps the token it made (mode 0600)."""
    return data_dir / "token"
