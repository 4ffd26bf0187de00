"""The registry of embedders, their fingerprint, and the check all vectors pass."""

from __future__ import annotations

import numpy as np
import pytest

from lib.contract.model import utc_now
from lib.contract.settings import SETTINGS
from lib.contract.states import EmbedderKind, FailureCause
from lib.service import embedders
from lib.service.embedders import DEFAULT, ChosenEmbedder, EmbedderUnusable, EmbeddingFailed, known_embedders, open_embedder
from lib.service.embedders.protocol import fingerprint_of
from lib.service.embedders.unit import to_unit
from lib.service.storage.settings import put_setting

FACTS = {"provider": "p", "model": "m", "revision": "r", "dimension": 4, "normalisation": "l2"}


def values(**changed):
    return {name: setting.default for name, setting in SETTINGS.items()} | {f"embedding.{name}": value for name, value in changed.items()}


def test_the_default_embedder_opens_and_says_what_it_is(config):
    embedder = open_embedder(config, values())
    assert (DEFAULT, embedder.name, embedder.dimension) == ("wordllama", "wordllama-256", 256)


def test_an_unknown_embedder_is_refused_with_the_known_names(config):
    assert known_embedders() == sorted(EmbedderKind) == list(SETTINGS["embedding.embedder"].choices[::-1])
    with pytest.raises(EmbedderUnusable, match=r"no embedder called 'gpt'\. Known: openai, wordllama\."):
        open_embedder(config, values(embedder="gpt"))


def test_the_same_model_at_another_address_makes_the_same_vectors_and_another_model_does_not(config):
    here, moved = (open_embedder(config, values(embedder="openai", url=url)) for url in ("http://a/v1", "http://b/v1"))
    other = open_embedder(config, values(embedder="openai", model="bge-m3"))
    assert here.fingerprint == moved.fingerprint != other.fingerprint
    assert (here.name, here.dimension) == ("nomic-embed-text-768", 768)


def test_the_chosen_embedder_is_opened_once_and_anew_when_another_is_chosen(config, database, monkeypatch):
    opened = []
    monkeypatch.setitem(embedders._OPENERS, "openai", lambda _, settings: opened.append(settings["embedding.model"]) or object())
    chosen = ChosenEmbedder(config)
    with database.write() as connection:
        put_setting(connection, "embedding.embedder", "openai", by="ann", now=utc_now())
        assert chosen.get(connection) is chosen.get(connection)
        put_setting(connection, "embedding.model", "bge-m3", by="ann", now=utc_now())
        chosen.get(connection)
    assert opened == ["nomic-embed-text", "bge-m3"]


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
