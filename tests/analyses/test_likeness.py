from itertools import combinations, product

import numpy as np
import ot
import pytest

from analyses import likeness
from analyses.likeness import (
    bhattacharyya,
    centre,
    correlation,
    earth_movers_distance,
    mean_map,
)
from leamstore.layers import normalise, take_top

SIZE = 12


@pytest.fixture
def distributions():
    rng = np.random.default_rng(0)
    maps = rng.random((7, SIZE, SIZE)).astype(np.float32)
    maps[2:4] = take_top(maps[2:4], 10)
    maps[4], maps[5] = 0, maps[0]
    maps[4, 1, 2] = 1
    maps[6] = 0
    return normalise(maps)


@pytest.fixture
def sparse():
    rng = np.random.default_rng(0)
    maps = rng.random((6, 20, 20)) * (rng.random((6, 20, 20)) > 0.7)
    maps[3], maps[4], maps[5] = 0, 0, maps[0]
    maps[4, 7, 7] = 1
    return normalise(maps)


@pytest.mark.parametrize("rows", [2, 512])
def test_coefficients_equal_the_double_loop_whatever_the_rows_at_a_time(sparse, monkeypatch, rows):
    monkeypatch.setattr(likeness, "_ROWS", rows)
    pairs = np.array(list(product(range(6), repeat=2)))[::-1]

    found = bhattacharyya(sparse, pairs)

    plain = [np.sqrt(sparse[i] * sparse[j]).sum() for i, j in pairs]
    np.testing.assert_allclose(found, plain, atol=1e-6)


def test_equal_maps_have_one_and_an_empty_map_has_zero(sparse):
    pairs = np.array([[0, 5], [3, 0], [3, 3]])

    np.testing.assert_allclose(bhattacharyya(sparse, pairs), [1, 0, 0], atol=1e-6)


def test_centring_takes_everybodys_mean_off_each_identity_counting_the_same():
    maps = np.zeros((3, 1, 2), np.float32)
    maps[0], maps[1:] = [[1.0, 0.0]], [[0.0, 1.0]]
    people = np.array([0, 1, 1])

    assert mean_map(maps, people).tolist() == [[0.5, 0.5]]
    assert centre(maps, people).tolist() == [[[0.5, -0.5]], *[[[-0.5, 0.5]]] * 2]


def test_the_correlation_is_that_of_whole_centred_maps():
    maps = np.random.default_rng(0).random((4, 5, 6)).astype(np.float32)
    people, pairs = np.array([0, 0, 1, 2]), np.array([[0, 1], [2, 3]])

    found = correlation(centre(maps, people), pairs)

    centred = maps - (maps[:2].mean(0) + maps[2] + maps[3]) / 3
    expected = [
        (centred[i] * centred[j]).sum() / np.linalg.norm(centred[i]) / np.linalg.norm(centred[j])
        for i, j in pairs
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_maps_that_are_everybodys_but_for_rounding_correlate_with_nothing():
    maps = np.random.default_rng(0).random((1, 8, 8)).astype(np.float32).repeat(6, 0)
    maps *= 1 + 1e-7 * np.arange(6, dtype=np.float32)[:, None, None]
    people = np.arange(6) // 2

    centred = centre(maps, people)

    assert not centred.any()
    assert correlation(centred, np.array([[0, 1], [0, 2], [3, 3]])).tolist() == [0, 0, 0]


def plain(first, second):
    pixels = np.argwhere(np.ones((SIZE, SIZE))).astype(np.float64)
    cost = ot.dist(pixels, pixels, metric="euclidean")
    return ot.emd2(first.ravel(), second.ravel(), cost)


def test_distances_equal_emd2_on_the_whole_cost_matrix(distributions):
    pairs = np.array(list(combinations(range(6), 2)))

    found = earth_movers_distance(distributions, pairs)

    expected = [plain(distributions[i], distributions[j]) for i, j in pairs]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert found[pairs.tolist().index([0, 5])] == 0


def test_a_pixel_moved_by_three_and_four_is_at_distance_five():
    maps = np.zeros((2, SIZE, SIZE))
    maps[0, 1, 2] = maps[1, 4, 6] = 1

    assert earth_movers_distance(maps, np.array([[0, 1]])).tolist() == [5.0]


def test_an_empty_map_has_no_distance(distributions):
    assert np.isnan(earth_movers_distance(distributions, np.array([[0, 6], [6, 6]]))).all()


def test_any_number_of_workers_gives_the_same_bits(distributions):
    pairs = np.array(list(combinations(range(6), 2)) * 3)

    alone = earth_movers_distance(distributions, pairs, workers=1)

    assert (alone == earth_movers_distance(distributions, pairs, workers=3)).all()


def test_the_top_percent_of_a_large_grid_equals_emd2_too():
    maps = np.random.default_rng(1).random((2, 60, 60)).astype(np.float32)
    maps[1] += maps[0]
    first, second = normalise(take_top(maps, 3)).reshape(2, -1)
    pixels = np.argwhere(np.ones((60, 60))).astype(np.float64)
    sources, sinks = np.flatnonzero(first), np.flatnonzero(second)
    cost = ot.dist(pixels[sources], pixels[sinks], metric="euclidean")
    expected = ot.emd2(first[sources], second[sinks], cost)

    found = earth_movers_distance(np.stack([first, second]).reshape(2, 60, 60), np.array([[0, 1]]))

    assert found.item() == pytest.approx(expected, abs=1e-9)


def test_a_pair_that_stands_there_twice_has_its_distance_twice(distributions):
    once = earth_movers_distance(distributions, np.array([[2, 3], [0, 1]]))

    again = earth_movers_distance(distributions, np.array([[0, 1], [2, 3], [0, 1]]))

    assert again.tolist() == [once[1], once[0], once[1]]


def test_no_pairs_have_no_distances(distributions):
    assert earth_movers_distance(distributions, np.zeros((0, 2), np.int64)).shape == (0,)
