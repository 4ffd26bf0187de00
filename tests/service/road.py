"""The main flow over HTTP, one short word for each of its steps."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import httpx2
from starlette.testclient import TestClient

from tests.service.works import Works

MAPPING = {"key": "key", "text": ["text"], "fields": ["owner"]}


def csv_of(*rows: Iterable[str], header: Iterable[str] = ("key", "text", "owner")) -> str:
    """A CSV file of these rows, as a careful program writes it."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([header, *rows])
    return file.getvalue()


def sheet(*numbers: int, text: str = "advice {}", owner: str = "ann") -> str:
    """Rows with the keys k<number>."""
    return csv_of(*((f"k{number}", text.format(number), owner) for number in numbers))


class Road:
    """Walks from an upload to a download; ``works`` stands in for the workers."""

    def __init__(self, api: TestClient, works: Works) -> None:
        self.api, self.works = api, works

    def get(self, path: str, **query: Any) -> Any:
        answer = self.api.get(path, params=query)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self, content: str | bytes, name: str = "sheet.csv") -> str:
        data = content.encode() if isinstance(content, str) else content
        announced = self.api.post("/api/uploads", json={"name": name, "size_bytes": len(data)})
        assert announced.status_code == 201, announced.text
        upload_id: str = announced.json()["upload_id"]
        if data:
            sent = self.api.put(f"/api/uploads/{upload_id}", params={"offset": 0}, content=data)
            assert sent.status_code == 204, sent.text
        return upload_id

    def start_preview(self, content: str | bytes, mapping: dict[str, Any] = MAPPING, mode: str = "merge") -> str:
        source = {"kind": "file", "upload_id": self.upload(content), "sheet": None}
        body = {"source": source, "mapping": mapping, "mode": mode}
        answer = self.api.post("/api/operations/import/preview", json=body)
        assert answer.status_code == 202, answer.text
        plan_id: str = answer.json()["plan_id"]
        assert answer.headers["Location"] == f"/api/plans/{plan_id}"
        return plan_id

    def preview(self, content: str | bytes, mapping: dict[str, Any] = MAPPING, mode: str = "merge") -> dict[str, Any]:
        """The finished plan."""
        plan_id = self.start_preview(content, mapping, mode)
        self.works.perform_all()
        return self.plan(plan_id)

    def plan(self, plan_id: str, **query: Any) -> dict[str, Any]:
        plan: dict[str, Any] = self.get(f"/api/plans/{plan_id}", **query)
        return plan

    def tick(self, plan_id: str, *, ticked: bool = False, **which: Any) -> httpx2.Response:
        """Tick or untick rows of a plan; all of them unless ``positions`` or ``matching`` say which."""
        return self.api.put(
            f"/api/plans/{plan_id}/ticks", json={"ticked": ticked, **({} if "positions" in which else {"matching": {}}), **which}
        )

    def post_import(self, plan_id: str, *, key: str | None = None, **choices: Any) -> httpx2.Response:
        headers = {"Idempotency-Key": key} if key else {}
        return self.api.post("/api/operations/import", json={"plan_id": plan_id, **choices}, headers=headers)

    def apply(self, plan_id: str, **choices: Any) -> dict[str, Any]:
        """The ended import."""
        answer = self.post_import(plan_id, **choices)
        assert answer.status_code == 202, answer.text
        self.works.perform_all()
        return self.job(answer.json()["job_id"])

    def import_sheet(self, content: str | bytes, mapping: dict[str, Any] = MAPPING, mode: str = "merge", **choices: Any) -> dict[str, Any]:
        """Preview and apply; the ended import."""
        plan = self.preview(content, mapping, mode)
        assert plan["state"] == "ready", plan["error"]
        job = self.apply(plan["plan_id"], **choices)
        assert job["state"] == "succeeded", job["error"]
        return job

    def start(self, operation: str, **body: Any) -> httpx2.Response:
        return self.api.post(f"/api/operations/{operation}", json=body)

    def run(self, operation: str, **body: Any) -> dict[str, Any]:
        """Start it, perform it; the ended job."""
        answer = self.start(operation, **body)
        assert answer.status_code == 202, answer.text
        self.works.perform_all()
        return self.job(answer.json()["job_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        job: dict[str, Any] = self.get(f"/api/jobs/{job_id}")
        return job

    def embed(self) -> list[str]:
        """The texts that were embedded."""
        return self.works.embed()

    def fill(self, content: str | bytes, **choices: Any) -> None:
        """From a sheet to a searchable index."""
        self.import_sheet(content, **choices)
        self.embed()
        assert self.run("refresh")["state"] == "succeeded"

    def export(self, **body: Any) -> tuple[dict[str, Any], bytes]:
        """The export's job and the file."""
        job = self.run("export", **body)
        assert job["state"] == "succeeded", job["error"]
        return job, self.api.get(f"/api/exports/{job['result']['export_id']}/file").content

    def gate(self, operation: str) -> dict[str, Any]:
        """What GET /api/operations says of it."""
        readings = self.get("/api/operations")["operations"]
        gate: dict[str, Any] = next(reading["gate"] for reading in readings if reading["operation"] == operation)
        return gate

    def queue(self) -> dict[str, Any]:
        queue: dict[str, Any] = self.get("/api/queue")
        return queue

    def keys(self) -> dict[str, str]:
        """Key → text of the whole table (up to 200 entries)."""
        return {entry["key"]: entry["text"] for entry in self.get("/api/entries", limit=200)["items"]}
