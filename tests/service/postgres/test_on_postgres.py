"""The road on PostgreSQL: the tests that lean on the database most, run once more, and what only a server can get wrong."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from lib.service.storage.counters import add_to_counters, get_counters, next_revision
from lib.service.storage.database import Database
from lib.service.storage.migrate import migrate
from lib.service.storage.schema import metadata
from tests.faults.conftest import Open, open_console
from tests.faults.road import Sheet, import_sheet
from tests.service.operations.test_sheet_agreement import (
    emulator,
    test_an_import_that_is_cancelled_or_dies_leaves_no_agreement_and_a_second_attempt_the_whole_one,
    test_an_undo_takes_back_what_the_import_agreed_on_and_only_that,
    world,
)
from tests.service.road import Road, csv_of
from tests.service.storage.test_migrations import test_the_migrations_make_exactly_the_schema_the_code_expects
from tests.service.test_gate import (
    filled,
    test_fifty_clicks_with_one_key_start_one_job,
    test_of_fifty_starts_at_once_one_is_accepted_and_the_others_name_it,
)
from tests.service.test_main_flow import test_a_sheet_becomes_searchable_and_comes_out_again
from tests.service.test_queue import (
    test_a_late_result_of_an_old_text_is_dropped_and_kept_in_the_cache,
    test_failures_are_paged_newest_first_and_filtered_by_cause,
    test_removing_an_entry_takes_it_out_of_the_queue_whatever_its_state,
    test_retry_by_ids_cause_or_all_reports_what_it_did_and_is_safe_to_repeat,
    test_two_workers_never_hold_the_same_item,
)
from tests.service.test_queue_model import QueueMachine
from tests.service.test_rehearsals import test_a_table_that_is_still_empty_can_be_rehearsed_for
from tests.service.test_renewals import (
    test_killed_between_two_chunks_it_goes_on_and_no_row_is_embedded_twice,
    test_the_rows_of_a_part_are_embedded_by_the_model_again_and_the_index_follows,
)
from tests.service.test_restore import test_after_a_restore_the_next_refresh_brings_exactly_the_differences
from tests.service.test_undo import test_rows_that_were_changed_or_removed_since_are_kept_and_listed
from tests.service.test_workers import (
    test_claiming_settling_and_coming_back_leave_the_wish_alone,
    test_what_a_silent_worker_held_is_taken_up_by_another_when_its_lease_lapses,
)

__all__ = [
    "emulator",
    "filled",
    "open_console",
    "test_a_late_result_of_an_old_text_is_dropped_and_kept_in_the_cache",
    "test_a_sheet_becomes_searchable_and_comes_out_again",
    "test_a_table_that_is_still_empty_can_be_rehearsed_for",
    "test_after_a_restore_the_next_refresh_brings_exactly_the_differences",
    "test_an_import_that_is_cancelled_or_dies_leaves_no_agreement_and_a_second_attempt_the_whole_one",
    "test_an_undo_takes_back_what_the_import_agreed_on_and_only_that",
    "test_claiming_settling_and_coming_back_leave_the_wish_alone",
    "test_failures_are_paged_newest_first_and_filtered_by_cause",
    "test_fifty_clicks_with_one_key_start_one_job",
    "test_killed_between_two_chunks_it_goes_on_and_no_row_is_embedded_twice",
    "test_of_fifty_starts_at_once_one_is_accepted_and_the_others_name_it",
    "test_removing_an_entry_takes_it_out_of_the_queue_whatever_its_state",
    "test_retry_by_ids_cause_or_all_reports_what_it_did_and_is_safe_to_repeat",
    "test_rows_that_were_changed_or_removed_since_are_kept_and_listed",
    "test_the_migrations_make_exactly_the_schema_the_code_expects",
    "test_the_rows_of_a_part_are_embedded_by_the_model_again_and_the_index_follows",
    "test_two_workers_never_hold_the_same_item",
    "test_what_a_silent_worker_held_is_taken_up_by_another_when_its_lease_lapses",
    "world",
]


def test_migrating_again_keeps_what_is_there(database: Database) -> None:
    with database.write() as connection:
        next_revision(connection)
    migrate(database)
    with database.read() as connection:
        assert get_counters(connection)["revision"] == 1
        engine_tables = sa.inspect(connection).get_table_names(schema="dbos")
    assert "workflow_status" in engine_tables, "ours and the engine's in one database"


def test_writers_take_turns_and_a_reader_sees_one_moment(database: Database) -> None:
    def raise_it(_: int) -> None:
        with database.write() as connection:
            before = get_counters(connection)["revision"]
            connection.execute(sa.text("SELECT pg_sleep(0.005)"))
            next_revision(connection)
            assert get_counters(connection)["revision"] == before + 1

    with database.read() as reading:
        before = get_counters(reading)["revision"]
        with ThreadPoolExecutor(8) as crowd:
            list(crowd.map(raise_it, range(24)))
        assert get_counters(reading)["revision"] == before
    with database.read() as later:
        assert get_counters(later)["revision"] == before + 24


@pytest.mark.feature("X1")
def test_transactions_that_count_in_any_order_never_wait_for_each_other_in_a_ring(database: Database) -> None:
    """Settling counts the revision first, an import last: without the writers' turns each could hold what the other wants."""
    orders = [("revision", "arrived_total", "embedded_total"), ("embedded_total", "arrived_total", "revision")]

    def count(number: int) -> None:
        with database.write() as connection:
            for name in orders[number % len(orders)]:
                add_to_counters(connection, **{name: 1})
                connection.execute(sa.text("SELECT pg_sleep(0.002)"))

    with ThreadPoolExecutor(6) as crowd:
        list(crowd.map(count, range(36)))
    with database.read() as connection:
        counters = get_counters(connection)
    assert [counters[name] for name in orders[0]] == [36] * 3


