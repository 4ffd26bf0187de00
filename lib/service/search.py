"""Answer searches from the served generation, and say what that generation is."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection

from lib.contract.errors import ErrorCode, FieldError
from lib.contract.golden import GoldenAnswer, GoldenQuestion
from lib.contract.index import IndexReading, ProbeRequest, SearchHit, SearchRequest, SearchResult
from lib.contract.model import utc_now
from lib.contract.states import FailureCause
from lib.service import golden
from lib.service.config import Config
from lib.service.embedders import ChosenEmbedder, Embedder, EmbedderUnusable, EmbeddingFailed, open_embedder
from lib.service.errors import ServiceError
from lib.service.index.generations import Generations
from lib.service.index.health import OpenGeneration
from lib.service.index.manifest import Manifest
from lib.service.index.mapped import Hits
from lib.service.index.reader import IndexReader, IndexUnreadable
from lib.service.index.stored import DamagedIndex
from lib.service.storage import drift, embeddings, entries, jobs, reembedding
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database

log = structlog.get_logger("search")

#: How many of the nearest a narrowed search looks through at most.
DEEPEST = 4_000
_AGAIN = "Look at the Index page which generations there are, then search again."
_TO_BLAME_ON_THE_TEXT = (FailureCause.EMPTY_TEXT, FailureCause.TEXT_TOO_LONG)


class Search:
    """The served index, mapped into memory, and the embedder for queries."""

    def __init__(self, database: Database, config: Config) -> None:
        self._database, self._config = database, config
        self._reader, self._generations = IndexReader(config.index_dir), Generations(config.index_dir)
        self._unreadable = False  # said in the log once, and not with every look
        self._embedder = ChosenEmbedder(config)  # opened with the first search: half a second once, instead of at every start
        self._former: Embedder | None = None  # of the model before, while a generation of it is still served
        self._opening = threading.Lock()
        self._previous: OpenGeneration | None = None  # the generation before, once somebody has searched it
        self._builders: dict[str, str | None] = {}  # the job that built the served generation → who asked for it

    def search_index(self, request: ProbeRequest | SearchRequest) -> SearchResult:
        """The entries nearest in meaning, best first. Entries removed since the generation was built are left out."""
        began, probe = time.monotonic(), _as_probe(request)
        manifest, find = self._choose(probe)
        hits: list[SearchHit] = []
        searched = 0
        if manifest is not None:
            vector = self._vector_of(probe, manifest)
            hits, searched = self._narrow(probe, lambda k: find(vector, k), manifest.vectors)
        seconds = time.monotonic() - began
        generation = manifest.generation if manifest else None
        return SearchResult(generation=generation, hits=hits, seconds=seconds, searched=searched, taken_at=utc_now())

    def _choose(self, probe: ProbeRequest) -> tuple[Manifest | None, golden.Find]:
        """The generation to ask, and how."""
        if probe.generation == "previous":
            return self._open_previous()
        manifest = self._manifest()
        if manifest is None and self._unreadable:
            action = "Rebuild the index: the vectors it was made from are all there."
            raise ServiceError(ErrorCode.INTERNAL, "The file of the served index cannot be opened.", action=action)
        return manifest, self._find

    def _open_previous(self) -> tuple[Manifest, golden.Find]:
        manifest = self._generations.previous()
        if manifest is None:
            raise ServiceError(ErrorCode.NOT_FOUND, "There is no generation before the served one.", action="Rebuild the index to get one.")
        with self._opening:
            if self._previous is None or self._previous.manifest != manifest:
                try:
                    self._previous = OpenGeneration(self._generations.folder_of(manifest), manifest)
                except DamagedIndex as gone:  # also when it was swept this moment, because another was published
                    raise ServiceError(ErrorCode.NOT_READY, f"The generation before cannot be searched. {gone}", action=_AGAIN) from gone
            return manifest, self._previous.search

    def _vector_of(self, probe: ProbeRequest, manifest: Manifest) -> NDArray[np.float32]:
        if probe.text is not None:
            return self._embed(probe.text, manifest)
        with self._database.read() as connection:
            entry_id = entries.find_by_key(connection, str(probe.like_key))
            ids = np.asarray([entry_id] if entry_id is not None else [], np.int64)
            found, vectors = embeddings.vectors_of(connection, manifest.fingerprint, ids)
        if not len(found):
            detail = f"No row with the key “{probe.like_key}” has a vector of this model."
            raise ServiceError(ErrorCode.NOT_FOUND, detail, action="Look whether it is in the table, or still waits in the queue.")
        row: NDArray[np.float32] = vectors[0]
        return row

    def _narrow(self, probe: ProbeRequest, find: Callable[[int], Hits], vectors: int) -> tuple[list[SearchHit], int]:
        """Enough of the nearest to fill ``k``; with a filter further and further ones, up to a bound that is told."""
        depth = probe.k + golden.SPARE_HITS
        while True:
            found = find(min(depth, max(1, vectors)))
            hits = [hit for hit in self.describe(found) if hit.key != probe.like_key and _matches(hit, probe.fields)]
            if len(hits) >= probe.k or depth >= vectors or not probe.fields or depth >= DEEPEST:
                return hits[: probe.k], len(found)
            depth = min(DEEPEST, depth * 4)

    def answer_question(self, question: GoldenQuestion) -> tuple[Manifest, GoldenAnswer] | None:
        """The served generation and its answer; None while there is no index, or the question cannot be embedded."""
        manifest = self._manifest()
        if manifest is None:
            return None
        try:
            (answer,) = golden.ask_questions(self._database, [question], embedder=self._open_embedder(manifest), find=self._find)
        except (EmbedderUnusable, EmbeddingFailed) as failure:
            log.warning("question_not_embedded", question_id=question.question_id, detail=str(failure))
            return None
        return manifest, answer

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a text, by the embedder in use."""
        return self._embed(text, self._manifest())

    def _embed(self, text: str, manifest: Manifest | None) -> NDArray[np.float32]:
        try:
            vector: NDArray[np.float32] = self._open_embedder(manifest).embed([text])[0]
        except EmbeddingFailed as failure:
            if failure.cause not in _TO_BLAME_ON_THE_TEXT:
                raise _not_embedded(failure) from failure
            detail = f"This text cannot be searched for: {failure.detail}"
            raise ServiceError(ErrorCode.INVALID, detail, errors=[FieldError(pointer="/body/text", detail=failure.detail)]) from failure
        except EmbedderUnusable as unusable:
            raise _not_embedded(unusable) from unusable
        return vector

    def _find(self, vector: NDArray[np.float32], k: int) -> Hits:
        return self._reader.search(vector, k)[1]

    def read_index(self) -> IndexReading:
        """The served generation, and how much of the table it lacks."""
        manifest = self._manifest()
        with self._database.read() as connection:
            checked = drift.last_check(connection)
            unindexed, tombstones = _count_behind(connection, manifest.revision if manifest else 0)
            built_by = self._built_by(connection, manifest.job_id) if manifest else None
        if manifest is None:
            return IndexReading(unindexed=unindexed, last_check=checked, taken_at=utc_now())
        return IndexReading(
            generation=manifest.generation,
            vectors=manifest.vectors,
            dimension=manifest.dimension,
            metric=manifest.metric,
            factory=manifest.factory,
            embedder=manifest.embedder,
            size_bytes=manifest.index_file.size_bytes,
            sha256=manifest.index_file.sha256,
            built_at=manifest.built_at,
            build_seconds=manifest.build_seconds,
            built_by_job=manifest.job_id,
            built_by=built_by,
            previous_generation=manifest.previous_generation,
            turned_back=self._generations.turned_back_to() == manifest.generation,
            tombstones=tombstones,
            ids_consistent=self._reader.ids_consistent(),
            unindexed=unindexed,
            last_check=checked,
            taken_at=utc_now(),
        )

    def _built_by(self, connection: Connection, job_id: str) -> str | None:
        """Asked once per generation: it does not change, and this is read every second."""
        if job_id not in self._builders:
            job = jobs.get_job(connection, job_id)
            self._builders = {job_id: job.requested_by if job else None}
        return self._builders[job_id]

    def is_turned_back(self) -> bool:
        """Whether people went back to what is served, so that no refresh starts by itself."""
        return self._generations.turned_back_to() is not None

    def served_revision(self) -> int:
        """The table's vector revision up to which everything is searchable; 0 before the first generation."""
        manifest = self._manifest()
        return manifest.revision if manifest else 0

    def _manifest(self) -> Manifest | None:
        """What a search would answer from. None also when its file cannot be opened: then nothing is searchable."""
        try:
            manifest = self._reader.manifest()
        except IndexUnreadable as error:
            if not self._unreadable:
                log.error("index_unreadable", error=str(error))
            self._unreadable = True
            return None
        self._unreadable = False
        return manifest

    def describe(self, found: Hits) -> list[SearchHit]:
        """The entries of these hits; ids the table lacks are left out."""
        with self._database.read() as connection:
            known = entries.get_entries(connection, [entry_id for entry_id, _ in found])
        return [
            SearchHit(key=entry.key, text=entry.text, score=round(score, 6), fields=entry.fields)
            for entry_id, score in found
            if (entry := known.get(entry_id))
        ]

    def _open_embedder(self, manifest: Manifest | None) -> Embedder:
        """The model of that generation: after a change of the model, and until its first generation, that is the one before."""
        with self._database.read() as connection:
            chosen = self._embedder.get(connection)
            if manifest is None or manifest.fingerprint == chosen.fingerprint:
                return chosen
            settings = reembedding.find_model(connection, manifest.fingerprint)
        if settings is None:
            return chosen
        if self._former is None or self._former.fingerprint != manifest.fingerprint:
            self._former = open_embedder(self._config, settings)
        return self._former


def _not_embedded(trouble: Exception) -> ServiceError:
    action = "Look at Embedding in Settings; the index itself is as it was."
    return ServiceError(ErrorCode.NOT_READY, f"The question could not be embedded: {trouble}", action=action)


def _as_probe(request: ProbeRequest | SearchRequest) -> ProbeRequest:
    return request if isinstance(request, ProbeRequest) else ProbeRequest(text=request.text, k=request.k)


def _count_behind(connection: Connection, revision: int) -> tuple[int, int]:
    """(all that a generation of this revision lacks, those of its vectors whose row has left the table). Cheap when it lacks nothing."""
    current = get_counters(connection)["revision"]
    if current <= revision:
        return 0, 0
    tombstones = embeddings.list_removals(connection, after=revision, upto=current) if revision else ()
    return embeddings.count_changes(connection, after=revision), len(tombstones)


def _matches(hit: SearchHit, fields: Mapping[str, str]) -> bool:
    return all(hit.fields.get(name, "") == value for name, value in fields.items())
