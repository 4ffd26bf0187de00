"""Every method of the client that asks one address and reads one answer, with a sample of both."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lib.client.api import Client
from lib.contract.audit import AuditPage
from lib.contract.entries import EntryPage
from lib.contract.exports import ExportRequest
from lib.contract.golden import GoldenComparison, GoldenQuestion, GoldenReading, GoldenRequest, GoldenRun
from lib.contract.health import DriftPage, HealthReading
from lib.contract.identity import IdentityReading
from lib.contract.imports import (
    ColumnMapping,
    FileSource,
    ImportRequest,
    Plan,
    PlanCounts,
    PreviewRequest,
    ReadAs,
    SheetColumns,
    UndoReport,
    UndoRow,
    Upload,
)
from lib.contract.index import IndexReading, SearchResult
from lib.contract.inspections import (
    GoBackReading,
    GoBackRequest,
    InspectedResult,
    Inspection,
    InspectRequest,
    RestoreRequest,
    SnapshotSource,
)
from lib.contract.jobs import Job, JobLog, JobPage, JobSteps
from lib.contract.maps import MapPart, MapReading, MapRequest, RenewRequest
from lib.contract.model import Reading, utc_now
from lib.contract.operations import Gate, Intention, IntentionPage, OperationsReading, SnapshotRequest, Ticket
from lib.contract.plans import RowFilter, TickRequest
from lib.contract.queue import RequeueRequest
from lib.contract.reembedding import ReembedPlan, ReembedRequest
from lib.contract.snapshots import Snapshot, SnapshotChange, SnapshotPage
from lib.contract.states import (
    Change,
    DriftKind,
    EmbedderKind,
    ImportMode,
    IntentionState,
    JobState,
    Operation,
    PlanState,
    Role,
    SheetFormat,
    UndoOutcome,
    Verdict,
)
from tests.client.export_calls import EXPORT_CALLS
from tests.client.looking_calls import LOOKING_CALLS
from tests.client.queue_calls import QUEUE_CALLS
from tests.client.rehearsal_calls import REHEARSAL_CALLS, REHEARSE
from tests.client.settings_calls import SETTINGS_CALLS
from tests.client.worker_calls import WORKER_CALLS

NOW = utc_now()
UPLOAD = Upload(upload_id="a" * 32, name="packages.csv", size_bytes=10)
MAPPING = ColumnMapping(key="name", text=["summary"])
PREVIEW = PreviewRequest(source=FileSource(upload_id="a" * 32), mapping=MAPPING)
COLUMNS = SheetColumns(columns=["name"], sample=[["numpy"]], read_as=ReadAs(format=SheetFormat.CSV, encoding="utf-8", delimiter=","))
PLAN = Plan(
    plan_id="p",
    job_id="j",
    state=PlanState.READY,
    source={},
    source_name="packages.csv",
    mapping=MAPPING,
    mode=ImportMode.MERGE,
    counts=PlanCounts(new=3),
    requested_by="ada",
    created_at=NOW,
    expires_at=NOW,
    taken_at=NOW,
)
JOB = Job(job_id="j/1", operation=Operation.IMPORT, state=JobState.RUNNING, requested_by="ada", created_at=NOW)
UNDO = UndoReport(
    job_id="j/1",
    gate=Gate(allowed=True),
    expires_at=NOW,
    counts={"reversed": 1},
    rows=[UndoRow(key="numpy", change=Change.NEW, outcome=UndoOutcome.REVERSED)],
    taken_at=NOW,
)
INTENTION = Intention(
    intention_id="i/1",
    operation=Operation.EXPORT,
    state=IntentionState.WAITING,
    requested_by="ada",
    created_at=NOW,
    detail="An import is running.",
)
REEMBED = ReembedRequest(embedder=EmbedderKind.OPENAI)
ASK = GoldenRequest(text="cannot log in", expected_keys=["ACC-001"])
GOLDEN = GoldenQuestion(
    question_id="g/1", text=ASK.text, expected_keys=ASK.expected_keys, k=10, created_at=NOW, created_by="ada", changed_at=NOW
)
GOLDEN_RUN = GoldenRun(run_id="r2", generation=4, embedder="wordllama-256", job_id="j", asked_at=NOW, questions=2, passed=1)
SNAPSHOT = Snapshot(
    snapshot_id="s",
    name="mine",
    note="",
    generation=3,
    vectors=9,
    dimension=256,
    embedder="wordllama",
    size_bytes=99,
    sha256="0" * 64,
    taken_at=NOW,
    taken_by="ada",
    job_id="j",
    automatic=False,
)

INSPECTION = Inspection(inspection_id="i", name="mine", verdict=Verdict.GOOD, gate=Gate(allowed=True), taken_at=NOW)
GO_BACK = GoBackReading(served=3, previous=2, gate=Gate(allowed=True))

#: name → (call, method, path, query, answer); what a start returns is the id inside its answer
CALLS: dict[str, tuple[Callable[[Client], Any], str, str, dict[str, str], Reading]] = {
    "create_upload": (lambda c: c.create_upload("packages.csv", 10), "POST", "/api/uploads", {}, UPLOAD),
    "get_upload_columns": (
        lambda c: c.get_upload_columns(FileSource(upload_id="a" * 32, header_row=2)),
        "GET",
        f"/api/uploads/{'a' * 32}/columns",
        {"header_row": "2"},
        COLUMNS,
    ),
    "get_plan": (
        lambda c: c.get_plan("p", RowFilter(change=Change.NEW, ticked=False), 5, "x"),
        "GET",
        "/api/plans/p",
        {"change": "new", "ticked": "false", "limit": "5", "cursor": "x"},
        PLAN,
    ),
    "tick_rows": (lambda c: c.tick_rows("p", TickRequest(ticked=False, positions=[1])), "PUT", "/api/plans/p/ticks", {}, PLAN),
    **EXPORT_CALLS,
    "list_operations": (lambda c: c.list_operations(), "GET", "/api/operations", {}, OperationsReading(operations=[], taken_at=NOW)),
    "list_jobs": (
        lambda c: c.list_jobs(Operation.EXPORT, JobState.FAILED, 7, requested_by="bob & eve", since=NOW),
        "GET",
        "/api/jobs",
        {"operation": "export", "state": "failed", "limit": "7", "requested_by": "bob & eve", "since": NOW.isoformat()},
        JobPage(items=[JOB], taken_at=NOW),
    ),
    "get_undo": (
        lambda c: c.get_undo("j/1", 5, "x", UndoOutcome.KEPT),
        "GET",
        "/api/operations/import/j%2F1/undo",
        {"limit": "5", "cursor": "x", "outcome": "kept"},
        UNDO,
    ),
    "list_intentions": (lambda c: c.list_intentions(), "GET", "/api/intentions", {}, IntentionPage(items=[INTENTION], taken_at=NOW)),
    "cancel_intention": (lambda c: c.cancel_intention("i/1"), "POST", "/api/intentions/i%2F1/cancel", {}, INTENTION),
    "list_snapshots": (lambda c: c.list_snapshots(), "GET", "/api/snapshots", {}, SnapshotPage(items=[SNAPSHOT], kept=5, taken_at=NOW)),
    "change_snapshot": (lambda c: c.change_snapshot("s/1", SnapshotChange(pinned=True)), "PUT", "/api/snapshots/s%2F1", {}, SNAPSHOT),
    "get_inspection": (lambda c: c.get_inspection("i"), "GET", "/api/inspections/i", {}, INSPECTION),
    "search_inspection": (
        lambda c: c.search_inspection("i", "arrays", 3),
        "POST",
        "/api/inspections/i/search",
        {},
        InspectedResult(inspection_id="i", hits=[], seconds=0.1, taken_at=NOW),
    ),
    "get_go_back": (lambda c: c.get_go_back(), "GET", "/api/index/go-back", {}, GO_BACK),
    "go_back": (lambda c: c.go_back(GoBackRequest(expected=3)), "POST", "/api/index/go-back", {}, GO_BACK),
    "get_job": (lambda c: c.get_job("j/1"), "GET", "/api/jobs/j%2F1", {}, JOB),
    "get_job_log": (lambda c: c.get_job_log("j"), "GET", "/api/jobs/j/log", {}, JobLog(job_id="j", lines=[])),
    "get_job_steps": (lambda c: c.get_job_steps("j"), "GET", "/api/jobs/j/steps", {}, JobSteps(job_id="j", steps=[], taken_at=NOW)),
    "cancel_job": (lambda c: c.cancel_job("j"), "POST", "/api/jobs/j/cancel", {}, JOB),
    **QUEUE_CALLS,
    "get_index": (lambda c: c.get_index(), "GET", "/api/index", {}, IndexReading(taken_at=NOW)),
    "search_index": (
        lambda c: c.search_index("arrays", 3),
        "POST",
        "/api/index/search",
        {},
        SearchResult(generation=1, hits=[], seconds=0.1, taken_at=NOW),
    ),
    "get_reembedding": (
        lambda c: c.get_reembedding(REEMBED),
        "GET",
        "/api/operations/reembed",
        {"embedder": "openai"},
        ReembedPlan(embedder="openai-8", rows=3, cached=1, to_embed=2, gate=Gate(allowed=True)),
    ),
    "get_check": (lambda c: c.get_check(), "GET", "/api/index/check", {}, HealthReading(taken_at=NOW)),
    "list_drift": (
        lambda c: c.list_drift(DriftKind.STALE, 5, "x"),
        "GET",
        "/api/index/drift",
        {"kind": "stale", "limit": "5", "cursor": "x"},
        DriftPage(check_id="c", kind=DriftKind.STALE, items=[], total=0, taken_at=NOW),
    ),
    "list_golden_questions": (
        lambda c: c.list_golden_questions(),
        "GET",
        "/api/golden",
        {},
        GoldenReading(questions=[], runs=[], taken_at=NOW),
    ),
    "create_golden_question": (lambda c: c.create_golden_question(ASK), "POST", "/api/golden", {}, GOLDEN),
    "put_golden_question": (lambda c: c.put_golden_question("g/1", ASK), "PUT", "/api/golden/g%2F1", {}, GOLDEN),
    "compare_golden_runs": (
        lambda c: c.compare_golden_runs("r1", "r2"),
        "GET",
        "/api/golden/comparison",
        {"before": "r1", "after": "r2"},
        GoldenComparison(before=None, after=GOLDEN_RUN, differences=[]),
    ),
    "list_entries": (
        lambda c: c.list_entries("ü & co", cursor="c"),
        "GET",
        "/api/entries",
        {"text": "ü & co", "limit": "50", "cursor": "c"},
        EntryPage(items=[], total=0, taken_at=NOW),
    ),
    **LOOKING_CALLS,
    **REHEARSAL_CALLS,
    "get_map": (lambda c: c.get_map(), "GET", "/api/index/map", {}, MapReading(taken_at=NOW)),
    **SETTINGS_CALLS,
    **WORKER_CALLS,
    "list_audit": (
        lambda c: c.list_audit(10, object_id="j/1"),
        "GET",
        "/api/audit",
        {"limit": "10", "object_id": "j/1"},
        AuditPage(items=[], taken_at=NOW),
    ),
    "get_identity": (lambda c: c.get_identity(), "GET", "/api/identity", {}, IdentityReading(actor="ada", role=Role.ADMIN)),
    "create_ticket": (
        lambda c: c.create_ticket("GET", "/api/exports/e/file"),
        "POST",
        "/api/tickets",
        {},
        Ticket(ticket="t", expires_at=NOW),
    ),
}
STARTS: dict[str, tuple[Callable[[Client], str], str]] = {
    "start_import": (lambda c: c.start_import(ImportRequest(plan_id="p")), "import"),
    "start_export": (lambda c: c.start_export(ExportRequest()), "export"),
    "start_refresh": (lambda c: c.start_refresh(), "refresh"),
    "start_reembedding": (lambda c: c.start_reembedding(REEMBED), "reembed"),
    "start_repair": (lambda c: c.start_repair("check"), "repair"),
    "start_rebuild": (lambda c: c.start_rebuild(), "rebuild"),
    "start_snapshot": (lambda c: c.start_snapshot(SnapshotRequest(name="mine")), "snapshot"),
    "start_inspection": (lambda c: c.start_inspection(InspectRequest(source=SnapshotSource(snapshot_id="s"))), "inspect"),
    "start_rehearsal": (lambda c: c.start_rehearsal(REHEARSE), "rehearse"),
    "start_map": (lambda c: c.start_map(MapRequest()), "map"),
    "start_renewal": (lambda c: c.start_renewal(RenewRequest(map_id="a" * 32, part=MapPart(region=1))), "renew"),
    "start_restore": (lambda c: c.start_restore(RestoreRequest(inspection_id="a" * 32, typed_name="mine")), "restore"),
    "start_requeue": (lambda c: c.start_requeue(RequeueRequest()), "requeue"),
    "start_undo": (lambda c: c.start_undo("j/1"), "import/j%2F1/undo"),
}
