"""Text to vectors.

protocol    what an embedder is, and how it fails
unit        the check every provider's vectors pass: finite, unit norm
wordllama   the offline default
"""

from __future__ import annotations

from collections.abc import Callable

from lib.service.embedders.protocol import Embedder, EmbedderUnusable, EmbeddingFailed

__all__ = ["DEFAULT", "Embedder", "EmbedderUnusable", "EmbeddingFailed", "known_embedders", "open_embedder"]

DEFAULT = "wordllama"


def _open_wordllama() -> Embedder:
    # Imported when first asked for: a process that embeds over HTTP need not carry the tokenizer.
    from lib.service.embedders.wordllama import open_wordllama

    return open_wordllama()


_OPENERS: dict[str, Callable[[], Embedder]] = {"wordllama": _open_wordllama}


def known_embedders() -> list[str]:
    """The names ``open_embedder`` takes, in alphabetical order."""
    return sorted(_OPENERS)


def open_embedder(name: str = DEFAULT) -> Embedder:
    """Load the embedder called ``name``; EmbedderUnusable when there is none, or when it fails its self-test."""
    opener = _OPENERS.get(name)
    if opener is None:
        raise EmbedderUnusable(f"There is no embedder called {name!r}. Known: {', '.join(known_embedders())}.")
    return opener()
