"""Any endpoint that speaks OpenAI's ``/v1/embeddings``: OpenAI itself, Ollama, text-embeddings-inference, vLLM, LocalAI.

What comes back is believed only after checks: as many vectors as texts, each in its text's place, all of the expected
dimension, finite. How it can fail is a closed list of causes; which text is to blame the endpoint seldom says, so such a
failure is *divisible*: whoever sent the batch halves it until one text stands alone.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import requests

from lib.contract.states import FailureCause
from lib.service.embedders.protocol import EmbedderUnusable, EmbeddingFailed, Vectors, fingerprint_of
from lib.service.embedders.texts import refuse_blank
from lib.service.embedders.unit import to_unit

#: Seconds to connect, seconds without a byte.
TIMEOUT = (5.0, 60.0)
#: Endpoints differ in what they take at once (2,048 at OpenAI, often 32 elsewhere); learnt downwards when one says so.
BATCH_TEXTS = 64
#: An endpoint that asks for more patience than this is asked again all the same.
RETRY_AFTER_MAX_SECONDS = 300.0

_TOO_LONG = re.compile(r"too long|too large|context|tokens|maximum|exceed|longer than", re.IGNORECASE)
_EMPTY = re.compile(r"empty|blank|at least one", re.IGNORECASE)


class OpenAIEmbedder:
    """One model behind one address. The key is known to this object and to the endpoint, and to nothing that is written down."""

    def __init__(
        self, *, url: str, model: str, dimension: int, read_key: Callable[[], str | None], timeout: tuple[float, float] = TIMEOUT
    ) -> None:
        """``url`` with or without ``/embeddings`` at its end. Nothing is asked of the endpoint yet; the key is read for each request,
        so that a new one counts at once.
        """
        if not url or not model:
            raise EmbedderUnusable("The embedding service has no address or no model name: see Settings.")
        self._url = url.rstrip("/") if url.rstrip("/").endswith("/embeddings") else f"{url.rstrip('/')}/embeddings"
        self._model, self._read_key, self._timeout = model, read_key, timeout
        self._session = requests.Session()
        self._session.trust_env = False  # no .netrc, and no proxy nobody has set here, ever sees key or texts
        self.dimension = dimension
        self.batch_texts = BATCH_TEXTS
        self.name = f"{model}-{dimension}"
        # Not the address: the same model somewhere else makes the same vectors.
        self.fingerprint = fingerprint_of(provider="openai", model=model, revision="", dimension=dimension, normalisation="l2")

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See ``Embedder.embed``: one request."""
        refuse_blank(texts)
        key = self._read_key()
        answer = self._ask(texts, key)
        if answer.status_code != 200:
            raise self._refusal(answer, _without(key, _words_of(answer)), len(texts))
        return to_unit(self._read_vectors(answer, len(texts)))

    def _ask(self, texts: Sequence[str], key: str | None) -> requests.Response:
        body = {"model": self._model, "input": list(texts), "encoding_format": "float"}
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        try:
            return self._session.post(self._url, json=body, headers=headers, timeout=self._timeout, allow_redirects=False)
        except (requests.RequestException, UnicodeError) as error:
            detail = f"{type(error).__name__}: {_without(key, str(error))}"
            raise EmbeddingFailed(FailureCause.UNREACHABLE, detail, retryable=True) from None  # the chain would quote the request

    def _refusal(self, answer: requests.Response, words: str, count: int) -> EmbeddingFailed:
        detail, http_code = f"HTTP {answer.status_code}: {words}", answer.status_code
        if http_code in {401, 403}:
            return EmbeddingFailed(FailureCause.BAD_KEY, detail, retryable=False)
        if http_code == 429:
            return EmbeddingFailed(FailureCause.QUOTA, detail, retryable=True, retry_after_seconds=_retry_after(answer))
        if http_code in {400, 413, 422}:
            if count > 1 and "batch" in words.lower():
                self.batch_texts = max(1, min(self.batch_texts, count // 2))
            cause = FailureCause.TEXT_TOO_LONG if _TOO_LONG.search(words) or http_code == 413 else FailureCause.UNEXPECTED
            cause = FailureCause.EMPTY_TEXT if cause is FailureCause.UNEXPECTED and _EMPTY.search(words) else cause
            return EmbeddingFailed(cause, detail, retryable=False, divisible=True)
        if http_code in {404, 405} or 300 <= http_code < 400:
            return EmbeddingFailed(FailureCause.UNKNOWN_MODEL, detail, retryable=False)
        return EmbeddingFailed(FailureCause.UNREACHABLE, detail, retryable=True, retry_after_seconds=_retry_after(answer))

    def _read_vectors(self, answer: requests.Response, count: int) -> Vectors:
        try:
            data: list[dict[str, Any]] = answer.json()["data"]
            places = [int(each.get("index", place)) for place, each in enumerate(data)]
            rows = [np.asarray(each["embedding"], np.float32) for each in data]
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise _bad_answer(f"not a list of embeddings ({type(error).__name__})") from error
        if sorted(places) != list(range(count)):
            raise _bad_answer(f"{len(places)} vectors for {count} texts, numbered {places[:4]}…")
        if wrong := {row.shape for row in rows} - {(self.dimension,)}:
            found = " and ".join(str(shape[0]) if len(shape) == 1 else str(shape) for shape in sorted(wrong))
            detail = f"The vectors of {self._model} have {found} components; the setting says {self.dimension}."
            raise EmbeddingFailed(FailureCause.WRONG_DIMENSION, detail, retryable=False)
        vectors = np.empty((count, self.dimension), np.float32)
        for place, row in zip(places, rows, strict=True):
            vectors[place] = row
        return vectors


def _without(key: str | None, words: str) -> str:
    return words.replace(key, "[key]") if key else words


def _bad_answer(what: str) -> EmbeddingFailed:
    return EmbeddingFailed(FailureCause.BAD_VECTOR, f"The endpoint answered with {what}.", retryable=True)


def _words_of(answer: requests.Response) -> str:
    """What the endpoint says itself, wherever it says it."""
    try:
        body = answer.json()
        error = body.get("error", body)
        words = error if isinstance(error, str) else error.get("message") or str(error)
    except (ValueError, AttributeError):
        words = answer.text
    return " ".join(str(words).split())[:500] or answer.reason


def _retry_after(answer: requests.Response) -> float | None:
    try:
        seconds = float(answer.headers.get("Retry-After", ""))
    except ValueError:
        return None
    return min(RETRY_AFTER_MAX_SECONDS, seconds) if seconds > 0 else None
