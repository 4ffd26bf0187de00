"""``CURRENT``: the file that names the served generation; ``TURNED_BACK``: the one people went back to, for as long as it is that one."""

from __future__ import annotations

from pathlib import Path

from lib.service.index.durable import sync_folder, write_synced
from lib.service.index.manifest import folder_name, generation_of

POINTER_FILE = "CURRENT"
FRESH_POINTER_FILE = "CURRENT.new"
TURNED_BACK_FILE = "TURNED_BACK"

#: Equal for two looks exactly when the pointer was not replaced between them; None: there is no pointer.
PointerMark = tuple[int, int, int] | None


def read_pointer(folder: Path) -> int | None:
    """The generation ``CURRENT`` names; None when the file is missing or holds anything else."""
    return _read_name(folder / POINTER_FILE)


def _read_name(path: Path) -> int | None:
    try:
        return generation_of(path.read_text("ascii").strip())
    except (OSError, UnicodeDecodeError):
        return None


def write_pointer(folder: Path, generation: int) -> None:
    """Repoint ``CURRENT``: whoever reads it, whenever, finds the old name or the new one."""
    write_synced(folder / FRESH_POINTER_FILE, f"{folder_name(generation)}\n".encode())
    (folder / FRESH_POINTER_FILE).replace(folder / POINTER_FILE)
    sync_folder(folder)


def turn_back(folder: Path, generation: int, *, newest: int) -> None:
    """Repoint ``CURRENT`` because people want it so. What is written first means nothing until the pointer names the same."""
    if generation < newest:
        write_synced(folder / TURNED_BACK_FILE, f"{folder_name(generation)}\n".encode())
    else:
        (folder / TURNED_BACK_FILE).unlink(missing_ok=True)
    write_pointer(folder, generation)


def turned_back_to(folder: Path) -> int | None:
    """The generation people went back to, if it is still the one that is served."""
    generation = _read_name(folder / TURNED_BACK_FILE)
    return generation if generation == read_pointer(folder) else None


def mark_pointer(folder: Path) -> PointerMark:
    """One ``stat``: cheap enough for every search."""
    try:
        stat = (folder / POINTER_FILE).stat()
    except OSError:
        return None
    # Every replacement is another file, so the inode alone nearly tells; the time guards against one used again.
    return stat.st_ino, stat.st_mtime_ns, stat.st_size
