"""What the Queue page asks for costs the same however long the queue is: no statement looks at every row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa

from lib.contract.queue import ItemFilter, Window
from lib.contract.states import FailureCause, ItemState
from lib.service import failures, queue
from lib.service.storage.database import Database

#: What the page reads at every tick, and what it reads when something moved.
READS: dict[str, Callable[[Database], object]] = {
    "the numbers": queue.get_queue,
    "the history": lambda database: queue.get_queue_history(database, Window.D7),
    "the groups": failures.list_failure_groups,
    "the failures": lambda database: failures.list_failures(database, cause=None, limit=50, cursor=None),
    "failures of a cause": lambda database: failures.list_failures(database, cause=FailureCause.QUOTA, limit=50, cursor=None),
    "every item": lambda database: queue.list_items(database, ItemFilter(), limit=50, cursor=None),
    **{
        f"what is {state}": lambda database, state=state: queue.list_items(database, ItemFilter(state=state), limit=50, cursor=None)
        for state in ItemState
    },
}

#: Rows a person's queue may have, and fifty times as many. A look at each of those would be fifty times the slack.
FEW, MANY, SLACK = 1000, 50_000, 20


def fill(database: Database, rows: int) -> None:
    """So many entries: of each three one failed for one of two causes, a few held, the others pending.

    What is held is bounded by the workers and their batches, not by the queue: as many at any size.
    """
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < :rows) "
    with database.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO entries (entry_id, key, text, texts, fields, content_hash, record_hash, import_id, created_at, updated_at) "
                f"{numbers} SELECT i, 'k' || i, 'text ' || i, '{{}}', '{{}}', :hash, :hash, 'import', 1, 1 FROM n"
            ),
            {"rows": rows, "hash": b"0" * 16},
        )
        connection.execute(
            sa.text(
                "INSERT INTO items (entry_id, content_hash, state, priority, attempts, enqueued_at, available_at, due_at, cause, "
                f"failed_at, lease_id, leased_by) {numbers} SELECT i, :hash, "
                "CASE WHEN i % 3 = 0 THEN 'failed' WHEN i % 100 = 1 AND i < 1000 THEN 'leased' "
                "ELSE 'pending' END, 0, 0, i, i, i, CASE WHEN i % 3 = 0 THEN CASE WHEN i % 2 = 0 THEN 'quota' ELSE 'bad_key' END END, "
                "CASE WHEN i % 3 = 0 THEN i END, CASE WHEN i % 3 <> 0 AND i % 100 = 1 AND i < 1000 THEN 'lease' END, 'embedding-1' FROM n"
            ),
            {"rows": rows, "hash": b"0" * 16},
        )
        connection.execute(
            sa.text(
                "INSERT INTO counters (name, value) SELECT state, COUNT(*) FROM items GROUP BY state UNION ALL SELECT 'entries', COUNT(*) "
                "FROM entries UNION ALL SELECT 'failed_' || cause, COUNT(*) FROM items WHERE state = 'failed' GROUP BY cause"
            )
        )


def empty(database: Database) -> None:
    with database.write() as connection:
        for table in ("items", "entries", "counters"):
            connection.execute(sa.text(f"DELETE FROM {table}"))


def statements_of(database: Database, read: Callable[[Database], object]) -> list[tuple[str, Any]]:
    seen: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, text: str, parameters: Any, *_: object) -> None:
        seen.append((text, parameters))

    sa.event.listen(database.engine, "before_cursor_execute", note)
    read(database)
    sa.event.remove(database.engine, "before_cursor_execute", note)
    return [(text, parameters) for text, parameters in seen if text.lstrip().startswith("SELECT")]


@pytest.mark.feature("Q1")
@pytest.mark.parametrize("what", READS)
def test_what_the_page_reads_takes_as_many_statements_and_as_few_rows_at_any_size(database: Database, what: str) -> None:
    fill(database, 200)
    few = len(statements_of(database, READS[what]))
    empty(database)
    fill(database, 2000)
    assert len(statements_of(database, READS[what])) == few
    with database.read() as connection:
        for text, parameters in statements_of(database, READS[what]):
            plan = [row.detail for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)]
            scans = [step for step in plan if step.startswith("SCAN") and _grows(step)]
            assert not scans, f"{plan} for {text}"


def _grows(step: str) -> bool:
    """Not the small tables, and not an index that stops at the limit of a page."""
    return step.split()[1] in {"items", "i", "entries", "e"} and "USING" not in step


@pytest.mark.feature("Q1")
def test_a_page_of_items_reads_a_page_of_rows(database: Database) -> None:
    """Counted by SQLite itself: the rows it steps over, small table against large."""
    steps = {}
    for rows in (FEW, MANY):
        empty(database)
        fill(database, rows)
        steps[rows] = {what: _count_steps(database, read) for what, read in READS.items()}
    for what, few in steps[FEW].items():
        assert steps[MANY][what] <= 1.5 * few + SLACK, f"{what}: {few} steps of the machine at {FEW} rows, {steps[MANY][what]} at {MANY}"


def _count_steps(database: Database, read: Callable[[Database], object]) -> int:
    """How many hundreds of its instructions SQLite executes."""
    steps = [0]

    def step() -> int:
        steps[0] += 1
        return 0

    @sa.event.listens_for(database.engine, "begin")
    def watch(connection: sa.Connection) -> None:
        connection.connection.driver_connection.set_progress_handler(step, 100)

    read(database)
    sa.event.remove(database.engine, "begin", watch)
    with database.engine.connect() as connection:
        connection.connection.driver_connection.set_progress_handler(None, 100)
    return steps[0]
