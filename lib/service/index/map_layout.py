"""Where vectors stand on a plane: near in meaning, near on the map, as far as two dimensions can show it.

Coarse: k-means cells, each a patch on the plane, and within its patch a vector stands by the cell's own two main axes.
Fine: from there, neighbours pull and strangers push for a while, as in UMAP. Both are computed by one thread from fixed
seeds: the same vectors are the same map. A later map keeps the cells, and every vector that is what it was stays where it was.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, replace

import faiss
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
Progress = Callable[[str, int, int | None], None]

_SEED = 20_261_126
#: Longer vectors are first projected at random on so many numbers: distances stay true to a few per cent.
WIDTH = 256
NEIGHBOURS = 15
_EPOCHS = 160
_STRANGERS = 5
#: UMAP's curve for a least distance of 0.1.
_A, _B = 1.577, 0.895
#: A map of which less stays than this is begun anew.
_KEPT_RATIO = 0.5


@dataclass(frozen=True)
class Frame:
    """What a coarse map is drawn by: of k cells the centroids and middles (k, d), places (k, 2), two main axes (k, d, 2), reach (k,)."""

    centroids: Floats
    middles: Floats
    places: Floats
    axes: Floats
    reach: Floats

    def place(self, vectors: Floats) -> tuple[Ints, Floats]:
        """The cell (n,) and the place (n, 2) of each vector (n, d): always the same for the same vector."""
        cells = np.argmax(vectors @ self.centroids.T, axis=1).astype(np.int64)
        places = np.empty((len(vectors), 2), np.float32)
        for cell in np.unique(cells):
            mine = cells == cell
            offsets = (vectors[mine] - self.middles[cell]) @ self.axes[cell]
            places[mine] = self.places[cell] + self.reach[cell] * np.tanh(offsets)
        return cells, places


@dataclass(frozen=True)
class Layout:
    """Points on the plane: their ids (n,), places (n, 2), cells (n,), marks of their vectors (n,), and what they were placed by."""

    ids: Ints
    places: Floats
    cells: Ints
    marks: NDArray[np.uint64]
    frame: Frame
    kept: int = 0  #: how many stand where they stood on the map before

    def dump(self) -> bytes:
        """All of it as the bytes of an ``.npz``."""
        buffer = io.BytesIO()
        frame = {f"frame_{name}": part for name, part in vars(self.frame).items()}
        np.savez(buffer, ids=self.ids, places=self.places, cells=self.cells, marks=self.marks, **frame)
        return buffer.getvalue()

    @classmethod
    def load(cls, data: bytes) -> Layout:
        """What ``dump`` has written; ValueError or KeyError when it is something else."""
        with np.load(io.BytesIO(data), allow_pickle=False) as parts:
            frame = Frame(**{name: parts[f"frame_{name}"] for name in ("centroids", "middles", "places", "axes", "reach")})
            return cls(parts["ids"], parts["places"], parts["cells"], parts["marks"], frame)


@dataclass(frozen=True)
class Neighbours:
    """Of each point the rows (n, k) of its nearest others and their cosines (n, k), best first; −1 where there is none."""

    rows: Ints
    cosines: Floats


def choose_ids(ids: Ints, limit: int) -> Ints:
    """At most ``limit`` of the ids, in ascending order. Chosen by a hash of each: a row that comes or goes displaces one other at most."""
    ids = np.unique(ids)
    if len(ids) <= limit:
        return ids
    hashes = ids.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    hashes ^= hashes >> np.uint64(29)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    return np.sort(ids[np.argsort(hashes, kind="stable")[:limit]])


def narrow(vectors: Floats) -> Floats:
    """(n, d) → (n, at most WIDTH), of length 1 where they have a direction."""
    if vectors.shape[1] > WIDTH:
        projection = np.random.default_rng(_SEED).normal(size=(vectors.shape[1], WIDTH)).astype(np.float32)
        vectors = vectors @ projection
    vectors = np.nan_to_num(vectors, posinf=0, neginf=0).astype(np.float32)
    return np.ascontiguousarray(vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-6))


def find_neighbours(vectors: Floats, tell: Progress) -> Neighbours:
    """The nearest others of each point, looked for among the cells around it: approximate, and ten times cheaper."""
    faiss.omp_set_num_threads(1)
    count, width = vectors.shape
    lists = int(np.clip(np.sqrt(count), 1, 256)) if count > 2_000 else 1
    index = faiss.IndexIVFFlat(faiss.IndexFlatIP(width), width, lists, faiss.METRIC_INNER_PRODUCT)
    index.cp.seed, index.cp.niter, index.cp.min_points_per_centroid, index.nprobe = _SEED, 8, 1, max(1, lists // 12)
    index.train(vectors)
    index.add(vectors)
    rows, cosines = np.full((count, NEIGHBOURS), -1, np.int64), np.full((count, NEIGHBOURS), -1, np.float32)
    for start in range(0, count, 2_048):
        tell("looking for neighbours", start, count)
        scores, found = index.search(vectors[start : start + 2_048], NEIGHBOURS + 1)
        none = (found == np.arange(start, start + len(found))[:, None]) | (found < 0)  # itself, or nobody
        order = np.argsort(none, axis=1, kind="stable")[:, :NEIGHBOURS]
        missing = np.take_along_axis(none, order, axis=1)
        rows[start : start + len(found)] = np.where(missing, -1, np.take_along_axis(found, order, axis=1))
        cosines[start : start + len(found)] = np.where(missing, -1, np.take_along_axis(scores, order, axis=1))
    return Neighbours(rows, cosines)


def lay_out(
    ids: Ints, vectors: Floats, near: Neighbours, before: Layout | None, *, fine: bool, tell: Progress, like: Layout | None = None
) -> Layout:
    """Place the ``ids`` by their ``narrow`` vectors (n, d); what stood on the map ``before`` and is what it was stays there.

    A map begun anew is turned so that what it shares with the map ``like`` lies in the same directions.
    """
    marks = _marks_of(vectors)
    stays, stood = _match(ids, marks, before)
    if before is None or len(stood) < _KEPT_RATIO * len(ids) or before.frame.centroids.shape[1] != vectors.shape[1]:
        tell("finding regions", 0, None)
        frame = _turn(_make_frame(vectors), ids, vectors, like)
        cells, places = frame.place(vectors)
        if fine:
            places = _refine(places, near, tell)
        return Layout(ids, places, cells, marks, frame)
    cells, places = before.frame.place(vectors)
    places[stays] = before.places[stood]
    if fine:
        places = _beside_neighbours(places, near, stays)
    return Layout(ids, places, cells, marks, before.frame, kept=len(stood))


def _marks_of(vectors: Floats) -> NDArray[np.uint64]:
    """A number that tells whether a vector is what it was."""
    factors = np.random.default_rng(_SEED).integers(1, 2**63, vectors.shape[1], dtype=np.uint64) | np.uint64(1)
    marks: NDArray[np.uint64] = (vectors.view(np.uint32).astype(np.uint64) * factors).sum(axis=1, dtype=np.uint64)
    return marks


def _match(ids: Ints, marks: NDArray[np.uint64], before: Layout | None) -> tuple[Ints, Ints]:
    """Rows of now and rows of before that are the same id with the same vector."""
    if before is None:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    _, mine, theirs = np.intersect1d(ids, before.ids, return_indices=True)
    same = marks[mine] == before.marks[theirs]
    return mine[same], theirs[same]


def _turn(frame: Frame, ids: Ints, vectors: Floats, like: Layout | None) -> Frame:
    """The same cells, turned or mirrored as a whole (orthogonal Procrustes) towards where the same ids stand on ``like``."""
    if like is None:
        return frame
    shared, mine, theirs = np.intersect1d(ids, like.ids, return_indices=True)
    if len(shared) < 3:
        return frame
    here, there = frame.place(vectors[mine])[1], like.places[theirs]
    left, _, right = np.linalg.svd((here - here.mean(axis=0)).T @ (there - there.mean(axis=0)))
    return replace(frame, places=(frame.places @ (left @ right)).astype(np.float32))


def _make_frame(vectors: Floats) -> Frame:
    count, width = vectors.shape
    cells = int(np.clip(round(np.sqrt(count) / 2), 1, 40))
    faiss.omp_set_num_threads(1)
    kmeans = faiss.Kmeans(width, cells, niter=12, seed=_SEED, spherical=True, min_points_per_centroid=1, max_points_per_centroid=1_000)
    kmeans.train(vectors)
    centroids = np.ascontiguousarray(kmeans.centroids)
    nearest = np.argmax(vectors @ centroids.T, axis=1)
    sizes = np.bincount(nearest, minlength=cells)
    crowds = [vectors[nearest == cell] for cell in range(cells)]
    # Not the centroid: it is of length 1, and lies outside its crowd.
    middles = np.stack([crowd.mean(axis=0) if len(crowd) else centroid for crowd, centroid in zip(crowds, centroids, strict=True)])
    axes = np.stack([_main_axes(crowd - middle) for crowd, middle in zip(crowds, middles, strict=True)])
    reach = np.sqrt(np.maximum(sizes, 1) / count).astype(np.float32)
    return Frame(centroids, middles, _spread(middles, reach), axes, reach)


def _main_axes(offsets: Floats) -> Floats:
    """(d, 2): the two directions in which these vary most, scaled so that most of them fall within ±1."""
    width = offsets.shape[1]
    axes = np.zeros((width, 2), np.float32)
    if len(offsets) < 2:
        return axes
    _, strengths, directions = np.linalg.svd(offsets[:: max(1, len(offsets) // 2_000)], full_matrices=False)
    for axis in range(min(2, len(strengths), width)):
        direction = directions[axis] * np.sign(directions[axis][np.argmax(np.abs(directions[axis]))])
        spread = np.abs(offsets @ direction).mean()
        axes[:, axis] = direction / max(spread * 2, 1e-6)
    return axes


def _spread(middles: Floats, reach: Floats) -> Floats:
    """(k, 2): by the two main axes of the middles, then drawn together as far as their patches do not overlap."""
    apart = middles - middles.mean(axis=0)
    places: Floats = apart @ _main_axes(apart)
    places = (places + np.random.default_rng(_SEED).normal(scale=1e-3, size=places.shape)).astype(np.float32)
    for _ in range(300):
        apart = places[:, None] - places[None]
        distance = np.maximum(np.linalg.norm(apart, axis=2), 1e-6)
        lacking = np.maximum(0, 1.7 * (reach[:, None] + reach[None]) - distance)
        np.fill_diagonal(lacking, 0)
        pushed = (apart / distance[..., None] * lacking[..., None]).sum(axis=1)
        places = (0.985 * places + 0.25 * pushed).astype(np.float32)
    return places


def _beside_neighbours(places: Floats, near: Neighbours, stays: Ints) -> Floats:
    """On a fine map a new point stands among the nearest that stayed; without any, where the coarse map has it."""
    known = np.zeros(len(places), bool)
    known[stays] = True
    usable = (near.rows >= 0) & known[near.rows]
    chosen = usable & (np.cumsum(usable, axis=1) <= 3)
    moves = chosen.any(axis=1) & ~known
    weights = chosen[moves, :, None].astype(np.float32)
    places = places.copy()
    places[moves] = (places[near.rows[moves]] * weights).sum(axis=1) / weights.sum(axis=1)
    return places


def _refine(places: Floats, near: Neighbours, tell: Progress) -> Floats:
    """Neighbours pull, strangers push; every point moves a little in each round, all at once."""
    count, rng = len(places), np.random.default_rng(_SEED)
    scale = 10 / max(float(np.abs(places).max()), 1e-6)
    places = (places * scale).astype(np.float32)
    ends, there = near.rows, near.rows >= 0
    weights = np.where(there, np.exp((near.cosines - near.cosines[:, :1]) * 8), 0).astype(np.float32)
    for epoch in range(_EPOCHS):
        tell("moving neighbours together", epoch, _EPOCHS)
        step = 1 - epoch / _EPOCHS
        apart = places[:, None] - places[ends]
        distance = np.maximum((apart**2).sum(axis=2), 1e-6)
        pull = -2 * _A * _B * distance ** (_B - 1) / (1 + _A * distance**_B)
        moved = np.clip((pull * weights)[..., None] * apart, -4, 4)
        strangers = rng.integers(0, count, (count, _STRANGERS))
        away = places[:, None] - places[strangers]
        distance = (away**2).sum(axis=2)
        push = 2 * _B / ((0.001 + distance) * (1 + _A * distance**_B))
        pushed = np.clip(push[..., None] * away, -4, 4).sum(axis=1)
        back = np.stack([np.bincount(ends[there], moved[..., axis][there], count) for axis in range(2)], axis=1)
        places = places + (step * (0.1 * (moved.sum(axis=1) - back) + 0.3 * pushed)).astype(np.float32)
    return (places / scale).astype(np.float32)
