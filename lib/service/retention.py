"""What is kept how long, and dropping what is older."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import Connection

from lib.contract.model import utc_now
from lib.service import gate
from lib.service.config import Config
from lib.service.index.generations import Generations
from lib.service.inspections import sweep_quarantine
from lib.service.moments import KEEP_MOMENTS
from lib.service.rehearsals import sweep_rehearsals
from lib.service.snapshots import sweep_snapshots
from lib.service.storage import (
    audit,
    changes,
    embeddings,
    export_plans,
    exports,
    intentions,
    item_events,
    jobs,
    moments,
    plans,
    shift,
    visits,
)
from lib.service.storage.database import Database

KEEP_JOBS = timedelta(days=90)  #: and the audit of what was done, the shift log, intentions and visits
KEEP_KEYS = timedelta(days=1)  #: of idempotency
KEEP_PLANS = timedelta(days=30)
KEEP_UPLOADS = timedelta(days=2)


def drop_the_old(database: Database, config: Config) -> None:
    """Rows that are too old first, then the files that no row names any more. Safe to repeat, and for several workers at once."""
    generations = Generations(config.index_dir)
    revisions = [manifest.revision for manifest in generations.list_generations()]  # all of them: whatever is on disk can be served again
    with database.write() as connection:
        if revisions:
            embeddings.forget_removals(connection, upto=min(revisions))
        unused = _forget_what_has_files(connection, config, utc_now())
        _forget_what_was_done(connection, utc_now())
    for file in unused:
        file.unlink(missing_ok=True)
    sweep_snapshots(database, config)
    sweep_quarantine(config)
    sweep_rehearsals(database, config)
    generations.sweep()


def _forget_what_has_files(connection: Connection, config: Config, now: datetime) -> list[Path]:
    """Exports, plans and uploads; the files to remove once that is committed."""
    export_files = exports.forget_expired(connection, now)
    export_plans.forget_old_export_plans(connection, now - KEEP_PLANS)
    upload_ids = plans.forget_old(connection, plans_before=now - KEEP_PLANS, uploads_before=now - KEEP_UPLOADS)
    return [*(config.exports_dir / name for name in export_files), *(config.uploads_dir / upload_id for upload_id in upload_ids)]


def _forget_what_was_done(connection: Connection, now: datetime) -> None:
    changes.forget_changes_before(connection, now - gate.UNDO_FOR)  # while the jobs still say when they ended
    jobs.forget_old(connection, jobs_before=now - KEEP_JOBS, keys_before=now - KEEP_KEYS)
    audit.forget_old(connection, now - KEEP_JOBS)
    shift.forget_old(connection, now - KEEP_JOBS)
    intentions.forget_old(connection, now - KEEP_JOBS)
    visits.forget_visits(connection, now - KEEP_JOBS)
    moments.forget_moments(connection, now - KEEP_MOMENTS)
    item_events.forget_old(connection, now.timestamp())
