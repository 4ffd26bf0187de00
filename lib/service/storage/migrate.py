"""Bring the database to the present schema: ours by Alembic, the engine's by its own migrations."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from dbos import DBOS

from lib.service.storage.database import Database


def migrate(database: Database) -> None:
    """Upgrade to the newest schema. Safe to call from several processes at once, and again after a kill."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["engine"] = database.engine
    command.upgrade(config, "head")
    DBOS.migrate(database.url)
