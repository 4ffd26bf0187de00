"""The sample of a rehearsal: which rows take part, and their vectors before and after. What is missing is embedded aside."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection

from lib.contract.golden import GoldenQuestion
from lib.contract.imports import ImportRequest
from lib.contract.rehearsals import SampleCounts
from lib.service.embedders import Embedder
from lib.service.index.manifest import Ids
from lib.service.index.shadow import KeptVectors, Vectors, file_name, read_kept
from lib.service.operations.reembedding import embed_texts
from lib.service.operations.runner import JobContext
from lib.service.operations.verdicts import SEED
from lib.service.storage import plans, rehearsals

#: Rows read and embedded at once.
BATCH_ROWS = 512
#: At least one of so many rows is one that the change leaves alone: something has to show whether these are still found.
UNTOUCHED_SHARE = 5
#: Of fewer rows no rate is told.
MEASURED_ROWS = 32
#: How much of a text is kept to be shown beside a hit.
SHOWN_CHARACTERS = 400


@dataclass(frozen=True, slots=True)
class SampledRow:
    """One row. ``entry_id`` is null when it is new, ``position`` (its place in the plan) when nothing touches it."""

    entry_id: int | None
    position: int | None
    removed: bool = False


@dataclass(frozen=True)
class Sample:
    """The rows in their order; a row's place is its id in the shadow indexes, before and after alike."""

    rows: list[SampledRow]
    plan_id: str | None
    counts: SampleCounts
    fair: Ids  #: those of the rows in which touched and untouched ones stand as in the whole table
    rows_after: int  #: of the whole table, once the change is made


