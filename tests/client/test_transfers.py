from __future__ import annotations

import base64
import hashlib
import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from lib.client import errors, transfers
from lib.client.api import Client, export_path
from lib.contract.imports import Upload
from tests.client.conftest import Script

UPLOAD = Upload(upload_id="a" * 32, name="packages.csv", size_bytes=10)


class Uploading:
    """A service that takes uploads in memory, and loses what a test tells it to."""

    def __init__(self) -> None:
        self.data = b""
        self.troubles: list[Exception] = []
        self.kept_of_broken = 3
        self.offsets: list[int] = []

    def create_upload(self, name: str, size_bytes: int) -> Upload:
        return Upload(upload_id="a" * 32, name=name, size_bytes=size_bytes)

    def get_upload_offset(self, upload_id: str) -> int:
        assert upload_id == UPLOAD.upload_id
        return len(self.data)

    def put_upload_slice(self, upload_id: str, offset: int, data: bytes) -> int:
        self.offsets.append(offset)
        assert upload_id == UPLOAD.upload_id
        assert offset == len(self.data)
        if self.troubles:
            self.data += data[: self.kept_of_broken]
            raise self.troubles.pop(0)
        self.data += data
        return len(self.data)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "time", SimpleNamespace(sleep=lambda _: None))


@pytest.mark.parametrize("as_file", [True, False])
def test_an_upload_goes_out_in_slices_and_tells_its_progress(as_file: bool) -> None:
    service, told = Uploading(), list[tuple[int, int]]()
    data = b"0123456789"
    file = io.BytesIO(data)
    file.seek(7)
    upload = transfers.upload_in_slices(service, "x.csv", file if as_file else data, 4, lambda done, total: told.append((done, total)))
    assert (service.data, upload.received_bytes) == (data, 10)
    assert told == [(4, 10), (8, 10), (10, 10)]


def test_an_upload_goes_on_where_a_slice_broke() -> None:
    service = Uploading()
    service.troubles = [errors.Unreachable("http://x", "cut"), errors.TimedOut("http://x", 10)]
    transfers.upload_in_slices(service, "x.csv", b"0123456789", 4, None)
    assert service.data == b"0123456789"
    assert service.offsets == [0, 3, 6]


def test_an_upload_that_gets_nowhere_gives_up() -> None:
    service = Uploading()
    service.kept_of_broken = 0
    service.troubles = [errors.Unreachable("http://x", "cut") for _ in range(9)]
    with pytest.raises(errors.Unreachable):
        transfers.upload_in_slices(service, "x.csv", b"0123456789", 4, None)
    assert len(service.offsets) == transfers.UPLOAD_TRIES


def test_an_empty_file_is_announced_and_that_is_all() -> None:
    service = Uploading()
    assert transfers.upload_in_slices(service, "x.csv", b"", 4, None).received_bytes == 0
    assert service.offsets == []


def test_a_whole_upload_over_http_resumes_at_the_offset_the_service_names(client: Client, script: Script) -> None:
    path = f"/api/uploads/{UPLOAD.upload_id}"
    problem = {"title": "Conflict", "status": 409, "code": "wrong_offset", "detail": "The upload stands at 2."}
    script.on("POST", "/api/uploads", 201, UPLOAD.model_dump(mode="json"))
    script.on("PUT", path, 204, headers={"Upload-Offset": "4"})
    script.on("PUT", path, 409, problem, {"Upload-Offset": "2"})
    script.on("HEAD", path, 204, headers={"Upload-Offset": "2", "Upload-Length": "10"})
    script.on("PUT", path, 204, headers={"Upload-Offset": "6"})
    script.on("PUT", path, 204, headers={"Upload-Offset": "10"})
    assert client.upload_file("packages.csv", b"0123456789", 4).received_bytes == 10
    puts = [(int(request.query["offset"]), request.body) for request in script.seen if request.method == "PUT"]
    assert puts == [(0, b"0123"), (4, b"4567"), (2, b"2345"), (6, b"6789")]


def test_an_unknown_upload_is_not_found_though_a_head_has_no_words(client: Client, script: Script) -> None:
    script.on("HEAD", "/api/uploads/u", 404, headers={"Content-Type": "application/problem+json"})
    with pytest.raises(errors.NotFound):
        client.get_upload_offset("u")


def test_an_offset_that_is_missing_is_unexpected(client: Client, script: Script) -> None:
    script.on("HEAD", "/api/uploads/u", 204)
    with pytest.raises(errors.Unexpected, match="Upload-Offset"):
        client.get_upload_offset("u")


def digest_of(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


def test_a_download_arrives_whole(client: Client, script: Script, tmp_path: Path) -> None:
    data = b"key,text\n" * 100_000
    script.on("GET", "/api/exports/e/file", body=data, headers={"Repr-Digest": digest_of(data)})
    path = client.download_export("e", tmp_path / "out.csv")
    assert path.read_bytes() == data
    assert script.seen[0].headers["accept-encoding"] == "identity"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("announced", [digest_of(b"other"), ""])
def test_a_download_with_another_digest_leaves_what_was_there(announced: str, client: Client, script: Script, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("yesterday's")
    script.on("GET", "/api/exports/e/file", body=b"today's", headers={"Repr-Digest": announced} if announced else {})
    with pytest.raises(errors.Unexpected, match="digest"):
        client.download_export("e", path)
    assert path.read_text() == "yesterday's"
    assert list(tmp_path.iterdir()) == [path]


def test_an_expired_export_leaves_no_file(client: Client, script: Script, tmp_path: Path) -> None:
    script.on("GET", "/api/exports/e/file", 410, {"title": "Gone", "status": 410, "code": "expired", "detail": "It was removed by age."})
    with pytest.raises(errors.Expired):
        client.download_export("e", tmp_path / "out.csv")
    assert list(tmp_path.iterdir()) == []


def test_a_snapshot_arrives_whole_and_its_link_is_on_the_site_the_browser_knows(client: Client, script: Script, tmp_path: Path) -> None:
    data = bytes(range(256)) * 4
    script.on("GET", "/api/snapshots/s%2F1/file", body=data, headers={"Repr-Digest": digest_of(data)})
    assert client.download_snapshot("s/1", tmp_path / "set.tar").read_bytes() == data
    assert client.snapshot_link("s/1", "t", "") == "/api/snapshots/s%2F1/file?ticket=t"


def test_a_link_carries_its_ticket_and_the_address_the_browser_knows(client: Client) -> None:
    assert export_path("e/1") == "/api/exports/e%2F1/file"
    assert client.export_link("e", "a+b/c=").startswith(f"{client.connection.base_url}/api/exports/e/file?ticket=a%2Bb%2Fc%3D")
    assert client.export_link("e", "t", "") == "/api/exports/e/file?ticket=t"
