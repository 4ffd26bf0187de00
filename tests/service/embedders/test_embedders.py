"""The registry of embedders, their fingerprint, and the check all vectors pass."""

from __future__ import annotations

import numpy as np
import pytest

from lib.contract.states import FailureCause
from lib.service.embedders import DEFAULT, EmbedderUnusable, EmbeddingFailed, known_embedders, open_embedder
from lib.service.embedders.protocol import fingerprint_of
from lib.service.embedders.unit import to_unit

FACTS = {"provider": "p", "model": "m", "revision": "r", "dimension": 4, "normalisation": "l2"}


def test_the_default_embedder_opens_and_says_what_it_is():
    embedder = open_embedder()
    assert (DEFAULT, embedder.name, embedder.dimension) == ("wordllama", "wordllama-256", 256)


def test_an_unknown_embedder_is_refused_with_the_known_names():
    assert known_embedders() == ["wordllama"]
    with pytest.raises(EmbedderUnusable, match=r"no embedder called 'gpt'\. Known: wordllama\."):
        open_embedder("gpt")


@pytest.mark.parametrize("change", [{"provider": "q"}, {"model": "n"}, {"revision": "s"}, {"dimension": 5}, {"normalisation": "none"}])
def test_every_fact_is_part_of_the_fingerprint(change):
    assert fingerprint_of(**FACTS) == fingerprint_of(**FACTS)
    assert fingerprint_of(**{**FACTS, **change}) != fingerprint_of(**FACTS)


def test_a_new_text_template_is_a_new_fingerprint(monkeypatch):
    before = fingerprint_of(**FACTS)
    monkeypatch.setattr("lib.service.embedders.protocol.TEXT_TEMPLATE_VERSION", 2)
    assert fingerprint_of(**FACTS) != before


def test_rows_are_scaled_to_unit_norm():
    assert np.allclose(to_unit(np.array([[3, 4], [0, 2]], np.float32)), [[0.6, 0.8], [0, 1]])


@pytest.mark.parametrize("component", [0.0, np.nan, np.inf])
def test_a_zero_or_non_finite_row_is_a_bad_vector_at_its_position(component):
    vectors = np.array([[3, 4], [component, component]], np.float32)
    with pytest.raises(EmbeddingFailed) as caught:
        to_unit(vectors)
    assert (caught.value.cause, caught.value.position) == (FailureCause.BAD_VECTOR, 1)
