"""The map: read the served vectors, place them on a plane, and say what is known of each."""

from __future__ import annotations

import hashlib
import math
import re
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from lib.contract.jobs import JobFailure
from lib.contract.maps import FIELD_COLUMN, MAP_POINTS, NEAR_DUPLICATE_COSINE, WORDS_LENGTH, IndexMap, MapRegion, MapRequest
from lib.contract.model import utc_now
from lib.service.index.generations import Generations
from lib.service.index.health import OpenGeneration
from lib.service.index.map_layout import Floats, Ints, Layout, Neighbours, choose_ids, find_neighbours, lay_out, narrow
from lib.service.index.maps import Maps
from lib.service.index.stored import DamagedIndex
from lib.service.operations.runner import JobContext, OperationFailed
from lib.service.storage.maps import stream_rows

#: Fields that become columns of the points; a sheet of a thousand columns would make a map nobody can load.
_FIELDS = 20
_REGION_WORDS = 3
_WORD = re.compile(r"[^\W\d_]{3,}")
_SEARCHABLE = "searchable"

_Rows = dict[int, Any]


def lay_out_map(context: JobContext) -> dict[str, Any]:
    """Lay out what is served now. Done again after a death it makes the same map of the same job."""
    maps = Maps(context.config.maps_dir)
    made = maps.made_by(context.job.job_id) or _make(context, maps)
    return {"points": made.points, "kept": made.kept, "generation": made.generation}


def _make(context: JobContext, maps: Maps) -> IndexMap:
    began, request = time.monotonic(), MapRequest.model_validate(context.job.arguments)
    opened = _open(context)
    ids, vectors = _read_vectors(context, opened)
    rows = _read_rows(context, ids)
    there = np.isin(ids, np.fromiter(rows, np.int64, len(rows)))  # what was removed since has no row to show
    ids, vectors = ids[there], vectors[there]
    if not len(ids):
        raise OperationFailed(JobFailure.NO_INDEX, "No row of the table is in the index: there is nothing to map.", "Import a sheet first.")
    near = find_neighbours(vectors, context.tell)
    newest = maps.newest()
    last = maps.layout_of(newest)
    # A fine map says nothing of where things stand on a coarse one.
    before = last if newest and newest.layout == request.layout and not request.anew else None
    layout = lay_out(ids, vectors, near, before, fine=request.layout == "fine", tell=context.tell, like=last)
    context.tell("naming regions")
    fields = sorted({name for row in rows.values() for name in row.fields})[:_FIELDS]
    points = _pack(_table(layout, near, rows, fields))
    laid_out = IndexMap(
        map_id=context.job.job_id,
        layout=request.layout,
        generation=opened.manifest.generation,
        revision=opened.manifest.revision,
        laid_out_at=utc_now(),
        laid_out_by=context.job.requested_by,
        seconds=round(time.monotonic() - began, 3),
        points=len(ids),
        vectors=opened.manifest.vectors,
        kept=layout.kept,
        fields=fields,
        regions=_regions(layout, rows),
        near_duplicates=int((near.cosines[:, 0] >= NEAR_DUPLICATE_COSINE).sum()),
        points_sha256=hashlib.sha256(points).hexdigest(),
        points_bytes=len(points),
    )
    maps.publish(laid_out, layout, points)
    return laid_out


def _open(context: JobContext) -> OpenGeneration:
    generations = Generations(context.config.index_dir)
    served = generations.current()
    if served is None:
        raise OperationFailed(JobFailure.NO_INDEX, "There is no index yet: there is nothing to map.", "Import a sheet first.")
    try:
        return OpenGeneration(generations.folder_of(served), served)
    except DamagedIndex as damage:
        raise OperationFailed(JobFailure.NO_INDEX, str(damage), "Rebuild the index: its vectors are all there.") from damage


def _read_vectors(context: JobContext, opened: OpenGeneration) -> tuple[Ints, Floats]:
    ids, found = choose_ids(opened.ids, MAP_POINTS), dict[int, NDArray[np.float32]]()
    done = 0
    for batch, vectors in opened.vectors():
        context.tell("reading the vectors", done, len(opened.ids))
        mine = np.isin(batch, ids)
        if mine.any():
            found |= dict(zip(batch[mine].tolist(), narrow(vectors[mine]), strict=True))
        done += len(batch)
    return ids, np.ascontiguousarray([found[ident] for ident in ids.tolist()], np.float32)


def _read_rows(context: JobContext, ids: Ints) -> _Rows:
    context.tell("reading the rows")
    with context.database.read() as connection:
        return {row.entry_id: row for row in stream_rows(connection, ids.tolist())}


def _table(layout: Layout, near: Neighbours, rows: _Rows, fields: Sequence[str]) -> pa.Table:
    mine = [rows[ident] for ident in layout.ids.tolist()]
    nearest = near.rows[:, 0]
    columns: dict[str, Any] = {
        "entry_id": pa.array(layout.ids),
        "key": pa.array([row.key for row in mine]),
        "words": pa.array([" ".join(row.beginning.split())[:WORDS_LENGTH] for row in mine]),
        "x": pa.array(layout.places[:, 0].astype(np.float32)),
        "y": pa.array(layout.places[:, 1].astype(np.float32)),
        "region": pa.array(layout.cells.astype(np.int16)),
        "source": pa.array([row.source_name for row in mine]).dictionary_encode(),
        "state": pa.array([row.item or _SEARCHABLE for row in mine]).dictionary_encode(),
        "changed_at": pa.array([row.updated_at for row in mine], pa.timestamp("ms", tz="UTC")),
        "nearest_key": pa.array([mine[other].key if other >= 0 else None for other in nearest.tolist()], pa.string()),
        "nearest_cosine": pa.array(near.cosines[:, 0], mask=nearest < 0),
    }
    for name in fields:
        values = [None if (value := row.fields.get(name)) is None else str(value) for row in mine]
        columns[FIELD_COLUMN + name] = pa.array(values, pa.string()).dictionary_encode()
    return pa.table(columns)


def _pack(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
        writer.write_table(table)
    packed: bytes = sink.getvalue().to_pybytes()
    return packed


def _regions(layout: Layout, rows: _Rows) -> list[MapRegion]:
    """Largest first."""
    words = [frozenset(_WORD.findall(rows[ident].beginning.casefold())) for ident in layout.ids.tolist()]
    overall = Counter(word for each in words for word in each)
    regions = []
    for cell in np.unique(layout.cells).tolist():
        mine = np.flatnonzero(layout.cells == cell)
        middle = np.median(layout.places[mine], axis=0)
        regions.append(
            MapRegion(
                region=cell,
                words=_telling([words[row] for row in mine.tolist()], overall, len(words)),
                points=len(mine),
                x=round(float(middle[0]), 4),
                y=round(float(middle[1]), 4),
            )
        )
    return sorted(regions, key=lambda region: (-region.points, region.region))


def _telling(mine: Sequence[frozenset[str]], overall: Counter[str], total: int) -> list[str]:
    """The words that are most frequent here and rarest elsewhere; not those of a single row, if there are more."""
    here = Counter(word for each in mine for word in each)
    weights = {}
    for word, count in here.items():
        share, elsewhere = count / len(mine), (overall[word] - count + 0.5) / (total - len(mine) + 1)
        if (count > 1 or len(mine) == 1) and share > elsewhere:
            weights[word] = share * math.log(share / elsewhere)
    return sorted(weights, key=lambda word: (-weights[word], word))[:_REGION_WORDS]
