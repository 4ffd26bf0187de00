"""Files nobody should trust, made from a seed: sets and FAISS files that are cut, bent, foreign, lying, or made to do harm."""

from __future__ import annotations

import hashlib
import io
import json
import random
import struct
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faiss
import numpy as np

DIMENSION, ROWS = 8, 24
MEMBERS = ("manifest.json", "ids.npy", "index.faiss")
FINGERPRINT = "f" * 16
EDGES = (0, 1, 2, 255, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**63, 2**64 - 1)


@dataclass(frozen=True)
class Hostile:
    """One upload: its name, its bytes, and what was done to it. ``sound`` ones must be read."""

    name: str
    data: bytes
    how: str
    sound: bool = False


def vectors(count: int = ROWS, dimension: int = DIMENSION) -> np.ndarray:
    made = np.random.default_rng(3).normal(size=(count, dimension)).astype(np.float32)
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def index_of(factory: str, *, metric: int = faiss.METRIC_INNER_PRODUCT, dimension: int = DIMENSION) -> bytes:
    index = faiss.index_factory(dimension, factory, metric)
    data = vectors(ROWS, dimension)
    if not index.is_trained:
        index.train(np.vstack([data] * 20))
    if factory.startswith(("IDMap", "IVF")):
        index.add_with_ids(data, np.arange(1, ROWS + 1, dtype=np.int64))
    else:
        index.add(data)
    return bytes(faiss.serialize_index(index))


def set_of(index: bytes, *, lies: dict[str, Any] | None = None, factory: str = "IDMap2,Flat") -> dict[str, bytes]:
    """The three files of a set that is sound but for ``lies`` in its manifest."""
    ids = np.arange(1, ROWS + 1, dtype=np.int64)
    buffer = io.BytesIO()
    np.save(buffer, ids, allow_pickle=False)
    files = {"ids.npy": buffer.getvalue(), "index.faiss": index}
    manifest = {
        "schema": 1, "generation": 3, "previous_generation": 2, "factory": factory, "metric": "inner_product",
        "dimension": DIMENSION, "vectors": ROWS, "embedder": "fake-8", "fingerprint": FINGERPRINT, "revision": 4,
        "ids_sha256": hashlib.sha256(ids.tobytes()).hexdigest(), "faiss_version": faiss.__version__,
        "built_at": "2026-11-25T20:00:00Z", "build_seconds": 0.1, "job_id": "a" * 32, "table_sha256": "0" * 64,
        "files": {name: {"sha256": hashlib.sha256(data).hexdigest(), "size_bytes": len(data)} for name, data in files.items()},
    }  # fmt: skip
    manifest |= lies or {}
    return {"manifest.json": json.dumps(manifest).encode(), **files}


def tar_of(files: dict[str, bytes]) -> bytes:
    """As a set is handed out."""
    out = bytearray()
    for name in MEMBERS:
        info = tarfile.TarInfo(name)
        info.size, info.mode = len(files[name]), 0o600
        out += info.tobuf(tarfile.GNU_FORMAT) + files[name] + bytes(-len(files[name]) % 512)
    return bytes(out + bytes(1024))


