"""The numbers for Prometheus."""

from __future__ import annotations

from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from lib.contract.events import TelemetrySnapshot
from lib.contract.states import Actual, WorkerRole
from lib.service.metrics import render_metrics
from tests.service.road import Road, sheet


def metrics(road: Road) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = road.api.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_the_metrics_say_what_the_readings_say(road: Road) -> None:
    road.fill(sheet(1, 2))
    road.import_sheet(sheet(3))
    heart = road.works.heart("operations-1", WorkerRole.OPERATIONS)
    heart.say(Actual.IDLE)
    heart.beat()
    found = metrics(road)
    nothing: frozenset[tuple[str, str]] = frozenset()
    assert found["switchyard_queue_items", frozenset({("state", "pending")})] == 1
    assert found["switchyard_queue_items", frozenset({("state", "failed")})] == 0
    assert found["switchyard_table_entries", nothing] == 3
    assert found["switchyard_index_vectors", nothing] == 2
    assert found["switchyard_index_generation", nothing] == 1
    assert found["switchyard_workers", frozenset({("role", "operations"), ("state", "idle")})] == 1
    assert found["switchyard_jobs_active", nothing] == 0
    assert metrics(road)["switchyard_sql_statements_total", nothing] > found["switchyard_sql_statements_total", nothing] > 0


def test_what_is_unknown_is_left_out(road: Road) -> None:
    names = {name for name, _ in metrics(road)}
    assert "switchyard_table_entries" in names
    assert not names & {
        "switchyard_index_generation",
        "switchyard_index_vectors",
        "switchyard_queue_lag_seconds",
        "switchyard_queue_completion_per_second",
    }


def test_a_stale_or_stopped_worker_is_not_counted(road: Road) -> None:
    snapshot: dict[str, Any] = road.get("/api/telemetry/snapshot")
    alive = {"worker_id": "a", "role": "embedding", "host": "h", "pid": 1, "desired": "running", "actual": "idle", "stale": False}
    snapshot["workers"]["workers"] = [alive, alive | {"worker_id": "b", "stale": True}, alive | {"worker_id": "c", "actual": "stopped"}]
    text = render_metrics(TelemetrySnapshot.model_validate(snapshot), statements=0).decode()
    assert 'switchyard_workers{role="embedding",state="idle"} 1.0' in text
    assert "stopped" not in text
