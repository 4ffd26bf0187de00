"""What an embedder is, and how it fails."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lib.contract.states import FailureCause

#: Raise it when the text made from an entry's fields changes: vectors made before must not mix with those made after.
TEXT_TEMPLATE_VERSION = 1

Vectors = NDArray[np.float32]


class Embedder(Protocol):
    """Turns texts into vectors. Safe to call from several threads."""

    @property
    def name(self) -> str:
        """For people: the model and its dimension, e.g. ``wordllama-256``."""

    @property
    def fingerprint(self) -> str:
        """Equal for two embedders exactly when their vectors may be mixed."""

    @property
    def dimension(self) -> int:
        """Components of one vector."""

    @property
    def batch_texts(self) -> int:
        """How many texts are worth embedding at once; a failure costs at most so many again."""

    def embed(self, texts: Sequence[str]) -> Vectors:
        """One vector per text, in order: float32 [n, dimension], C-contiguous, finite, unit norm. EmbeddingFailed otherwise."""


class EmbedderUnusable(Exception):
    """The embedder cannot be used at all: unknown, not installed, or other weights than those it was made for."""


class EmbeddingFailed(Exception):
    """No vectors for this batch. ``position`` is the text that is to blame; None when it is nobody's fault in particular,
    or, when ``divisible``, that of some text or other: parts of the batch may do better. ``retry_after_seconds``: what
    the provider asked for.
    """

    def __init__(
        self,
        cause: FailureCause,
        detail: str,
        *,
        retryable: bool,
        position: int | None = None,
        divisible: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        """Keep the parts: the worker decides by all but ``detail``, which people read."""
        super().__init__(detail)
        self.cause = cause
        self.detail = detail
        self.retryable = retryable
        self.position = position
        self.divisible = divisible
        self.retry_after_seconds = retry_after_seconds


def fingerprint_of(*, provider: str, model: str, revision: str, dimension: int, normalisation: str) -> str:
    """Sixteen hexadecimal digits over everything that decides what vector a text gets."""
    parts = {
        "dimension": dimension,
        "model": model,
        "normalisation": normalisation,
        "provider": provider,
        "revision": revision,
        "text_template": TEXT_TEMPLATE_VERSION,
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
