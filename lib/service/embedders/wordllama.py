"""The offline default: token vectors from the files in the wordllama wheel, summed and scaled to unit norm.

Only the wheel's two data files are used. Its package is never imported: the import takes over the root logger,
and its loader reaches for the network although everything it needs is in the wheel.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from tokenizers import Tokenizer

from lib.contract.states import FailureCause
from lib.service.embedders.protocol import EmbedderUnusable, EmbeddingFailed, Vectors, fingerprint_of
from lib.service.embedders.texts import empty_text, refuse_blank
from lib.service.embedders.unit import to_unit

# The tokenizer's own threads would fight with the other workers for the cores; it reads this at every call.
os.environ["TOKENIZERS_PARALLELISM"] = "false"

_MODEL = "l2_supercat"
_WEIGHTS = Path("weights", "l2_supercat_256.safetensors")
_TOKENIZER = Path("tokenizers", "l2_supercat_tokenizer_config.json")
_TENSOR = "embedding.weight"

#: No batch of the queue is larger, so each is one call.
BATCH_TEXTS = 8192
_BLOCK_TEXTS = 512
_GATHER_TOKENS = 16_384  #: rows of the table copied at once: 16 MiB at 256 components

_KNOWN_TEXT = "Switchyard turns each row of a sheet into a vector."
_KNOWN_START = (-0.03767, -0.01954, -0.03671, 0.05011, -0.08119, -0.05278)
_KNOWN_TOLERANCE = 1e-3


class WordLlamaEmbedder:
    """The sum of a text's token vectors, scaled to unit norm (the same direction as their mean)."""

    def __init__(self, tokenizer: Tokenizer, table: Vectors, *, revision: str) -> None:
        """Take the tokenizer and the table float32 [vocabulary, dimension]; ``revision`` names their bytes."""
        self._tokenizer = tokenizer
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._table = table
        self.dimension = int(table.shape[1])
        self.batch_texts = BATCH_TEXTS
        self.name = f"wordllama-{self.dimension}"
        self.fingerprint = fingerprint_of(
            provider="wordllama", model=_MODEL, revision=revision, dimension=self.dimension, normalisation="l2"
        )

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See ``Embedder.embed``. A text with nothing in it is EmbeddingFailed(EMPTY_TEXT) at its position; no text is too long."""
        refuse_blank(texts)
        sums = np.empty((len(texts), self.dimension), np.float32)
        for start in range(0, len(texts), _BLOCK_TEXTS):
            block = list(texts[start : start + _BLOCK_TEXTS])
            sums[start : start + len(block)] = self._sum_tokens(self._tokenize(block, start))
        return to_unit(sums)

    def _tokenize(self, block: list[str], start: int) -> list[NDArray[np.int64]]:
        try:
            encodings = self._tokenizer.encode_batch_fast(block, add_special_tokens=False)
        except TypeError as error:
            raise _unreadable_text(block, start) from error
        tokens = [np.asarray(encoding.ids, np.int64) for encoding in encodings]
        for position, ids in enumerate(tokens, start):
            if not ids.size:
                raise empty_text(position)
        return tokens

    def _sum_tokens(self, tokens: list[NDArray[np.int64]]) -> Vectors:
        """The sum of each text's token vectors: float32 [n, dimension]. Memory is bounded, however long a text is."""
        lengths = np.fromiter(map(len, tokens), np.int64, len(tokens))
        sums = np.empty((len(tokens), self.dimension), np.float32)
        for position in np.flatnonzero(lengths > _GATHER_TOKENS):
            counts = np.bincount(tokens[position], minlength=len(self._table))
            sums[position] = counts.astype(np.float32) @ self._table
        short = np.flatnonzero(lengths <= _GATHER_TOKENS)
        gathers = np.cumsum(lengths[short]) // _GATHER_TOKENS
        for members in np.split(short, np.flatnonzero(np.diff(gathers)) + 1):
            if members.size:
                starts = np.concatenate(([0], np.cumsum(lengths[members])[:-1]))
                rows = self._table[np.concatenate([tokens[member] for member in members])]
                sums[members] = np.add.reduceat(rows, starts, axis=0)
        return sums


def open_wordllama(folder: Path | None = None) -> WordLlamaEmbedder:
    """Load from ``folder`` (default: the installed wheel) and prove it by a known text; EmbedderUnusable when that fails."""
    home = _installed_folder() if folder is None else folder
    try:
        revision = _digest(home / _WEIGHTS, home / _TOKENIZER)
        embedder = WordLlamaEmbedder(_read_tokenizer(home / _TOKENIZER), _read_table(home / _WEIGHTS), revision=revision)
    except (OSError, SafetensorError, ValueError) as error:
        raise EmbedderUnusable(f"The wordllama files in {home} cannot be read: {error}") from error
    _prove(embedder, home)
    return embedder


def _installed_folder() -> Path:
    spec = importlib.util.find_spec("wordllama")  # finds a top-level package without executing it
    if spec is None or not spec.submodule_search_locations:
        raise EmbedderUnusable("The package wordllama is not installed: its wheel carries the default model.")
    return Path(next(iter(spec.submodule_search_locations)))


def _digest(*paths: Path) -> str:
    digests = []
    for path in paths:
        with path.open("rb") as file:
            digests.append(hashlib.file_digest(file, "sha256").hexdigest())
    return "+".join(digests)


def _read_tokenizer(path: Path) -> Tokenizer:
    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        # The binding raises bare Exception for every kind of bad file.
        raise ValueError(f"{path.name}: {error}") from error


def _read_table(path: Path) -> Vectors:
    with safe_open(str(path), framework="numpy") as file:
        return np.ascontiguousarray(file.get_tensor(_TENSOR), dtype=np.float32)


def _prove(embedder: WordLlamaEmbedder, home: Path) -> None:
    """Refuse weights or a tokenizer that give the known text another vector: silently mixed vectors spoil an index."""
    try:
        start = embedder.embed([_KNOWN_TEXT])[0, : len(_KNOWN_START)]
    except (EmbeddingFailed, IndexError) as error:
        raise EmbedderUnusable(f"The wordllama files in {home} do not fit each other: {error}") from error
    if start.shape != (len(_KNOWN_START),) or not np.allclose(start, _KNOWN_START, rtol=0, atol=_KNOWN_TOLERANCE):
        raise EmbedderUnusable(
            f"The wordllama files in {home} failed the self-test: a known text got {np.round(start, 5).tolist()}, "
            f"not {list(_KNOWN_START)}. Install the wordllama version that requirements.txt names."
        )


def _unreadable_text(block: list[str], start: int) -> EmbeddingFailed:
    """Blame the first text that is not valid Unicode (a lone surrogate); the tokenizer only says that one of the batch is."""
    for position, text in enumerate(block, start):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            return EmbeddingFailed(FailureCause.UNEXPECTED, f"Text {position}: {error}", retryable=False, position=position)
    return EmbeddingFailed(FailureCause.UNEXPECTED, "The tokenizer refused the batch.", retryable=False)