def test_a_sign_of_life_does_not_wait_for_a_long_writer(database: Database, road: Road) -> None:
    heart = road.works.heart()
    with database.write():
        heart.beat()


def test_a_nul_character_is_refused_where_it_is_asked_for(road: Road) -> None:
    answers = [
        road.api.get("/api/jobs/a%00b"),
        road.api.get("/api/jobs", params={"requested_by": "a\0b"}),
        road.api.post("/api/index/search", json={"text": "a\0b"}),
        road.api.post("/api/workers/pause", json={"reason": "\0"}),
    ]
    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(422, "invalid")] * 4
    assert road.preview(csv_of(("a", "tex\0t", "ann")))["error"]["code"] == "unreadable_source"


class QueueMachineOnPostgres(QueueMachine):
    """The same model; one database for all examples, emptied before each."""

    shared: ClassVar[Database]

    def open_database(self) -> Database:
        with self.shared.write() as connection:
            connection.exec_driver_sql(f"TRUNCATE {', '.join(metadata.tables)} RESTART IDENTITY")
        return self.shared

    def teardown(self) -> None:
        """The database is the next example's."""


@pytest.mark.feature("Q1", "W6")
def test_the_queue_keeps_to_the_model_here_too(database: Database) -> None:
    QueueMachineOnPostgres.shared = database
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large]
    run_state_machine_as_test(
        QueueMachineOnPostgres, settings=settings(max_examples=6, stateful_step_count=25, deadline=None, suppress_health_check=checks)
    )
    with database.write() as connection:
        connection.exec_driver_sql(f"TRUNCATE {', '.join(metadata.tables)}")


@pytest.mark.feature("X1")
def test_real_workers_make_a_sheet_searchable(open_console: Open, database_url: str) -> None:
    console = open_console(environment={"SWITCHYARD_DATABASE_URL": database_url, "SWITCHYARD_WORKERS": "1"}).start()
    import_sheet(console, Sheet(rows=300))
    assert console.client.get_index().vectors == 300
    assert not (console.data_dir / "switchyard.sqlite").exists()
