"""`Client`: one typed method per endpoint of the operations API, in the order of the pages."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple
from urllib.parse import urlencode

import requests

from lib.client.connection import Connection
from lib.client.errors import Unexpected
from lib.client.index import IndexClient
from lib.client.inspections import InspectionsClient
from lib.client.looking import LookingClient
from lib.client.maps import MapsClient
from lib.client.operations import LIMIT, OperationsClient
from lib.client.paths import path_of
from lib.client.plans import PlansClient
from lib.client.queue import QueueClient
from lib.client.rehearsals import RehearsalsClient
from lib.client.settings import SettingsClient
from lib.client.sheets import SheetsClient
from lib.client.snapshot_calls import SnapshotsClient
from lib.client.transfers import download_to, upload_in_slices
from lib.client.transport import TIMEOUT, Call, Connect, Transport, read, read_object
from lib.client.workers import WorkersClient
from lib.contract.audit import AuditPage
from lib.contract.entries import EntryPage
from lib.contract.events import TelemetrySnapshot
from lib.contract.export_plans import CellChange, ExportPlan, ExportPreviewRequest
from lib.contract.exports import ExportFilter, ExportPage, ExportScope
from lib.contract.identity import IdentityReading
from lib.contract.imports import FileSource, PlanStarted, PreviewRequest, SheetColumns, Upload, UploadRequest
from lib.contract.operations import Ticket, TicketRequest

__all__ = ["Client", "PolledSnapshot", "Readiness"]

#: Bytes per upload slice: large enough to be fast, small enough to lose little.
SLICE_BYTES = 8 << 20


class PolledSnapshot(NamedTuple):
    """What polling the telemetry gave. ``snapshot`` is None when nothing has changed since ``etag``."""

    snapshot: TelemetrySnapshot | None
    etag: str | None


class Readiness(NamedTuple):
    """Whether the service would serve now, and what it says of its parts."""

    ready: bool
    details: dict[str, Any]


#: The service may have to unpack a workbook of a million rows before it can say what its columns are called.
UNPACKING = (3.05, 300.0)


class Client(
    OperationsClient,
    WorkersClient,
    PlansClient,
    IndexClient,
    SnapshotsClient,
    InspectionsClient,
    RehearsalsClient,
    MapsClient,
    SettingsClient,
    SheetsClient,
    LookingClient,
    QueueClient,
):
    """The operations API of one service. Every method raises a `lib.client.errors.ClientError` when it cannot do what it says."""

    def __init__(
        self,
        connection: Connection,
        session: requests.Session | None = None,
        timeout: tuple[float, float] = TIMEOUT,
        *,
        connect: Connect | None = None,
    ) -> None:
        """``timeout``: seconds to connect, seconds without a byte. ``connect`` gives a fresh connection when the token is refused."""
        self.transport = Transport(connection, session, timeout, connect)

    @property
    def connection(self) -> Connection:
        """Where the service is, as last read."""
        return self.transport.connection

    # Uploads

    def create_upload(self, name: str, size_bytes: int) -> Upload:
        """Announce a file before its first byte."""
        return self.transport.post(Upload, "/api/uploads", UploadRequest(name=name, size_bytes=size_bytes))

    def get_upload_offset(self, upload_id: str) -> int:
        """How many bytes of the upload have arrived."""
        return _offset_of(self.transport.send(Call("HEAD", path_of("/api/uploads", upload_id))))

    def put_upload_slice(self, upload_id: str, offset: int, data: bytes) -> int:
        """Send the bytes that start at ``offset``; the new offset. WrongOffset when the upload stands elsewhere."""
        # A file goes out in small blocks, each under its own time limit; bytes would have to leave within one.
        return _offset_of(self.transport.send(Call("PUT", path_of("/api/uploads", upload_id), {"offset": offset}, io.BytesIO(data))))

    def upload_file(
        self, name: str, data: BinaryIO | bytes, slice_bytes: int = SLICE_BYTES, on_progress: Callable[[int, int], None] | None = None
    ) -> Upload:
        """Send a whole file, resuming where a slice broke. ``on_progress(bytes_done, bytes_total)`` after each slice."""
        return upload_in_slices(self, name, data, slice_bytes, on_progress)

    def get_upload_columns(self, source: FileSource) -> SheetColumns:
        """The head of an uploaded file, read as the source says, and how it would be mapped."""
        options = source.model_dump(include={"sheet", "encoding", "delimiter", "header_row"})
        call = Call("GET", path_of("/api/uploads", source.upload_id, "columns"), options, timeout=UNPACKING)
        return read(SheetColumns, self.transport.send(call))

    # Import

    def preview_import(self, request: PreviewRequest) -> str:
        """Start making a plan; its id."""
        return self.transport.post(PlanStarted, "/api/operations/import/preview", request).plan_id

    # Export

    def list_exports(self) -> ExportPage:
        """Export files that can still be downloaded, newest first."""
        return self.transport.get(ExportPage, "/api/exports")

    def preview_export(self, request: ExportPreviewRequest) -> str:
        """Start comparing the table with a Google sheet; the plan's id."""
        return self.transport.post(PlanStarted, "/api/operations/export/preview", request).plan_id

    def get_export_plan(self, plan_id: str, change: CellChange | None = None, limit: int = LIMIT, cursor: str | None = None) -> ExportPlan:
        """What an export to a sheet would do, with one page of its rows."""
        return self.transport.get(ExportPlan, path_of("/api/exports/plans", plan_id), {"change": change, "limit": limit, "cursor": cursor})

    def get_export_scope(self, wanted: ExportFilter) -> ExportScope:
        """How many entries a filter matches, and which columns there are to write."""
        return self.transport.post(ExportScope, "/api/exports/scope", wanted)

    def download_export(self, export_id: str, path: Path) -> Path:
        """The export file, whole and checked against its digest, at ``path``."""
        return download_to(self.transport, export_path(export_id), path)

    def export_link(self, export_id: str, ticket: str, base_url: str | None = None) -> str:
        """The address a browser downloads the file from. ``base_url`` as the browser sees it; ``""`` for a link on the same site."""
        base = self.connection.base_url if base_url is None else base_url
        return f"{base}{export_path(export_id)}?{urlencode({'ticket': ticket})}"

    # Entries

    def list_entries(self, text: str | None = None, limit: int = LIMIT, cursor: str | None = None) -> EntryPage:
        """Entries of the table, optionally those whose key or text contains ``text``."""
        return self.transport.get(EntryPage, "/api/entries", {"text": text, "limit": limit, "cursor": cursor})

    # Audit, access

    def list_audit(self, limit: int = LIMIT, cursor: str | None = None, object_id: str | None = None) -> AuditPage:
        """What people did, newest first; ``object_id``: only on this job, worker or setting."""
        return self.transport.get(AuditPage, "/api/audit", {"limit": limit, "cursor": cursor, "object_id": object_id})

    def download_audit(self, path: Path) -> Path:
        """Everything people did, as CSV, at ``path``."""
        path.write_bytes(self.transport.send(Call("GET", "/api/audit/file")).content)
        return path

    def get_identity(self) -> IdentityReading:
        """Who the service takes us for."""
        return self.transport.get(IdentityReading, "/api/identity")

    def create_ticket(self, method: Literal["GET", "PUT"], path: str) -> Ticket:
        """A short-lived signed ticket with which a browser may use ``path`` directly."""
        return self.transport.post(Ticket, "/api/tickets", TicketRequest(method=method, path=path))

    # Telemetry and the service itself

    def get_telemetry_snapshot(self, etag: str | None = None) -> PolledSnapshot:
        """Every topic's reading at once, or no snapshot when nothing has changed since ``etag``."""
        headers = {"If-None-Match": etag} if etag else {}
        response = self.transport.send(Call("GET", "/api/telemetry/snapshot", headers=headers, also=frozenset({304})))
        snapshot = None if response.status_code == 304 else read(TelemetrySnapshot, response)
        return PolledSnapshot(snapshot, response.headers.get("ETag", etag))

    def get_openapi(self) -> dict[str, Any]:
        """The whole contract of the service."""
        return read_object(self.transport.send(Call("GET", "/api/openapi.json")))

    def get_health(self) -> dict[str, Any]:
        """That the service's process answers."""
        return read_object(self.transport.send(Call("GET", "/healthz")))

    def get_readiness(self) -> Readiness:
        """Whether the service would serve now; 503 is an answer here, not an error."""
        response = self.transport.send(Call("GET", "/readyz", also=frozenset({503})))
        return Readiness(response.status_code == 200, read_object(response))

    def get_metrics(self) -> str:
        """The service's measurements in Prometheus' text format."""
        return self.transport.send(Call("GET", "/metrics")).text


def export_path(export_id: str) -> str:
    """The API path of an export's file; what a ticket for it is made for."""
    return path_of("/api/exports", export_id, "file")


def _offset_of(response: requests.Response) -> int:
    offset = response.headers.get("Upload-Offset", "")
    if not offset.isdecimal():
        raise Unexpected(f"HTTP {response.status_code} without an Upload-Offset", response.status_code)
    return int(offset)
