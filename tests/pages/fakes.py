"""A service that answers from canned readings and remembers what it was asked to do."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from lib.client.errors import ClientError, Refused, Unreachable, error_of
from lib.client.live import Link
from lib.contract.audit import AuditEntry, AuditPage
from lib.contract.entries import EntryPage
from lib.contract.errors import ErrorCode, Problem
from lib.contract.events import JobsReading, Topic
from lib.contract.export_plans import ExportPlan
from lib.contract.exports import Export
from lib.contract.golden import GoldenReading
from lib.contract.health import HealthReading
from lib.contract.identity import IdentityReading
from lib.contract.imports import FileSource, Plan, PlanCounts, SheetColumns, UndoReport, Upload
from lib.contract.inspections import Inspection
from lib.contract.jobs import Job, JobStep
from lib.contract.maps import IndexMap
from lib.contract.operations import Gate, Intention, Ticket
from lib.contract.places import Place
from lib.contract.plans import RowFilter, TickRequest
from lib.contract.queue import Failure, QueueHistory, Window
from lib.contract.rehearsals import Rehearsal, RehearsalHead
from lib.contract.settings import SETTINGS, SettingReading
from lib.contract.shift import ShiftEntry
from lib.contract.snapshots import Snapshot, SnapshotPage
from lib.contract.states import (
    Desired,
    Role,
    ShiftKind,
)
from lib.contract.visits import Visit
from lib.contract.workers import Forecast
from tests.pages.canned import (
    PLAN_ID,
    UPLOAD_ID,
    ago,
    audit,
    exports,
    failures,
    history,
    now,
    plan,
)
from tests.pages.canned_sheets import columns
from tests.pages.fake_access import FakeAccess
from tests.pages.fake_exports import FakeExports, export_plan
from tests.pages.fake_index import FakeIndex, golden, health, no_golden, no_health
from tests.pages.fake_inspections import FakeInspections, inspected_job, inspection
from tests.pages.fake_items import FakeItems
from tests.pages.fake_looking import FakeLooking
from tests.pages.fake_maps import FakeMaps
from tests.pages.fake_operations import FakeOperations
from tests.pages.fake_rehearsals import FakeRehearsals, rehearsal, rehearsed_job
from tests.pages.scenes import busy_readings, empty_readings, failed_readings, idle_readings
from tests.pages.shifts import forecast, shift
from tests.pages.takebacks import snapshots, undo_report


@dataclass
class FakeHub:
    readings: dict[Topic, Any] = field(default_factory=dict)
    connection: Link = field(default_factory=lambda: Link("live", ago(minutes=12)))
    version: int = 1
    silent: frozenset[Topic] = frozenset()  #: what nobody has confirmed for long, while the feed goes on

    def reading(self, topic: Topic) -> Any:
        return self.readings.get(topic)

    def as_of(self, topic: Topic) -> datetime | None:
        if topic not in self.readings:
            return None
        if topic in self.silent:
            return ago(minutes=4)
        return ago(seconds=1) if self.connection.state == "live" else self.connection.since

    def stale(self, topic: Topic, interval: float) -> bool:  # noqa: ARG002
        return self.connection.state == "offline" or topic in self.silent


@dataclass
class FakeClient(FakeItems, FakeOperations, FakeIndex, FakeLooking, FakeInspections, FakeRehearsals, FakeMaps, FakeAccess, FakeExports):
    """Answers from the canned readings and remembers what it was asked to do."""

    plan: Plan = field(default_factory=plan)
    calls: list[tuple[str, tuple[Any, ...]]] = field(default_factory=list)
    down: bool = False
    refusal: Gate | None = None
    failures: list[Failure] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    export_plan: ExportPlan = field(default_factory=export_plan)
    jobs: list[Job] = field(default_factory=list)
    gone: set[str] = field(default_factory=set)  #: snapshots that somebody else has deleted
    steps: list[JobStep] = field(default_factory=list)
    audit: list[AuditEntry] = field(default_factory=list)
    undo: UndoReport = field(default_factory=undo_report)
    snapshots: list[Snapshot] = field(default_factory=list)
    intentions: list[Intention] = field(default_factory=list)
    golden: GoldenReading = field(default_factory=no_golden)
    health: HealthReading = field(default_factory=no_health)
    places: list[Place] = field(default_factory=list)
    visit: Visit = field(default_factory=lambda: Visit(since=None, taken_at=now()))
    inspection: Inspection = field(default_factory=inspection)
    previous: int | None = None
    rehearsal: Rehearsal = field(default_factory=rehearsal)
    rehearsals: list[RehearsalHead] = field(default_factory=list)
    map: IndexMap | None = None

    def _note(self, name: str, *arguments: Any) -> None:
        if self.down:
            raise Unreachable("http://127.0.0.1:8501", "connection refused")
        self.calls.append((name, arguments))

    def _act(self, name: str, *arguments: Any) -> None:
        self._note(name, *arguments)
        if self.refusal:
            raise Refused(Problem(title="Conflict", status=409, code=ErrorCode.REFUSED, detail=self.refusal.reason_text, gate=self.refusal))

    def names(self) -> list[str]:
        return [name for name, _ in self.calls]

    def create_upload(self, name: str, size_bytes: int) -> Upload:
        self._act("create_upload", name, size_bytes)
        return Upload(upload_id=UPLOAD_ID, name=name, size_bytes=size_bytes)

    def get_upload_offset(self, upload_id: str) -> int:
        self._note("get_upload_offset", upload_id)
        return 0

    def upload_file(self, name: str, *_: Any, **__: Any) -> Upload:
        self._act("upload_file", name)
        return Upload(upload_id=UPLOAD_ID, name=name, size_bytes=9, received_bytes=9)

    def get_upload_columns(self, source: FileSource) -> SheetColumns:
        self._note("get_upload_columns", source)
        if source.upload_id != UPLOAD_ID:
            raise self._missing()
        return columns()

    def preview_import(self, request: Any) -> str:
        self._act("preview_import", request)
        return PLAN_ID

    def get_plan(self, plan_id: str, wanted: RowFilter | None = None, limit: int = 50, cursor: str | None = None) -> Plan:
        wanted = wanted or RowFilter()
        self._note("get_plan", plan_id, wanted, limit, cursor)
        if plan_id != PLAN_ID:
            raise self._missing()
        rows = [row for row in self.plan.rows if wanted.change in {None, row.change} and (wanted.text or "") in row.text]
        matching = None if wanted == RowFilter() else len(rows)
        return self.plan.model_copy(update={"rows": rows if limit else [], "matching": matching})

    def tick_rows(self, plan_id: str, request: TickRequest) -> Plan:
        self._act("tick_rows", plan_id, request)
        if request.columns:
            return self._tick_columns(request)
        ticked = dict.fromkeys(request.positions or [row.position for row in self.plan.rows], request.ticked)
        rows = [row.model_copy(update={"ticked": ticked.get(row.position, row.ticked)}) for row in self.plan.rows]
        out = PlanCounts(**Counter(row.change for row in rows if not row.ticked))
        self.plan = self.plan.model_copy(update={"rows": rows, "unticked": out, "ticks_revision": self.plan.ticks_revision + 1})
        return self.plan

    def _tick_columns(self, request: TickRequest) -> Plan:
        out = [] if request.ticked else request.columns
        rows = [row.model_copy(update={"left_out": out}) if row.position in (request.positions or []) else row for row in self.plan.rows]
        cells = sum(len(row.left_out) for row in rows)
        self.plan = self.plan.model_copy(update={"rows": rows, "left_out_cells": cells, "ticks_revision": self.plan.ticks_revision + 1})
        return self.plan

    def bad_rows_link(self, plan_id: str, ticket: str, base_url: str = "") -> str:
        return f"{base_url}/api/plans/{plan_id}/bad-rows?ticket={ticket}"

    def create_ticket(self, method: str, path: str) -> Ticket:
        self._note("create_ticket", method, path)
        return Ticket(ticket="t1cket", expires_at=now() + timedelta(minutes=5))

    def list_entries(self, text: str | None = None, limit: int = 50, cursor: str | None = None) -> EntryPage:
        self._note("list_entries", text, limit, cursor)
        return EntryPage(items=[], total=7 if text else 150, taken_at=now())

    def _wish(self, name: str, *arguments: Any) -> Any:
        self._act(name, *arguments)

    def pause_worker(self, worker_id: str, reason: str = "", expected: Desired | None = None) -> Any:
        self._wish("pause_worker", worker_id, reason, expected)

    def resume_worker(self, worker_id: str, reason: str = "", expected: Desired | None = None) -> Any:
        self._wish("resume_worker", worker_id, reason, expected)

    def drain_worker(self, worker_id: str, reason: str = "", expected: Desired | None = None, deadline_seconds: int | None = None) -> Any:
        self._wish("drain_worker", worker_id, reason, expected, deadline_seconds)

    def pause_workers(self, reason: str = "", worker_ids: Any = None, expected: Any = None) -> Any:
        self._wish("pause_workers", reason, worker_ids, expected)

    def resume_workers(self, reason: str = "", worker_ids: Any = None, expected: Any = None) -> Any:
        self._wish("resume_workers", reason, worker_ids, expected)

    def drain_workers(self, reason: str = "", worker_ids: Any = None, expected: Any = None, deadline_seconds: int | None = None) -> Any:
        self._wish("drain_workers", reason, worker_ids, expected, deadline_seconds)

    def scale_workers(self, embedding: int, expected: int | None = None) -> Any:
        self._act("scale_workers", embedding, expected)

    def get_forecast(self, workers: int | None = None, batch_size: int | None = None) -> Forecast:
        self._note("get_forecast", workers, batch_size)
        return forecast(workers, batch_size)

    def add_note(self, text: str, at: datetime | None = None) -> ShiftEntry:
        self._act("add_note", text, at)
        return ShiftEntry(entry_id=7, at=at or now(), kind=ShiftKind.NOTE, actor="local admin", text=text)

    def delete_note(self, entry_id: int) -> None:
        self._act("delete_note", entry_id)

    def get_queue_history(self, window: Window = Window.M15) -> QueueHistory:
        self._note("get_queue_history", window)
        return history(Window(window)).model_copy(update={"annotations": shift().entries[1::-1]})

    def put_setting(self, name: str, value: Any, expected: Any = None) -> SettingReading:
        self._act("put_setting", name, value, expected)
        return SettingReading(name=name, value=value, default=SETTINGS[name].default)

    def list_audit(self, limit: int = 50, cursor: str | None = None, object_id: str | None = None) -> AuditPage:
        self._note("list_audit", limit, cursor, object_id)
        found = [entry for entry in self.audit if object_id in {None, entry.object_id}]
        start = int(cursor or 0)
        more = str(start + limit) if len(found) > start + limit else None
        return AuditPage(items=found[start : start + limit], next_cursor=more, total=len(found), taken_at=now())

    def get_identity(self) -> IdentityReading:
        self._note("get_identity")
        return IdentityReading(actor="local admin", role=Role.ADMIN)

    def list_snapshots(self) -> SnapshotPage:
        self._note("list_snapshots")
        return SnapshotPage(items=self.snapshots, kept=5, taken_at=now())

    def change_snapshot(self, snapshot_id: str, change: Any) -> Snapshot:
        self._act("change_snapshot", snapshot_id, change)
        return next(each for each in self.snapshots if each.snapshot_id == snapshot_id)

    def snapshot_link(self, snapshot_id: str, ticket: str, base_url: str | None = None) -> str:
        return f"{base_url or ''}/api/snapshots/{snapshot_id}/file?ticket={ticket}"

    def delete_snapshot(self, snapshot_id: str, typed_name: str) -> None:
        self._act("delete_snapshot", snapshot_id, typed_name)
        if snapshot_id in self.gone:
            raise self._missing()

    def _missing(self) -> ClientError:
        problem = Problem(title="Not Found", status=404, code=ErrorCode.NOT_FOUND, detail="Nothing has this id.", action="Check the link.")
        return error_of(404, problem.model_dump_json().encode(), {"Content-Type": "application/problem+json"})


def scene(name: str) -> tuple[FakeClient, FakeHub]:
    """The client and hub of one named situation: fresh, idle, busy, failed, offline, silent."""
    readings = {
        "fresh": empty_readings,
        "idle": idle_readings,
        "busy": busy_readings,
        "failed": failed_readings,
        "offline": failed_readings,
        "silent": dict,
    }[name]()
    client, hub = FakeClient(), FakeHub(readings)
    if name not in {"fresh", "silent"}:
        jobs: JobsReading = readings[Topic.JOBS]
        client = FakeClient(
            exports=exports(), audit=audit(), snapshots=snapshots(), jobs=[*jobs.active, *jobs.recent], golden=golden(), health=health()
        )
        client.jobs += [inspected_job(), rehearsed_job()]
    if name in {"failed", "offline"}:
        client.failures = failures()
    if name in {"offline", "silent"}:
        hub.connection = Link("offline", ago(seconds=75), "connection refused")
        client.down = True
    return client, hub
