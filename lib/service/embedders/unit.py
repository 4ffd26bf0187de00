"""The check every provider's vectors pass."""

from __future__ import annotations

import numpy as np

from lib.contract.states import FailureCause
from lib.service.embedders.protocol import EmbeddingFailed, Vectors


def to_unit(vectors: Vectors) -> Vectors:
    """Scale each row of float32 [n, d] to norm 1, in place. A zero or non-finite row is EmbeddingFailed(BAD_VECTOR) at its position."""
    norms = np.sqrt(np.einsum("ij,ij->i", vectors, vectors))
    usable = np.isfinite(norms) & (norms > 0)  # FAISS takes NaN without a word and then never finds it
    if not usable.all():
        position = int(np.argmin(usable))
        detail = f"The vector of text {position} has the norm {norms[position]}."
        raise EmbeddingFailed(FailureCause.BAD_VECTOR, detail, retryable=False, position=position)
    vectors /= norms[:, np.newaxis]
    return vectors
