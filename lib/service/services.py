"""The parts of the running service, put together in one place and handed down by name."""

from __future__ import annotations

from dataclasses import dataclass

from lib.service.config import Config
from lib.service.engine import JobQueue
from lib.service.exports import Exports
from lib.service.feed import Feed
from lib.service.inspections import Inspections
from lib.service.rehearsals import Rehearsals
from lib.service.search import Search
from lib.service.security import Guard
from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate
from lib.service.telemetry import Telemetry
from lib.service.uploads import Uploads


@dataclass(frozen=True, kw_only=True)
class Services:
    """Everything a route may call."""

    config: Config
    database: Database
    queue: JobQueue
    guard: Guard
    uploads: Uploads
    search: Search
    exports: Exports
    inspections: Inspections
    rehearsals: Rehearsals
    feed: Feed
    telemetry: Telemetry

    def close(self) -> None:
        """In the order in which the parts use each other."""
        self.feed.close()
        self.telemetry.stop()
        self.queue.close()
        self.database.close()


def build_services(config: Config) -> Services:
    """Migrate the database and construct every part. Nothing runs in the background yet but what the engine's client needs."""
    config.create_folders()
    database = Database(config.url)
    migrate(database)
    search = Search(database, config)
    queue, uploads, feed = JobQueue(database), Uploads(database, config), Feed()
    return Services(
        config=config,
        database=database,
        queue=queue,
        guard=Guard(config),
        uploads=uploads,
        search=search,
        exports=Exports(database),
        inspections=Inspections(database, config, queue, uploads, search),
        rehearsals=Rehearsals(database, config, queue),
        feed=feed,
        telemetry=Telemetry(database, feed, search),
    )
