"""The map's layout: the same vectors are the same map, what stays stays, and what is near is near."""

from __future__ import annotations

import numpy as np
import pytest

from lib.service.index.map_layout import WIDTH, Layout, choose_ids, find_neighbours, lay_out, narrow

GROUPS, EACH, WIDE = 12, 40, 48
IDS = np.arange(1, GROUPS * EACH + 1, dtype=np.int64)


def tell(phase: str, done: int, total: int | None) -> None:
    assert phase
    assert total is None or 0 <= done <= total


@pytest.fixture(scope="module")
def vectors() -> np.ndarray:
    """Twelve crowds of forty."""
    rng = np.random.default_rng(7)
    middles = rng.normal(size=(GROUPS, WIDE))
    return narrow((np.repeat(middles, EACH, axis=0) + rng.normal(scale=0.35, size=(GROUPS * EACH, WIDE))).astype(np.float32))


def place(vectors: np.ndarray, before: Layout | None = None, *, fine: bool, ids: np.ndarray = IDS) -> Layout:
    return lay_out(ids, vectors, find_neighbours(vectors, tell), before, fine=fine, tell=tell)


@pytest.mark.feature("M5")
@pytest.mark.parametrize("fine", [False, True])
def test_the_same_vectors_are_the_same_map_byte_for_byte(vectors: np.ndarray, fine: bool) -> None:
    assert place(vectors, fine=fine).dump() == place(vectors, fine=fine).dump()


@pytest.mark.feature("M5")
@pytest.mark.parametrize("fine", [False, True])
def test_rows_that_did_not_change_stand_where_they_stood_and_a_new_one_joins_its_like(vectors: np.ndarray, fine: bool) -> None:
    before = place(vectors, fine=fine)
    changed = vectors.copy()
    changed[0] = vectors[5 * EACH + 3]  # the first row now says what one of the sixth crowd says
    after = place(changed, before, fine=fine)
    assert after.kept == len(IDS) - 1
    np.testing.assert_array_equal(after.places[1:], before.places[1:])
    crowd = before.places[5 * EACH : 6 * EACH]
    away = np.linalg.norm(before.places - crowd.mean(axis=0), axis=1).mean()
    assert np.linalg.norm(after.places[0] - crowd.mean(axis=0)) < away / 2


@pytest.mark.parametrize("fine", [False, True])
def test_what_is_near_in_meaning_is_near_on_the_map(vectors: np.ndarray, fine: bool) -> None:
    places = place(vectors, fine=fine).places
    crowd = np.repeat(np.arange(GROUPS), EACH)
    distances = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distances, np.inf)
    nearest = np.argsort(distances, axis=1)[:, :10]
    assert (crowd[nearest] == crowd[:, None]).mean() > 0.8
    assert np.isfinite(places).all()


def test_a_map_of_other_vectors_is_begun_anew(vectors: np.ndarray) -> None:
    before = place(vectors, fine=False)
    others = narrow(np.random.default_rng(9).normal(size=vectors.shape).astype(np.float32))
    assert place(others, before, fine=False).kept == 0


@pytest.mark.feature("M5")
@pytest.mark.parametrize("fine", [False, True])
def test_a_map_begun_anew_lies_in_the_directions_of_the_one_before(vectors: np.ndarray, fine: bool) -> None:
    first = place(vectors, fine=False)
    turned = Layout(first.ids, first.places @ np.asarray([[0, 1], [-1, 0]], np.float32), first.cells, first.marks, first.frame)
    near = find_neighbours(vectors, tell)
    again = lay_out(IDS, vectors, near, None, fine=fine, tell=tell, like=turned)
    here, there = again.places - again.places.mean(axis=0), turned.places - turned.places.mean(axis=0)
    assert (here * there).sum() > 0.7 * np.linalg.norm(here) * np.linalg.norm(there)
    assert again.kept == 0


def test_a_layout_survives_being_written_down(vectors: np.ndarray) -> None:
    before = place(vectors, fine=False)
    assert place(vectors, Layout.load(before.dump()), fine=False).kept == len(IDS)
    with pytest.raises((ValueError, KeyError)):
        Layout.load(b"no layout")


@pytest.mark.parametrize("count", [1, 2, 3, 5])
@pytest.mark.parametrize("fine", [False, True])
def test_a_handful_of_rows_has_a_map_too(vectors: np.ndarray, count: int, fine: bool) -> None:
    some = place(vectors[:count], fine=fine, ids=IDS[:count])
    assert some.places.shape == (count, 2)
    assert np.isfinite(some.places).all()


def test_the_neighbours_are_the_true_ones_where_there_are_few_and_never_the_row_itself(vectors: np.ndarray) -> None:
    near = find_neighbours(vectors, tell)
    true = vectors @ vectors.T
    np.fill_diagonal(true, -np.inf)
    np.testing.assert_array_equal(near.rows[:, 0], true.argmax(axis=1))
    assert not (near.rows == np.arange(len(vectors))[:, None]).any()


def test_a_sample_hardly_changes_when_rows_come_and_go() -> None:
    ids = np.arange(1, 10_001, dtype=np.int64)
    chosen = choose_ids(ids, 1_000)
    assert len(chosen) == 1_000
    again = choose_ids(np.concatenate([ids[ids != chosen[0]], [20_000, 20_001]]), 1_000)
    assert len(np.intersect1d(chosen, again)) >= 997
    assert choose_ids(np.asarray([3, 1, 3, 2]), 10).tolist() == [1, 2, 3]


def test_wide_vectors_are_narrowed_and_stay_as_near_as_they_were() -> None:
    rng = np.random.default_rng(3)
    wide = rng.normal(size=(50, 1_536)).astype(np.float32)
    wide[1] = wide[0] + rng.normal(scale=0.1, size=1_536)
    narrowed = narrow(wide)
    assert narrowed.shape == (50, WIDTH)
    assert narrowed[0] @ narrowed[1] > 0.98
    assert abs(narrowed[0] @ narrowed[2]) < 0.3
    assert np.isfinite(narrow(np.asarray([[np.nan, np.inf, 0.0]], np.float32))).all()