def draw_sample(connection: Connection, change: ImportRequest | None, limit: int, questions: Sequence[GoldenQuestion]) -> Sample:
    """The rows of golden questions, the rows the change touches, and some it leaves alone: the same ones whenever it is asked."""
    chance = np.random.default_rng(SEED)
    keys = {key for question in questions for key in question.expected_keys}
    everything = rehearsals.list_entry_ids(connection)
    touched = _touched_by(connection, change)
    others = everything[~np.isin(everything, touched.entry_ids)]
    asked = np.isin(others, rehearsals.entry_ids_of(connection, keys))
    wanted = rehearsals.positions_of(connection, change.plan_id, keys) if change else []
    places = _choose(chance, np.isin(touched.positions, wanted), limit - min(len(others), limit // UNTOUCHED_SHARE))
    left_alone = others[_choose(chance, asked, limit - len(places))]
    rows = [SampledRow(int(each), None) for each in left_alone]
    rows += [SampledRow(int(touched.entry_ids[at]) or None, int(touched.positions[at]), removed=bool(touched.removed[at])) for at in places]
    new, removed = int(np.count_nonzero(touched.entry_ids == 0)), int(np.count_nonzero(touched.removed))
    counts = SampleCounts(
        rows=len(rows),
        new=sum(row.entry_id is None for row in rows),
        removed=sum(row.removed for row in rows),
        unchanged=len(left_alone),
        changed=sum(row.entry_id is not None and row.position is not None and not row.removed for row in rows),
        touched=len(touched.positions) if change else len(everything),
        table_rows=len(everything),
    )
    alone = np.arange(len(rows)) < len(left_alone)
    fair = _in_proportion(chance, alone, len(others), len(touched.positions))
    return Sample(rows, change.plan_id if change else None, counts, fair, rows_after=len(everything) + new - removed)


def _in_proportion(chance: np.random.Generator, alone: NDArray[np.bool_], others: int, touched: int) -> Ids:
    """Places in the sample, thinned so that untouched rows (``alone``) and touched ones are as many to each other as all of them are."""
    groups = [(np.flatnonzero(alone), others), (np.flatnonzero(~alone), touched)]
    share = min((len(group) / whole for group, whole in groups if len(group)), default=0.0)
    kept = [chance.choice(group, max(1, round(share * whole)), replace=False) for group, whole in groups if len(group)]
    return np.sort(np.concatenate([np.empty(0, np.int64), *kept]))


def _touched_by(connection: Connection, change: ImportRequest | None) -> rehearsals.Touched:
    plan = plans.get_plan(connection, change.plan_id) if change else None
    if change is None or plan is None:
        nothing = np.empty(0, np.int64)
        return rehearsals.Touched(nothing, nothing, np.empty(0, bool))
    # As applying it would: what is held back and not approved stays.
    approved = not plan.held_removals or change.approve_removals is not None
    return rehearsals.list_touched(connection, plan.plan_id, with_removals=approved)


def _choose(chance: np.random.Generator, always: NDArray[np.bool_], room: int) -> NDArray[np.int64]:
    """``room`` places by chance, in order; first of all those that are ``always`` (bool [n]) wanted, even where there are more of these."""
    sure, rest = np.flatnonzero(always), np.flatnonzero(~always)
    more = chance.choice(rest, min(len(rest), max(0, room - len(sure))), replace=False)
    return np.sort(np.concatenate([sure, more]))


class Maker:
    """Gives texts their vectors: those that production has, else new ones, which are kept in the rehearsal's own folder."""

    def __init__(self, context: JobContext, folder: Path, embedder: Embedder) -> None:
        self._context, self.embedder = context, embedder
        self._kept = KeptVectors(folder, embedder.fingerprint, embedder.dimension)
        self.made: dict[bytes, bytes] = {}
        for earlier in folder.parent.glob(f"*/{file_name(embedder.fingerprint)}"):  # of an attempt that died
            for batch in read_kept(earlier, embedder.dimension):
                self.made |= batch
        self.rows, self.seconds = 0, 0.0

    def vectors_of(self, texts: dict[bytes, str]) -> dict[bytes, bytes]:
        """Content hash → vector; texts the model refuses are left out."""
        with self._context.database.read() as connection:
            known = rehearsals.known_vectors(connection, self.embedder.fingerprint, texts)
        missing = {each: text for each, text in texts.items() if each not in known and each not in self.made}
        if missing:
            began = time.monotonic()
            made = dict(embed(self._context, self.embedder, missing))
            self.rows, self.seconds = self.rows + len(missing), self.seconds + time.monotonic() - began
            self._kept.add(made)
            self.made |= made
        return {each: vector for each in texts if (vector := known.get(each) or self.made.get(each))}

    @property
    def rate(self) -> float | None:
        """Rows a second; unknown while too little was embedded to tell."""
        return self.rows / self.seconds if self.rows >= MEASURED_ROWS and self.seconds > 0 else None


def embed(context: JobContext, embedder: Embedder, texts: dict[bytes, str]) -> list[tuple[bytes, bytes]]:
    """(content hash, vector) of those the model takes."""
    return embed_texts(context, embedder, texts, action="Nothing was changed. Rehearse it again when the cause is mended.")


@dataclass
class Side:
    """The sample with its vectors: as it is, or as it would be."""

    embedder: Embedder
    ids: Ids = field(default_factory=lambda: np.empty(0, np.int64))
    vectors: Vectors = field(default_factory=lambda: np.empty((0, 0), np.float32))
    keys: dict[int, str] = field(default_factory=dict)
    texts: dict[int, str] = field(default_factory=dict)
    refused: int = 0
    spared: int = 0  #: rows that promoting the change need not embed any more

    def shared(self) -> int:
        """Rows whose vector another row has as well."""
        seen = Counter(vector.tobytes() for vector in self.vectors)
        return sum(count for count in seen.values() if count > 1)


def make_side(context: JobContext, sample: Sample, maker: Maker, *, after: bool) -> Side:
    """Every row that is there on this side, with its vector if the model gives it one."""
    side, ids, vectors = Side(maker.embedder), list[int](), list[bytes]()
    phase = f"embedding the sample as it {'would be' if after else 'is'}"
    for start in range(0, len(sample.rows), BATCH_ROWS):
        context.tell(phase, start, len(sample.rows))
        texts = dict(_read_texts(context, sample, start, after=after))
        found = maker.vectors_of({content_hash: text for _, text, content_hash in texts.values()})
        for ident, (key, text, content_hash) in texts.items():
            side.keys[ident], side.texts[ident] = key, text[:SHOWN_CHARACTERS]
            if content_hash in found:
                ids.append(ident)
                vectors.append(found[content_hash])
            else:
                side.refused += 1
            side.spared += content_hash in maker.made and (sample.plan_id is None or sample.rows[ident].position is not None)
    context.tell(phase, len(sample.rows), len(sample.rows))
    side.ids = np.asarray(ids, np.int64)
    side.vectors = np.frombuffer(b"".join(vectors), "<f4").reshape(len(ids), maker.embedder.dimension)
    return side


def _read_texts(context: JobContext, sample: Sample, start: int, *, after: bool) -> Iterator[tuple[int, tuple[str, str, bytes]]]:
    """(id, (key, text, content hash)) of those of the next rows that are there on this side."""
    part = dict(enumerate(sample.rows[start : start + BATCH_ROWS], start))
    planned = {ident: row.position for ident, row in part.items() if after and row.position is not None and not row.removed}
    kept = {ident: row.entry_id for ident, row in part.items() if row.entry_id is not None and not (after and row.position is not None)}
    with context.database.read() as connection:
        entries = rehearsals.texts_of_entries(connection, list(kept.values()))
        rows = rehearsals.texts_of_plan_rows(connection, sample.plan_id, list(planned.values())) if sample.plan_id and planned else {}
    for source, places in ((entries, kept), (rows, planned)):
        for ident, place in places.items():
            if found := source.get(place):  # an entry may have been removed since the sample was drawn
                yield ident, (found.key, found.text, bytes(found.content_hash))
