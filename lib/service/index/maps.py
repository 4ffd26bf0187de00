"""Maps on disk: each in a folder of its own, made aside and renamed when it is whole.

::

    maps/<map_id>/            points.arrow, layout.npz, map.json
    maps/building-<map_id>/   of a job under way, or left over from one that died
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lib.contract.maps import IndexMap
from lib.service.index.durable import sync_folder, write_synced
from lib.service.index.map_layout import Layout

POINTS_FILE, LAYOUT_FILE, MAP_FILE = "points.arrow", "layout.npz", "map.json"
_BUILDING = "building-"


@dataclass(frozen=True)
class Maps:
    """The folder of maps. The newest whole one counts; a job publishes its own once."""

    folder: Path

    def newest(self) -> IndexMap | None:
        """The map that was laid out last; None: there is none."""
        found = [laid_out for path in self._folders() if (laid_out := _read(path))]
        return max(found, key=lambda each: (each.laid_out_at, each.map_id), default=None)

    def made_by(self, map_id: str) -> IndexMap | None:
        """The map of this job, if it has published it."""
        return _read(self.folder / map_id)

    def points_of(self, laid_out: IndexMap) -> Path:
        """The file of a map's points."""
        return self.folder / laid_out.map_id / POINTS_FILE

    def layout_of(self, laid_out: IndexMap | None) -> Layout | None:
        """What a map was placed by; None when it cannot be read: the next map is begun anew then."""
        if laid_out is None:
            return None
        try:
            return Layout.load((self.folder / laid_out.map_id / LAYOUT_FILE).read_bytes())
        except (OSError, ValueError, KeyError, EOFError):
            return None

    def publish(self, laid_out: IndexMap, layout: Layout, points: bytes) -> None:
        """Make it the newest, durably. The one before stays for those who look at it; older ones, and what dead attempts left, go."""
        before = self.newest()
        aside, final = self.folder / f"{_BUILDING}{laid_out.map_id}", self.folder / laid_out.map_id
        for leftover in (aside, final):
            shutil.rmtree(leftover, ignore_errors=True)
        aside.mkdir(parents=True, mode=0o700)
        write_synced(aside / POINTS_FILE, points)
        write_synced(aside / LAYOUT_FILE, layout.dump())
        write_synced(aside / MAP_FILE, laid_out.model_dump_json().encode())
        sync_folder(aside)
        aside.rename(final)
        sync_folder(self.folder)
        for path in self.folder.iterdir():
            if path != final and (before is None or path.name != before.map_id):
                shutil.rmtree(path, ignore_errors=True)

    def _folders(self) -> list[Path]:
        with suppress(FileNotFoundError):
            return [path for path in self.folder.iterdir() if not path.name.startswith(_BUILDING)]
        return []


def _read(folder: Path) -> IndexMap | None:
    try:
        return IndexMap.model_validate_json((folder / MAP_FILE).read_bytes())
    except (OSError, ValueError):
        return None
