"""Which function performs each operation: the one table both a worker process and the tests perform jobs by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lib.contract.states import Operation
from lib.service.operations import (
    drift,
    exports,
    imports,
    index,
    inspections,
    maps,
    reembedding,
    rehearsals,
    renewals,
    requeue,
    restore,
    sheet_exports,
    snapshots,
    undo,
)
from lib.service.operations.runner import JobContext

PERFORMERS: dict[Operation, Callable[[JobContext], dict[str, Any]]] = {
    Operation.PREVIEW: imports.preview_import,
    Operation.IMPORT: imports.apply_import,
    Operation.UNDO: undo.undo_import,
    Operation.COMPARE: sheet_exports.compare_sheet,
    Operation.EXPORT: exports.export_entries,
    Operation.REFRESH: index.refresh_index,
    Operation.REBUILD: index.rebuild_index,
    Operation.SNAPSHOT: snapshots.take_snapshot,
    Operation.INSPECT: inspections.inspect_file,
    Operation.RESTORE: restore.restore_index,
    Operation.CHECK: drift.check_index,
    Operation.REPAIR: drift.repair_index,
    Operation.REQUEUE: requeue.requeue_items,
    Operation.RENEW: renewals.renew_rows,
    Operation.REEMBED: reembedding.reembed,
    Operation.REHEARSE: rehearsals.rehearse_change,
    Operation.MAP: maps.lay_out_map,
}
