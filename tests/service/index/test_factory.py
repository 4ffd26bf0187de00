"""Which kind of index suits how many vectors."""

from __future__ import annotations

import faiss
import pytest

from lib.contract.settings import SETTINGS
from lib.service.index.factory import FACTORIES, Limits, UnknownFactory, check_factory, choose_factory, factory_of, still_suits


@pytest.mark.feature("N2")
@pytest.mark.parametrize(
    ("vectors", "factory"),
    [
        (0, "IDMap2,Flat"),
        (200_000, "IDMap2,Flat"),
        (200_001, "IDMap2,SQ8"),
        (1_500_000, "IDMap2,SQ8"),
        (1_500_001, "IVF4899,SQ8"),
        (4_000_000, "IVF8000,SQ8"),
    ],
)
def test_the_kind_follows_the_number_of_vectors(vectors, factory):
    limits = Limits(exact=int(SETTINGS["index.exact_upto"].default), each=int(SETTINGS["index.lists_above"].default))
    assert limits == Limits()
    assert choose_factory(vectors, limits) == factory


@pytest.mark.parametrize(
    ("vectors", "suits"), [(2_000_000, True), (1_600_000, True), (3_900_000, True), (4_100_000, False), (1_400_000, False)]
)
def test_lists_stay_until_the_vectors_have_doubled_or_the_kind_is_another(vectors, suits):
    assert still_suits(choose_factory(2_000_000, Limits()), vectors, Limits()) is suits


@pytest.mark.parametrize("factory", FACTORIES)
def test_an_index_tells_the_kind_it_was_made_as(factory):
    assert factory_of(faiss.index_factory(8, factory, faiss.METRIC_INNER_PRODUCT)) == factory


@pytest.mark.parametrize("factory", ["IDMap2,IVF4,Flat", "Flat", "IDMap,Flat", ""])
def test_a_kind_that_corrupts_or_is_not_ours_is_refused(factory):
    with pytest.raises(UnknownFactory, match="Known: IDMap2,Flat; IDMap2,SQ8; IVF<lists>,SQ8"):
        check_factory(factory)


@pytest.mark.parametrize("factory", ["IDMap2,IVF4,Flat", "Flat", "IDMap,Flat", "HNSW8"])
def test_an_index_of_another_kind_is_not_named_as_ours(factory):
    with pytest.raises(UnknownFactory):
        factory_of(faiss.index_factory(8, factory, faiss.METRIC_INNER_PRODUCT))
