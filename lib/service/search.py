"""Answer searches from the served generation, and say what that generation is."""

from __future__ import annotations

import time

import numpy as np
import structlog
from numpy.typing import NDArray
from sqlalchemy import Connection

from lib.contract.errors import ErrorCode
from lib.contract.golden import GoldenQuestion
from lib.contract.index import IndexReading, SearchHit, SearchRequest, SearchResult
from lib.contract.model import utc_now
from lib.service import golden
from lib.service.config import Config
from lib.service.embedders import ChosenEmbedder, Embedder, EmbedderUnusable, EmbeddingFailed, open_embedder
from lib.service.errors import ServiceError
from lib.service.index.manifest import INDEX_FILE, Manifest
from lib.service.index.reader import IndexReader, IndexUnreadable
from lib.service.storage import embeddings, entries, jobs, reembedding
from lib.service.storage.counters import get_counters
from lib.service.storage.database import Database

log = structlog.get_logger("search")


class Search:
    """The served index, mapped into memory, and the embedder for queries."""

    def __init__(self, database: Database, config: Config) -> None:
        self._database = database
        self._reader = IndexReader(config.index_dir)
        self._embedder = ChosenEmbedder(config)  # opened with the first search: half a second once, instead of at every start
        self._unreadable = False
        self._config = config
        self._former: Embedder | None = None
        self._builders: dict[str, str | None] = {}

    def search_index(self, request: SearchRequest) -> SearchResult:
        """The entries nearest in meaning, best first. Entries removed since the generation was built are left out."""
        began = time.monotonic()
        manifest = self._manifest()
        if manifest is None and self._unreadable:
            action = "Rebuild the index: the vectors it was made from are all there."
            raise ServiceError(ErrorCode.INTERNAL, "The file of the served index cannot be opened.", action=action)
        hits: list[SearchHit] = []
        if manifest is not None:
            vector = self.embed_query(request.text)
            # A few more than asked for: some may have been removed from the table since.
            manifest, found = self._reader.search(vector, request.k + 20)
            hits = self.describe(found)[: request.k]
        seconds = time.monotonic() - began
        return SearchResult(generation=manifest.generation if manifest else None, hits=hits, seconds=seconds, taken_at=utc_now())

    def answer_question(self, question: GoldenQuestion) -> GoldenQuestion:
        """The question with the served generation's answer; without one while there is no index or it cannot be embedded."""
        if self._manifest() is None:
            return question
        try:
            answers = golden.ask_questions(self._database, [question], embedder=self._open_embedder(), find=self._find)
        except (EmbedderUnusable, EmbeddingFailed) as failure:
            log.warning("question_not_embedded", question_id=question.question_id, detail=str(failure))
            return question
        return question.model_copy(update={"answer": answers[0]})

    def embed_query(self, text: str) -> NDArray[np.float32]:
        """The vector of a text, by the embedder in use."""
        try:
            vector: NDArray[np.float32] = self._open_embedder().embed([text])[0]
        except (EmbedderUnusable, EmbeddingFailed) as failure:
            action = "Look at Embedding in Settings; the index itself is as it was."
            raise ServiceError(ErrorCode.INTERNAL, f"The question could not be embedded: {failure}", action=action) from failure
        return vector

    def _find(self, vector: NDArray[np.float32], k: int) -> list[tuple[int, float]]:
        return self._reader.search(vector, k)[1]

    def read_index(self) -> IndexReading:
        """The served generation, and how much of the table it lacks."""
        manifest = self._manifest()
        with self._database.read() as connection:
            revision = manifest.revision if manifest else 0
            current = get_counters(connection)["revision"]
            unindexed = embeddings.count_changes(connection, after=revision) if current > revision else 0
            if manifest is None:
                return IndexReading(unindexed=unindexed, taken_at=utc_now())
            tombstones = len(embeddings.list_removals(connection, after=revision, upto=current)) if current > revision else 0
            built_by = self._built_by(connection, manifest.job_id)
        more = {"built_by": built_by, "tombstones": tombstones, "ids_consistent": self._reader.ids_consistent()}
        return _reading(manifest, unindexed).model_copy(update=more)

    def _built_by(self, connection: Connection, job_id: str) -> str | None:
        """Asked once per generation: it does not change, and this is read every second."""
        if job_id not in self._builders:
            job = jobs.get_job(connection, job_id)
            self._builders = {job_id: job.requested_by if job else None}
        return self._builders[job_id]

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

    def describe(self, found: list[tuple[int, float]]) -> list[SearchHit]:
        """The entries of these hits; ids the table lacks are left out."""
        with self._database.read() as connection:
            known = entries.get_entries(connection, [entry_id for entry_id, _ in found])
        return [
            SearchHit(key=entry.key, text=entry.text, score=round(score, 6), fields=entry.fields)
            for entry_id, score in found
            if (entry := known.get(entry_id))
        ]

    def _open_embedder(self) -> Embedder:
        """The model of the served generation: between a change of the model and its first generation, that is the one before."""
        manifest = self._manifest()
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


def _reading(manifest: Manifest, unindexed: int) -> IndexReading:
    return IndexReading(
        generation=manifest.generation,
        vectors=manifest.vectors,
        dimension=manifest.dimension,
        metric=manifest.metric,
        factory=manifest.factory,
        embedder=manifest.embedder,
        size_bytes=manifest.files[INDEX_FILE].size_bytes,
        sha256=manifest.files[INDEX_FILE].sha256,
        built_at=manifest.built_at,
        build_seconds=manifest.build_seconds,
        built_by_job=manifest.job_id,
        previous_generation=manifest.previous_generation,
        unindexed=unindexed,
        taken_at=utc_now(),
    )