class Corpus:
    """Endless hostile files of one seed."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.good = {kind: index_of(kind) for kind in ("IDMap2,Flat", "IDMap2,SQ8", "IDMap,Flat", "Flat", "IVF4,Flat", "IVF4,SQ8")}
        self.foreign = [
            *(index_of(kind) for kind in ("HNSW8", "PQ4x4", "IDMap2,HNSW8", "IVF4,PQ4x4", "IDMap2,IVF4,SQ8", "PCA4,Flat", "SQfp16")),
            bytes(faiss.serialize_index(faiss.IndexFlat(DIMENSION, faiss.METRIC_L1))),
        ]
        self.on_disk = on_disk_lists(self.good["IVF4,Flat"])
        self.tar = tar_of(set_of(self.good["IDMap2,Flat"]))
        self.makers: tuple[Callable[[], Hostile], ...] = (
            self.bent_file, self.bent_file, self.bent_file, self.bent_set, self.bent_set, self.cut, self.foreign_file, self.bent_foreign,
            self.lying_set, self.odd_archive, self.not_numbers, self.names_another, self.rubbish, self.sound_one, self.wrong_name,
            self.odd_ids, self.nested,
        )  # fmt: skip

    def next(self) -> Hostile:
        return self.chance.choice(self.makers)()

    def bent(self, data: bytes) -> tuple[bytes, str]:
        """The same with a few bits, bytes, sizes or stretches changed."""
        how = self.chance.choice(("bit", "byte", "size", "size", "size", "drop", "double", "swap", "type", "head"))
        out, at = bytearray(data), self.chance.randrange(max(1, len(data) - 8))
        if how == "bit":
            out[at] ^= 1 << self.chance.randrange(8)
        elif how == "byte":
            out[at] = self.chance.randrange(256)
        elif how in ("size", "head"):
            at = self.chance.randrange(min(len(out) - 8, 120 if how == "head" else len(out) - 8))
            out[at : at + 8] = struct.pack("<Q", self.chance.choice(EDGES))
        elif how == "drop":
            del out[at : at + self.chance.randrange(1, 64)]
        elif how == "double":
            out[at:at] = out[at : at + self.chance.randrange(1, 64)]
        elif how == "swap":
            other = self.chance.choice(list(self.good.values()))
            out[at:] = other[at:]
        else:
            out[:4] = self.chance.choice((b"IxM2", b"IxMp", b"IxFI", b"IxF2", b"IxSQ", b"IwFl", b"IwSq", b"ilod", b"IHNf", b"IxPT"))
        return bytes(out), how

    def bent_file(self) -> Hostile:
        kind = self.chance.choice(list(self.good))
        data, how = self.bent(self.good[kind])
        return Hostile("own.faiss", data, f"{kind} {how}")

    def bent_foreign(self) -> Hostile:
        data, how = self.bent(self.chance.choice(self.foreign))
        return Hostile("own.faiss", data, f"foreign {how}")

    def bent_set(self) -> Hostile:
        """The manifest is made to fit what was bent, so that no checksum tells: the walker and the child must."""
        kind = self.chance.choice(("IDMap2,Flat", "IDMap2,SQ8"))
        data, how = self.bent(self.good[kind])
        return Hostile("set.switchyard.tar", tar_of(set_of(data, factory=kind)), f"set of {kind} {how}")

    def cut(self) -> Hostile:
        data = self.chance.choice((self.tar, *self.good.values()))
        name = "set.switchyard.tar" if data is self.tar else "own.faiss"
        return Hostile(name, data[: self.chance.randrange(len(data))], "cut")

    def foreign_file(self) -> Hostile:
        return Hostile("own.faiss", self.chance.choice(self.foreign), "foreign")

    def lying_set(self) -> Hostile:
        lies: dict[str, Any] = self.chance.choice(
            (
                {"dimension": 9}, {"dimension": 2**70}, {"dimension": "8"}, {"vectors": ROWS - 1}, {"vectors": 2**62}, {"vectors": -1},
                {"factory": "IDMap2,SQ8"}, {"metric": "l2"}, {"fingerprint": "0" * 16}, {"ids_sha256": "0" * 64}, {"schema": 2},
                {"files": {}}, {"files": {"../../index.faiss": {"sha256": "", "size_bytes": 1}}}, {"revision": 2**80}, {"extra": 1},
                {"embedder": "fake\0"}, {"factory": "\u202eIDMap2,Flat"}, {"faiss_version": "\x1b[2J"}, {"a\0b": 1}, {"job_id": "../../x"},
                {"generation": 0}, {"previous_generation": -5}, {"build_seconds": float("nan")}, {"vectors": 0}, {"vectors": True},
                {"built_at": "yesterday"}, {"embedder": "x" * 70_000}, {"files": {"index.faiss": {"sha256": "0" * 64, "size_bytes": 1}}},
            )
        )  # fmt: skip
        files = set_of(self.good["IDMap2,Flat"], lies=lies)
        if self.chance.random() < 0.3:
            files["manifest.json"] = self.chance.choice((b"", b"[]", b"{" * 9000, b"\xff\xfe", b"null", files["manifest.json"][:-9]))
        elif self.chance.random() < 0.2:
            files["ids.npy"] = self.chance.choice((b"", b"\x93NUMPY\x01\x00", b"\x80\x04cos\nsystem\n", files["ids.npy"][:-8]))
        return Hostile("set.switchyard.tar", tar_of(files), f"manifest {next(iter(lies))}")

    def odd_ids(self) -> Hostile:
        """Lists of ids that numpy would load, run or turn round, and ids no row has; the manifest fits them."""
        listed = np.arange(1, ROWS + 1, dtype=np.int64)
        tricks: dict[str, Any] = {
            "objects": listed.astype(object), "turned": listed.astype(">i8"), "by column": np.asfortranarray(listed.reshape(2, -1)),
            "floats": listed.astype("<f8"), "fields": np.zeros(ROWS, [("a", "<i8")]), "negative": -listed[::-1],
            "huge": listed + (2**63 - ROWS - 1), "backwards": listed[::-1], "none": listed[:0],
        }  # fmt: skip
        how = self.chance.choice(list(tricks))
        buffer, files = io.BytesIO(), set_of(self.good["IDMap2,Flat"])
        np.save(buffer, tricks[how], allow_pickle=True)
        files["ids.npy"] = buffer.getvalue()
        manifest = json.loads(files["manifest.json"])
        manifest["files"]["ids.npy"] = {"sha256": hashlib.sha256(files["ids.npy"]).hexdigest(), "size_bytes": len(files["ids.npy"])}
        if tricks[how].dtype.kind == "i":
            manifest["ids_sha256"] = hashlib.sha256(tricks[how].tobytes()).hexdigest()
        files["manifest.json"] = json.dumps(manifest).encode()
        return Hostile("set.switchyard.tar", tar_of(files), f"ids {how}")

    def nested(self) -> Hostile:
        """A map of ids over a map of ids, as deep as may be; FAISS goes down with it."""
        whole = self.good["IDMap2,Flat"]
        head, ids, depth = whole[:37], whole[-8 * ROWS - 8 :], self.chance.choice((1, 2, 50, 2000))
        return Hostile("own.faiss", head * depth + whole + ids * depth, f"nested {depth}")

    def odd_archive(self) -> Hostile:
        """What tar can do and a set never does."""
        out, files = io.BytesIO(), set_of(self.good["IDMap2,Flat"])
        tricks = ("path", "absolute", "symlink", "hardlink", "device", "extra", "twice", "order", "gzip", "sparse", "pax", "huge")
        how = self.chance.choice(tricks)
        with tarfile.open(fileobj=out, mode="w:gz" if how == "gzip" else "w", format=tarfile.PAX_FORMAT) as tar:
            for name in reversed(MEMBERS) if how == "order" else MEMBERS:
                for _ in range(2 if how == "twice" else 1):
                    info = tarfile.TarInfo({"path": f"../../{name}", "absolute": f"/tmp/{name}"}.get(how, name))
                    info.size, info.mode = len(files[name]), 0o600
                    if how == "pax":
                        info.pax_headers = {"path": "../../../etc/passwd"}
                    if how in ("symlink", "hardlink", "device"):
                        info.type = {"symlink": tarfile.SYMTYPE, "hardlink": tarfile.LNKTYPE, "device": tarfile.CHRTYPE}[how]
                        info.linkname, info.size = "/etc/passwd", 0
                    tar.addfile(info, io.BytesIO(files[name]) if info.size else None)
            if how == "extra":
                tar.addfile(tarfile.TarInfo("run.pkl"))
        data = bytearray(out.getvalue())
        if how == "huge":
            data[124:136] = b"\x80" + (2**70).to_bytes(11, "big")
        elif how == "sparse":
            data[156:157] = b"S"
        return Hostile("set.switchyard.tar", bytes(data), f"archive {how}")

    def not_numbers(self) -> Hostile:
        data = bytearray(self.good["IDMap2,Flat"])
        at = 4 + 33 + 4 + 33 + 8 + 4 * self.chance.randrange(ROWS * DIMENSION)
        data[at : at + 4] = struct.pack("<f", self.chance.choice((float("nan"), float("inf"), float("-inf"))))
        if self.chance.random() < 0.5:
            return Hostile("own.faiss", bytes(data), "not a number")
        return Hostile("set.switchyard.tar", tar_of(set_of(bytes(data))), "set with not a number")

    def names_another(self) -> Hostile:
        return Hostile("own.faiss", self.on_disk, "names another file")

    def rubbish(self) -> Hostile:
        size = self.chance.choice((0, 1, 3, 4, 100, 5000))
        data = self.chance.choice((self.chance.randbytes(size), bytes(size), b"IxM2" * (size // 4)))
        return Hostile(self.chance.choice(("own.faiss", "set.switchyard.tar")), data, "rubbish")

    def sound_one(self) -> Hostile:
        kind = self.chance.choice(list(self.good))
        return Hostile("own.faiss", self.good[kind], f"sound {kind}", sound=True)

    def wrong_name(self) -> Hostile:
        name = self.chance.choice(("x.pkl", "index.faiss.exe", "../../x", "x.tar", "faiss", "x.faiss/../../y"))
        return Hostile(name, self.good["Flat"], "wrong name")


def on_disk_lists(inverted: bytes) -> bytes:
    """An IVF file whose lists lie in another file, the one a reader of it would open: its name stands inside."""
    at = inverted.index(b"ilar")
    name = b"/etc/passwd"
    lists = b"ilod" + struct.pack("<QQ", 4, DIMENSION * 4) + struct.pack("<Q", 4) + struct.pack("<QQQ", ROWS, ROWS, 0) * 4
    return inverted[:at] + lists + struct.pack("<Q", 0) + struct.pack("<Q", len(name)) + name + struct.pack("<Q", 4096)


def all_files(folder: Path) -> dict[str, str]:
    """Every file below ``folder`` with a hash of what it holds."""
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*") if path.is_file()}
