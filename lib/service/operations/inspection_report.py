"""What an inspection reports: what would be found, and what no longer, if a candidate were served instead of the present generation.

Only rows whose vector has not changed since the candidate was made can show whether it is sound: the others differ by right.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lib.contract.golden import GoldenDifference, GoldenQuestion
from lib.contract.inspections import InspectedComparison
from lib.contract.states import Verdict
from lib.service import golden
from lib.service.embedders import Embedder
from lib.service.index.manifest import Ids
from lib.service.index.mapped import Hits
from lib.service.index.reader import IndexReader, IndexUnreadable
from lib.service.index.sandbox import Examined, examine
from lib.service.index.saved import SavedManifest
from lib.service.operations.runner import JobContext
from lib.service.operations.verdicts import NEAREST, QUERIES, RECALL_LIMIT, SEED, changed_answers, describe_worse, interval
from lib.service.storage import embeddings
from lib.service.storage import golden as golden_rows
from lib.service.storage.counters import get_counters

Vectors = NDArray[np.float32]
Answers = list[Hits]

#: Unchanged rows whose vector is compared with the table's: all, or as many of them as fit into this; QUERIES of those are searched for.
COMPARED_BYTES = 32 << 20
#: Hits looked at beyond those judged: rows that have changed, or are gone, are passed over.
SPARE_HITS = 60
_SAME_COSINE = 0.99  # what 8 bits a component leave of a vector is above 0.999


@dataclass(frozen=True)
class _Table:
    """Which entries have a vector of the model in use, and since when."""

    ids: Ids
    revisions: NDArray[np.int64]
    revision: int


class Candidate:
    """One candidate before the table; made before the candidate is read, so that it need be read only once.

    ``unchanged`` are the ids of all rows whose vector is as old as the candidate, ``sample`` those compared, int64 [n], and ``stored``
    their vectors in the table, float32 [n, d]. ``queries``, float32 [m, d], are some of these, ``asked`` those of the golden questions.
    """

    def __init__(self, context: JobContext, embedder: Embedder, manifest: SavedManifest | None) -> None:
        self.context, self.embedder = context, embedder
        with context.database.read() as connection:
            ids, revisions = embeddings.list_embedded(connection, embedder.fingerprint)
            self.table = _Table(ids, revisions, get_counters(connection)["revision"])
            # What a manifest says of the future is not of this table.
            known = manifest is not None and manifest.revision <= self.table.revision
            self.revision = manifest.revision if manifest is not None and known else None
            self.unchanged = ids if self.revision is None else ids[revisions <= self.revision]
            chance = np.random.default_rng(SEED)
            most = COMPARED_BYTES // (4 * embedder.dimension)
            sample = np.sort(chance.choice(self.unchanged, min(most, len(self.unchanged)), replace=False))
            self.sample, stored = embeddings.vectors_of(connection, embedder.fingerprint, sample)
            self.questions: list[GoldenQuestion] = golden_rows.list_questions(connection)
        self.stored = stored.reshape(len(self.sample), embedder.dimension)
        picked = np.sort(chance.choice(len(self.sample), min(QUERIES, len(self.sample)), replace=False))
        self.queries = self.stored[picked]
        self.asked = embedder.embed([question.text for question in self.questions]) if self.questions else self.queries[:0]

    def examine(self, path: Path, while_waiting: Callable[[], None]) -> Examined:
        """Read the candidate in its child, and have it answer everything at once."""
        most = max([NEAREST, *(question.k for question in self.questions)]) + SPARE_HITS
        queries = np.vstack([self.queries, self.asked])
        return examine(path, sample=self.sample, queries=queries, k=most, while_waiting=while_waiting)


def compare_candidate(candidate: Candidate, examined: Examined) -> dict[str, Any]:
    """Counts of rows, recall, and the golden questions, as parts of the report; ``verdict`` and ``flags`` say what it comes to."""
    reader = IndexReader(candidate.context.config.index_dir)
    comparison = _compare_rows(candidate, examined, reader)
    changed, worse = _ask_questions(candidate, examined, reader)
    flags = _describe_missing(candidate, examined) + _flags(comparison, worse)
    return {
        "verdict": Verdict.WORSE if flags else Verdict.GOOD,
        "flags": flags,
        "comparison": comparison.model_dump(mode="json"),
        "questions": [each.model_dump(mode="json") for each in changed],
        "questions_asked": len(candidate.questions),
        "trusted_revision": candidate.revision if not comparison.wrong else None,
        "table_revision": candidate.table.revision,
    }


def _compare_rows(candidate: Candidate, examined: Examined, reader: IndexReader) -> InspectedComparison:
    """Which rows are in the table, in the file, or in both; and which part of the nearest the file finds, and what is served."""
    table = candidate.table
    both = np.isin(table.ids, examined.ids)
    unchanged = candidate.unchanged[np.isin(candidate.unchanged, examined.ids)]
    served, served_answers = _ask_served(reader, candidate.queries)
    exact = _exact_nearest(candidate, unchanged)
    recall, served_recall = (_recall(candidate, answers, unchanged, exact) for answers in (examined.answers, served_answers))
    low, mean, high = interval(recall)
    return InspectedComparison(
        served_generation=served,
        table_vectors=len(table.ids),
        in_both=int(np.count_nonzero(both)),
        only_in_file=int(np.count_nonzero(~np.isin(examined.ids, table.ids))),
        only_in_table=int(np.count_nonzero(~both)),
        changed=int(np.count_nonzero(both)) - len(unchanged),
        compared=len(examined.found),
        wrong=_count_wrong(candidate, examined),
        queries=len(recall),
        recall_ratio=mean,
        recall_low_ratio=low,
        recall_high_ratio=high,
        recall_served_ratio=interval(served_recall)[1],
    )


def _describe_missing(candidate: Candidate, examined: Examined) -> list[str]:
    """A generation has every row up to its revision; of a file that does not say which that is nothing can be missed."""
    missing = int(np.count_nonzero(~np.isin(candidate.unchanged, examined.ids)))
    if not missing or candidate.revision is None:
        return []
    return [f"It lacks {missing:,} of the {len(candidate.unchanged):,} unchanged rows that the table had when it was made."]


def _flags(comparison: InspectedComparison, worse: int) -> list[str]:
    flags = []
    if comparison.wrong:
        flags.append(f"{comparison.wrong:,} of {comparison.compared:,} unchanged rows hold another vector than the table's.")
    if comparison.recall_ratio is not None and comparison.recall_ratio < RECALL_LIMIT:
        flags.append(f"It finds {comparison.recall_ratio:.0%} of the rows it should find; {RECALL_LIMIT:.0%} is the least.")
    return flags + describe_worse(worse)


def _count_wrong(candidate: Candidate, examined: Examined) -> int:
    places = np.searchsorted(candidate.sample, examined.found)
    stored, held = candidate.stored[places], examined.sample
    lengths = np.linalg.norm(stored, axis=1) * np.linalg.norm(held, axis=1)
    cosines = np.einsum("ij,ij->i", stored, held) / np.maximum(lengths, 1e-12)
    return int(np.count_nonzero(cosines < _SAME_COSINE))


def _ask_served(reader: IndexReader, queries: Vectors) -> tuple[int | None, Answers]:
    try:
        manifest = reader.manifest()
        answers = [reader.search(query, NEAREST + SPARE_HITS)[1] for query in queries] if manifest else []
    except (IndexUnreadable, ValueError):
        return None, []
    return (manifest.generation if manifest else None), answers


def _exact_nearest(candidate: Candidate, among: Ids) -> Vectors:
    """For each query the scores of its nearest rows ``among`` those, the best first, by comparing with every one."""
    queries = candidate.queries
    best = np.full((len(queries), NEAREST), -np.inf, np.float32)
    if not len(queries) or not len(among):
        return best
    done = 0
    with candidate.context.database.read() as connection:
        upto = candidate.table.revision
        for ids, vectors in embeddings.stream_embeddings(connection, fingerprint=candidate.embedder.fingerprint, upto=upto):
            scores = queries @ vectors[np.isin(ids, among)].T
            best = -np.sort(-np.hstack([best, scores]), axis=1)[:, :NEAREST]
            done += len(ids)
            candidate.context.tell("comparing with the exact answers", done, len(candidate.table.ids))
    return best


def _recall(candidate: Candidate, answers: Answers, among: Ids, exact: Vectors) -> list[float]:
    """For each query, the share of the first rows found that are as near as they should be.

    A query is left out when too many of its hits are rows that have changed: nothing can be said of it.
    """
    known = set(among.tolist())
    kept = [[ident for ident, _ in row if ident in known][:NEAREST] for row in answers[: len(candidate.queries)]]
    wanted = np.unique(np.asarray([ident for row in kept for ident in row], np.int64))
    with candidate.context.database.read() as connection:
        ids, vectors = embeddings.vectors_of(connection, candidate.embedder.fingerprint, wanted)
    ratios = []
    for query, row, scores in zip(candidate.queries, kept, exact, strict=False):
        expected = min(NEAREST, int(np.count_nonzero(np.isfinite(scores))))
        if not expected or len(row) < expected:
            continue
        found = vectors[np.searchsorted(ids, row[:expected])] @ query
        ratios.append(float(np.count_nonzero(found >= scores[expected - 1] - 1e-5)) / expected)
    return ratios


def _ask_questions(candidate: Candidate, examined: Examined, reader: IndexReader) -> tuple[list[GoldenDifference], int]:
    """(the golden questions whose answer would change, how many of them for the worse)."""
    questions, context = candidate.questions, candidate.context
    if not questions:
        return [], 0
    said = {vector.tobytes(): row for vector, row in zip(candidate.asked, examined.answers[len(candidate.queries) :], strict=True)}
    after = golden.ask_questions(
        context.database, questions, embedder=candidate.embedder, find=lambda vector, k: said[vector.tobytes()][:k]
    )
    try:
        before = golden.ask_questions(
            context.database, questions, embedder=candidate.embedder, find=lambda vector, k: reader.search(vector, k)[1]
        )
    except (IndexUnreadable, ValueError):
        before = []
    return changed_answers(*({answer.question_id: answer for answer in answers} for answers in (before, after)))
