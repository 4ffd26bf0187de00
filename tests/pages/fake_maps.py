"""The part of the fake service that lays out the map."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from lib.contract.maps import IndexMap, MapReading, MapRegion, MapRequest, RenewRequest
from tests.pages.canned import JOB_ID, ago, now

#: Three regions of forty rows in a row from left to right; the first two rows of each say the same, the last stands alone.
REGIONS, EACH = 3, 40


def points() -> pa.Table:
    rows = [(region, place) for region in range(REGIONS) for place in range(EACH)]
    keys = [f"KB-{region}{place:02}" for region, place in rows]
    return pa.table(
        {
            "entry_id": pa.array(range(1, len(rows) + 1), pa.int64()),
            "key": keys,
            "words": ["=SUM(A1)" if key == "KB-000" else f"what {key} says" for key in keys],
            "x": pa.array([10.0 * region + place / EACH for region, place in rows], pa.float32()),
            "y": pa.array([place / EACH for _, place in rows], pa.float32()),
            "region": pa.array([region for region, _ in rows], pa.int16()),
            "source": pa.array(["playbook.csv"] * len(rows)).dictionary_encode(),
            "state": pa.array(["searchable"] * len(rows)).dictionary_encode(),
            "changed_at": pa.array([ago(days=place) for _, place in rows], pa.timestamp("ms", tz="UTC")),
            "nearest_key": [f"KB-{region}{1 - place if place < 2 else place - 1:02}" for region, place in rows],
            "nearest_cosine": pa.array([0.99 if place < 2 else 0.5 if place < EACH - 1 else 0.1 for _, place in rows], pa.float32()),
            "field:owner": pa.array(["Maria" if place % 2 else "" for _, place in rows]).dictionary_encode(),
        }
    )


def laid_out(**more: Any) -> IndexMap:
    facts: dict[str, Any] = {
        "map_id": "6" * 32,
        "layout": "coarse",
        "generation": 3,
        "revision": 7,
        "laid_out_at": ago(minutes=6),
        "laid_out_by": "Maria",
        "seconds": 1.4,
        "points": REGIONS * EACH,
        "vectors": REGIONS * EACH,
        "kept": 117,
        "fields": ["owner"],
        "regions": [MapRegion(region=0, words=["log", "in"], points=EACH, x=0.5, y=0.5)]
        + [MapRegion(region=number, words=[], points=EACH, x=10 * number, y=0.5) for number in range(1, REGIONS)],
        "near_duplicates": 2 * REGIONS,
        "points_sha256": "a" * 64,
        "points_bytes": 5_000,
    }
    return IndexMap(**(facts | more))


class FakeMaps:
    """Answers from the canned map."""

    map: IndexMap | None

    def _note(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def _act(self, name: str, *arguments: Any) -> None:
        raise NotImplementedError

    def get_map(self) -> MapReading:
        self._note("get_map")
        return MapReading(latest=self.map, generation=3, taken_at=now())

    def get_map_points(self, map_id: str) -> bytes:
        self._note("get_map_points", map_id)
        table, sink = points(), pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
        return sink.getvalue().to_pybytes()

    def start_map(self, request: MapRequest, idempotency_key: str | None = None) -> str:
        self._act("start_map", request, idempotency_key)
        return JOB_ID

    def start_renewal(self, request: RenewRequest, idempotency_key: str | None = None) -> str:
        self._act("start_renewal", request, idempotency_key)
        return JOB_ID
