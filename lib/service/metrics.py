"""One snapshot in Prometheus' text format."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from lib.contract.events import TelemetrySnapshot
from lib.contract.states import Actual


def render_metrics(snapshot: TelemetrySnapshot, *, statements: int) -> bytes:
    """Gauges of the moment, and how many SQL ``statements`` this process has sent.

    What is unknown is left out: a zero would say something else.
    """
    registry = CollectorRegistry()

    def gauge(name: str, help_text: str, value: float | None, **labels: str) -> None:
        if value is not None:
            measured = Gauge(f"switchyard_{name}", help_text, list(labels), registry=registry)
            (measured.labels(**labels) if labels else measured).set(value)

    queue, index = snapshot.queue, snapshot.index
    items = Gauge("switchyard_queue_items", "Items in the queue by state.", ["state"], registry=registry)
    for state in ("pending", "leased", "failed", "discarded"):
        items.labels(state=state).set(getattr(queue, state))
    gauge("table_entries", "Entries in the table.", queue.entries)
    gauge("queue_lag_seconds", "Age of the oldest pending item.", queue.lag_seconds)
    gauge("queue_completion_per_second", "Items embedded per second, mean of a minute.", queue.completion_per_second)
    gauge("index_generation", "Number of the served generation.", index.generation)
    gauge("index_vectors", "Vectors in the served generation.", index.vectors if index.generation else None)
    gauge("index_unindexed", "Changes the served generation lacks.", index.unindexed)
    workers = Gauge("switchyard_workers", "Workers that are alive, by role and state.", ["role", "state"], registry=registry)
    for worker in snapshot.workers.workers:
        if not worker.stale and worker.actual is not Actual.STOPPED:
            workers.labels(role=worker.role.value, state=worker.actual.value).inc()
    gauge("jobs_active", "Jobs queued or running.", len(snapshot.jobs.active))
    Counter("switchyard_sql_statements", "SQL statements sent by this process.", registry=registry).inc(statements)
    return generate_latest(registry)
