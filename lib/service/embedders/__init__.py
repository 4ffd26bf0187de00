"""Text to vectors.

protocol    what an embedder is, and how it fails
texts       the check every provider's texts pass: something to embed
unit        the check every provider's vectors pass: finite, unit norm
wordllama   the offline default
openai      any endpoint that speaks OpenAI's /v1/embeddings
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from functools import partial

from sqlalchemy import Connection

from lib.contract.settings import SettingValue
from lib.contract.states import CredentialKind
from lib.service.config import Config
from lib.service.embedders.protocol import Embedder, EmbedderUnusable, EmbeddingFailed
from lib.service.secret_files import read_secret
from lib.service.storage.database import Database
from lib.service.storage.settings import get_embedder_settings

__all__ = [
    "DEFAULT",
    "ChosenEmbedder",
    "Embedder",
    "EmbedderUnusable",
    "EmbeddingFailed",
    "current_embedder",
    "known_embedders",
    "open_embedder",
]

DEFAULT = "wordllama"

Values = Mapping[str, SettingValue]


def _open_wordllama(_config: Config, _settings: Values) -> Embedder:
    # Imported when first asked for: a process that embeds over HTTP need not carry the tokenizer.
    from lib.service.embedders.wordllama import open_wordllama

    return open_wordllama()


def _open_openai(config: Config, settings: Values) -> Embedder:
    from lib.service.embedders.openai import OpenAIEmbedder

    return OpenAIEmbedder(
        url=str(settings["embedding.url"]),
        model=str(settings["embedding.model"]),
        dimension=int(settings["embedding.dimension"]),
        read_key=partial(read_secret, config, CredentialKind.EMBEDDINGS),
    )


_OPENERS: dict[str, Callable[[Config, Values], Embedder]] = {"wordllama": _open_wordllama, "openai": _open_openai}


def known_embedders() -> list[str]:
    """What ``embedding.embedder`` may be, in alphabetical order."""
    return sorted(_OPENERS)


def open_embedder(config: Config, settings: Values) -> Embedder:
    """Load the embedder these settings choose; EmbedderUnusable when there is none, or when it fails its self-test."""
    name = str(settings["embedding.embedder"])
    opener = _OPENERS.get(name)
    if opener is None:
        raise EmbedderUnusable(f"There is no embedder called {name!r}. Known: {', '.join(known_embedders())}.")
    return opener(config, settings)


def current_embedder(database: Database, config: Config) -> Embedder:
    """The embedder the settings choose at this moment."""
    with database.read() as connection:
        settings = get_embedder_settings(connection)
    return open_embedder(config, settings)


class ChosenEmbedder:
    """The embedder the settings choose, kept open, and another one as soon as they choose that."""

    def __init__(self, config: Config) -> None:
        self._config = config
        self._opening = threading.Lock()
        self._open: tuple[dict[str, SettingValue], Embedder] | None = None

    def get(self, connection: Connection) -> Embedder:
        """The one chosen at this moment; EmbedderUnusable when it cannot be opened."""
        settings = get_embedder_settings(connection)
        with self._opening:  # opening takes half a second, and is done once
            if self._open is None or self._open[0] != settings:
                self._open = settings, open_embedder(self._config, settings)
            return self._open[1]
