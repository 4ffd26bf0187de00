"""What rehearsals have left for production: the vectors they made, so that nothing is embedded twice."""

from __future__ import annotations

from contextlib import suppress

from lib.service.embedders import Embedder
from lib.service.index.shadow import file_name, read_kept
from lib.service.operations.runner import JobContext
from lib.service.storage import items

#: Written last: without it there is no rehearsal.
REPORT_FILE = "report.json"


def take_rehearsed_vectors(context: JobContext, embedder: Embedder) -> None:
    """Move what finished rehearsals have made with this model into the cache. Safe to repeat; what is known already stays as it is."""
    for path in sorted(context.config.rehearsals_dir.glob(f"*/*/{file_name(embedder.fingerprint)}")):
        if not (path.parents[1] / REPORT_FILE).exists():
            continue  # it still writes there
        with suppress(FileNotFoundError):  # it expired this moment
            for batch in read_kept(path, embedder.dimension):
                context.tell("taking over the vectors of the rehearsal")
                with context.write() as connection:
                    items.store_vectors(connection, embedder.fingerprint, batch.items())
            path.unlink()
