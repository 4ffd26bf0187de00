"""What was brought in lies here until it has proved harmless: laid out by names of ours, hashed, checked against its manifest.

Names inside a file are compared, never used. An archive is only taken in the one layout in which sets are handed out, so
there is no path, no link, nothing compressed and nothing left over to be careful with.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from pydantic import ValidationError

from lib.contract.faiss_file import Structure, walk_file
from lib.contract.faults import BadFile, Fault
from lib.service.index.bundle import MEMBERS, SUFFIX, tar_header
from lib.service.index.durable import sha256_of
from lib.service.index.manifest import INDEX_FILE, MANIFEST_FILE, Ids
from lib.service.index.saved import IDS_FILE, SavedManifest

FAISS_SUFFIX = ".faiss"
_MANIFEST_BYTES = 1 << 16
_BLOCK_BYTES = 1 << 20
_TAR_BLOCK = tarfile.BLOCKSIZE


@dataclass(frozen=True)
class Staged:
    """What lies in quarantine. ``manifest`` and ``ids`` are those of a set whose files all have their checksums."""

    folder: Path
    sha256: str
    manifest: SavedManifest | None = None

    @property
    def index_path(self) -> Path:
        return self.folder / INDEX_FILE

    def read_ids(self) -> Ids:
        """The ids of a set, sorted."""
        return np.load(self.folder / IDS_FILE, allow_pickle=False)  # type: ignore[no-any-return]


def stage_upload(path: Path, name: str, folder: Path, *, sha256: str | None, limit_bytes: int) -> Staged:
    """Take in an uploaded file; BadFile when it is not what it should be."""
    size = path.stat().st_size
    if size > limit_bytes:
        raise BadFile(Fault.TOO_LARGE, f"It has {size:,} bytes; at most {limit_bytes:,} are taken.")
    ending = next((each for each in (FAISS_SUFFIX, SUFFIX) if name.lower().endswith(each)), None)
    if ending is None:
        raise BadFile(Fault.WRONG_EXTENSION, f"“{name[:80]}” is neither a {FAISS_SUFFIX} file nor a set ({SUFFIX}).")
    _make_empty(folder)
    if ending == FAISS_SUFFIX:
        return _stage_index(path, folder, sha256)
    if sha256 is not None and sha256_of(path) != sha256:
        raise BadFile(Fault.WRONG_CHECKSUM, "Its SHA-256 is not the one that was given: it was changed, or cut, on its way.")
    with path.open("rb") as file:
        _unpack(file, size, folder)
    return check_set(folder)


def stage_copy(source: Path, folder: Path) -> Staged:
    """Take in the set of a snapshot of this service, which is believed no more than any other."""
    _make_empty(folder)
    for name in MEMBERS:
        if not (source / name).is_file() or (source / name).is_symlink():
            raise BadFile(Fault.BAD_ARCHIVE, f"The set has no {name}.")
        _link_or_copy(source / name, folder / name)
    return check_set(folder)


def _stage_index(path: Path, folder: Path, sha256: str | None) -> Staged:
    _link_or_copy(path, folder / INDEX_FILE)
    found = sha256_of(folder / INDEX_FILE)
    if sha256 is not None and found != sha256:
        raise BadFile(Fault.WRONG_CHECKSUM, "Its SHA-256 is not the one that was given: it was changed, or cut, on its way.")
    return Staged(folder, found)


def _unpack(file: BinaryIO, size: int, folder: Path) -> None:
    """Each file after the very header we would have written for it; then zeros to the end, and not one byte more."""
    for name in MEMBERS:
        header = file.read(_TAR_BLOCK)
        length = _length_in(header, name)
        if header != tar_header(name, length):
            raise BadFile(Fault.BAD_ARCHIVE, f"Where {name} should begin, it says “{_name_in(header)}” or describes it in another way.")
        if length > size - file.tell():
            raise BadFile(Fault.BAD_ARCHIVE, f"{name} should have {length:,} bytes; {max(0, size - file.tell()):,} are left.")
        _copy_part(file, folder / name, length)
        _read_zeros(file, -length % _TAR_BLOCK)
    _read_zeros(file, 2 * _TAR_BLOCK)
    if file.read(1):
        raise BadFile(Fault.BAD_ARCHIVE, "Something follows the end of the set.")


def _length_in(header: bytes, name: str) -> int:
    field = header[124:136]
    if len(header) == _TAR_BLOCK and field[0] & 0x80:  # how tar writes what is too long for its octal digits
        return int.from_bytes(field[1:], "big")
    if len(header) != _TAR_BLOCK or not field[:11].isdigit() or set(field[:11]) & set(b"89"):
        raise BadFile(Fault.BAD_ARCHIVE, f"{name} does not begin where it should.")
    return int(field[:11], 8)


def _name_in(header: bytes) -> str:
    return header[:100].split(b"\0")[0].decode("ascii", "replace")[:60]


def _copy_part(file: BinaryIO, target: Path, length: int) -> None:
    with target.open("xb") as writing:
        while length:
            block = file.read(min(_BLOCK_BYTES, length))
            if not block:
                raise BadFile(Fault.BAD_ARCHIVE, f"{target.name} is cut off.")
            writing.write(block)
            length -= len(block)


def _read_zeros(file: BinaryIO, count: int) -> None:
    if file.read(count) != bytes(count):
        raise BadFile(Fault.BAD_ARCHIVE, "Between its files there is something else than nothing.")


def check_set(folder: Path) -> Staged:
    """The set in ``folder`` if its manifest is sound and every file is the one it names. BadFile."""
    manifest = _read_manifest(folder / MANIFEST_FILE)
    found = {name: sha256_of(folder / name) for name in (IDS_FILE, INDEX_FILE)}
    for name, sha256 in found.items():
        facts = manifest.files[name]
        if (folder / name).stat().st_size != facts.size_bytes or sha256 != facts.sha256:
            raise BadFile(Fault.WRONG_CHECKSUM, f"{name} is not the file the manifest names.")
    _check_ids(folder / IDS_FILE, manifest)
    return Staged(folder, found[INDEX_FILE], manifest)


def check_structure(staged: Staged) -> Structure:
    """What the index file holds, walked without FAISS; BadFile when it is not sound, or not what the manifest says."""
    structure, said = walk_file(staged.index_path), staged.manifest
    if said is None:
        return structure
    holds = (structure.dimension, structure.vectors, structure.metric, structure.kind)
    if holds != (said.dimension, said.vectors, said.metric, said.factory):
        told = f"The manifest says {said.vectors:,} × {said.dimension} as {said.factory}"
        words = f"{told}; the file holds {structure.vectors:,} × {structure.dimension} as {structure.kind}."
        raise BadFile(Fault.MANIFEST_DISAGREES, words)
    return structure


def _read_manifest(path: Path) -> SavedManifest:
    with path.open("rb") as file:
        data = file.read(_MANIFEST_BYTES + 1)
    if len(data) > _MANIFEST_BYTES:
        raise BadFile(Fault.BAD_MANIFEST, f"It is larger than {_MANIFEST_BYTES:,} bytes.")
    try:
        manifest = SavedManifest.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = "/".join(map(str, first["loc"])) or "the whole"
        raise BadFile(Fault.BAD_MANIFEST, f"{where[:80]}: {first['msg'][:200]}") from error
    if set(manifest.files) != {IDS_FILE, INDEX_FILE}:
        raise BadFile(Fault.BAD_MANIFEST, f"It names other files than {IDS_FILE} and {INDEX_FILE}.")
    return manifest


def _check_ids(path: Path, manifest: SavedManifest) -> None:
    """One array of 64-bit numbers, as long as announced, in order; its hash is the one announced."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"descr": "<i8", "fortran_order": False, "shape": (manifest.vectors,)})
    header = buffer.getvalue()
    with path.open("rb") as file:
        same = file.read(len(header)) == header
    if not same or path.stat().st_size != len(header) + 8 * manifest.vectors:
        raise BadFile(Fault.MANIFEST_DISAGREES, f"{IDS_FILE} is not a list of {manifest.vectors:,} ids.")
    ids = np.fromfile(path, "<i8", offset=len(header))
    if len(ids) and (ids[0] < 0 or (np.diff(ids) <= 0).any()):
        raise BadFile(Fault.BAD_IDS, "The ids are not in order, come twice, or are negative.")
    if hashlib.sha256(ids.tobytes()).hexdigest() != manifest.ids_sha256:
        raise BadFile(Fault.BAD_IDS, "The ids are not the ones the manifest announces.")


def _make_empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)


def _link_or_copy(source: Path, target: Path) -> None:
    """A second name costs nothing; where the file system has none, a copy."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copyfile(source, target, follow_symlinks=False)
