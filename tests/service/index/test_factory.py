"""Which kind of index suits how many vectors."""

from __future__ import annotations

import faiss
import pytest

from lib.service.index.factory import FACTORIES, UnknownFactory, check_factory, choose_factory, factory_of


@pytest.mark.parametrize(
    ("vectors", "factory"), [(0, "IDMap2,Flat"), (200_000, "IDMap2,Flat"), (200_001, "IDMap2,SQ8"), (5_000_000, "IDMap2,SQ8")]
)
def test_the_kind_follows_the_number_of_vectors(vectors, factory):
    assert choose_factory(vectors) == factory


@pytest.mark.parametrize("factory", FACTORIES)
def test_an_index_tells_the_kind_it_was_made_as(factory):
    assert factory_of(faiss.index_factory(8, factory, faiss.METRIC_INNER_PRODUCT)) == factory


@pytest.mark.parametrize("factory", ["IDMap2,IVF4,Flat", "Flat", "IDMap,Flat", ""])
def test_a_kind_that_corrupts_or_is_not_ours_is_refused(factory):
    with pytest.raises(UnknownFactory, match="Known: IDMap2,Flat; IDMap2,SQ8"):
        check_factory(factory)


@pytest.mark.parametrize("factory", ["IDMap2,IVF4,Flat", "Flat", "IDMap,Flat", "HNSW8"])
def test_an_index_of_another_kind_is_not_named_as_ours(factory):
    with pytest.raises(UnknownFactory):
        factory_of(faiss.index_factory(8, factory, faiss.METRIC_INNER_PRODUCT))
