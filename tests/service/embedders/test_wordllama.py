"""The offline embedder: order, unit norm, bounded memory, clear errors, no network, no import of the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from lib.contract.states import FailureCause
from lib.service.embedders import EmbedderUnusable, EmbeddingFailed, wordllama
from lib.service.embedders.wordllama import WordLlamaEmbedder, open_wordllama

ROOT = Path(__file__).parents[3]
TEXTS = [
    "a parser for web pages",
    "HTML parsing library",
    "ein Wörterbuch – 日本 😀",
    "lightweight message queue",
    "A parser for web pages!",
]

OFFLINE = """
import logging, sys
def refuse(event, args):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise RuntimeError(f"network: {event} {args}")
sys.addaudithook(refuse)
from lib.service.embedders.wordllama import open_wordllama
assert open_wordllama().embed(["offline"]).shape == (1, 256)
assert not [name for name in sys.modules if name.split(".")[0] == "wordllama"]
assert not logging.getLogger().handlers
"""

STOCK = """
import sys, numpy as np, wordllama
from pathlib import Path
from lib.service.embedders.wordllama import open_wordllama
stock = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
print(float(np.abs(stock.embed(sys.argv[1:], norm=True) - open_wordllama().embed(sys.argv[1:])).max()))
"""


@pytest.fixture(scope="module")
def embedder() -> WordLlamaEmbedder:
    return open_wordllama()


def files_with(folder: Path, table: np.ndarray) -> Path:
    """A folder like the wheel's, with the true tokenizer and another table."""
    home = wordllama._installed_folder()
    for name in ("weights", "tokenizers"):
        (folder / name).mkdir()
    (folder / wordllama._TOKENIZER).symlink_to(home / wordllama._TOKENIZER)
    save_file({"embedding.weight": table}, folder / wordllama._WEIGHTS)
    return folder


@pytest.mark.feature("I6")
def test_vectors_are_float32_contiguous_finite_and_of_unit_norm(embedder):
    vectors = embedder.embed(TEXTS)
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(TEXTS), embedder.dimension) == (5, 256)
    assert vectors.flags.c_contiguous
    assert np.abs(np.linalg.norm(vectors, axis=1) - 1).max() < 1e-5


def test_vectors_come_in_the_order_of_the_texts_over_many_blocks(embedder):
    texts = [f"row {number} about {TEXTS[number % 5]}" for number in range(1300)]
    vectors = embedder.embed(texts)
    for position in (0, 511, 512, 1023, 1024, 1299):
        assert np.allclose(vectors[position], embedder.embed([texts[position]])[0], atol=1e-6)


def test_close_meanings_get_closer_vectors_than_distant_ones(embedder):
    pages, html, _, queue, _ = embedder.embed(TEXTS)
    assert pages @ html > pages @ queue + 0.1


def test_no_texts_give_no_vectors(embedder):
    assert embedder.embed([]).shape == (0, 256)


@pytest.mark.parametrize("blank", ["", " ", "\t\n", "\u00a0\u3000"])
def test_a_blank_text_is_refused_at_its_position(embedder, blank):
    with pytest.raises(EmbeddingFailed) as caught:
        embedder.embed(["good"] * 600 + [blank, "good"])
    assert (caught.value.cause, caught.value.position, caught.value.retryable) == (FailureCause.EMPTY_TEXT, 600, False)


def test_a_text_of_no_tokens_is_refused_as_empty(embedder, monkeypatch):
    monkeypatch.setattr(wordllama, "refuse_blank", lambda _: None)
    with pytest.raises(EmbeddingFailed) as caught:
        embedder.embed(["good"] * 513 + [""])
    assert (caught.value.cause, caught.value.position) == (FailureCause.EMPTY_TEXT, 513)


def test_a_text_that_is_not_unicode_is_refused_alone(embedder):
    with pytest.raises(EmbeddingFailed) as caught:
        embedder.embed(["good"] * 512 + ["fine", "half a pair: \ud800"])
    assert (caught.value.cause, caught.value.position, caught.value.retryable) == (FailureCause.UNEXPECTED, 513, False)


def test_a_very_long_text_is_embedded_like_its_parts_in_bounded_memory(embedder, monkeypatch):
    texts = ["short one", "many words of one long text " * 300, "short two", "another long text " * 200]
    whole = embedder.embed(texts)
    monkeypatch.setattr(wordllama, "_GATHER_TOKENS", 500)
    assert np.allclose(embedder.embed(texts), whole, atol=1e-5)


def test_a_zero_sum_is_a_bad_vector_and_never_nan(embedder):
    empty = WordLlamaEmbedder(embedder._tokenizer, np.zeros_like(embedder._table), revision="zeros")
    with pytest.raises(EmbeddingFailed) as caught:
        empty.embed(["something"])
    assert (caught.value.cause, caught.value.position) == (FailureCause.BAD_VECTOR, 0)


def test_the_fingerprint_is_stable_and_follows_the_weights(embedder):
    other = WordLlamaEmbedder(embedder._tokenizer, embedder._table, revision="other weights")
    assert embedder.fingerprint == open_wordllama().fingerprint
    assert embedder.name == "wordllama-256"
    assert len(embedder.fingerprint) == 16
    assert other.fingerprint != embedder.fingerprint


def test_other_weights_fail_the_self_test(tmp_path, embedder):
    scrambled = np.ascontiguousarray(embedder._table[::-1]).astype(np.float16)
    with pytest.raises(EmbedderUnusable, match="self-test"):
        open_wordllama(files_with(tmp_path, scrambled))


def test_a_table_too_small_for_the_tokenizer_is_refused(tmp_path, embedder):
    with pytest.raises(EmbedderUnusable, match="do not fit each other"):
        open_wordllama(files_with(tmp_path, embedder._table[:300].astype(np.float16)))


def test_missing_or_broken_files_are_refused_in_words(tmp_path):
    with pytest.raises(EmbedderUnusable, match="cannot be read"):
        open_wordllama(tmp_path)
    (tmp_path / "weights").mkdir()
    (tmp_path / "tokenizers").mkdir()
    (tmp_path / wordllama._WEIGHTS).write_bytes(b"junk")
    (tmp_path / wordllama._TOKENIZER).write_text("{}")
    with pytest.raises(EmbedderUnusable, match="cannot be read"):
        open_wordllama(tmp_path)


def test_an_uninstalled_wheel_is_named(monkeypatch):
    monkeypatch.setattr(wordllama.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(EmbedderUnusable, match="not installed"):
        open_wordllama()


def test_loading_and_embedding_need_no_network_and_never_import_the_package():
    run = subprocess.run([sys.executable, "-W", "error", "-c", OFFLINE], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_vectors_equal_those_of_the_packages_own_inference():
    run = subprocess.run([sys.executable, "-c", STOCK, *TEXTS], cwd=ROOT, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    assert float(run.stdout) < 1e-6
