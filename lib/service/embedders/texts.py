"""The check every provider's texts pass before they are sent anywhere."""

from __future__ import annotations

from collections.abc import Sequence

from lib.contract.states import FailureCause
from lib.service.embedders.protocol import EmbeddingFailed


def refuse_blank(texts: Sequence[str]) -> None:
    """EmbeddingFailed(EMPTY_TEXT) at the position of the first text with nothing in it."""
    for position, text in enumerate(texts):
        if not text.strip():
            raise empty_text(position)


def empty_text(position: int) -> EmbeddingFailed:
    """That this text has nothing to embed."""
    return EmbeddingFailed(FailureCause.EMPTY_TEXT, f"Text {position} has nothing to embed.", retryable=False, position=position)
