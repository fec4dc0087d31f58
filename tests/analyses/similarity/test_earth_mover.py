from itertools import combinations

import numpy as np
import ot
import pytest

from analyses.similarity import earth_mover
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


def plain(first, second):
    pixels = np.argwhere(np.ones((SIZE, SIZE))).astype(np.float64)
    cost = ot.dist(pixels, pixels, metric="euclidean")
    return ot.emd2(first.ravel(), second.ravel(), cost)


def test_distances_equal_emd2_on_the_whole_cost_matrix(distributions):
    pairs = np.array(list(combinations(range(6), 2)))

    found = earth_mover.of_pairs(distributions, pairs)

    expected = [plain(distributions[i], distributions[j]) for i, j in pairs]
    np.testing.assert_allclose(found, expected, atol=1e-9)
    assert found[pairs.tolist().index([0, 5])] == 0


def test_a_pixel_moved_by_three_and_four_is_at_distance_five():
    maps = np.zeros((2, SIZE, SIZE))
    maps[0, 1, 2] = maps[1, 4, 6] = 1

    assert earth_mover.of_pairs(maps, np.array([[0, 1]])).tolist() == [5.0]


def test_an_empty_map_has_no_distance(distributions):
    assert np.isnan(earth_mover.of_pairs(distributions, np.array([[0, 6], [6, 6]]))).all()


def test_any_number_of_workers_gives_the_same_bits(distributions):
    pairs = np.array(list(combinations(range(6), 2)) * 3)

    alone = earth_mover.of_pairs(distributions, pairs, workers=1)

    assert (alone == earth_mover.of_pairs(distributions, pairs, workers=3)).all()


def test_the_top_percent_of_a_large_grid_equals_emd2_too():
    maps = np.random.default_rng(1).random((2, 60, 60)).astype(np.float32)
    maps[1] += maps[0]
    first, second = normalise(take_top(maps, 3)).reshape(2, -1)
    pixels = np.argwhere(np.ones((60, 60))).astype(np.float64)
    sources, sinks = np.flatnonzero(first), np.flatnonzero(second)
    cost = ot.dist(pixels[sources], pixels[sinks], metric="euclidean")
    expected = ot.emd2(first[sources], second[sinks], cost)

    found = earth_mover.of_pairs(np.stack([first, second]).reshape(2, 60, 60), np.array([[0, 1]]))

    assert found.item() == pytest.approx(expected, abs=1e-9)


def test_a_pair_that_stands_there_twice_has_its_distance_twice(distributions):
    once = earth_mover.of_pairs(distributions, np.array([[2, 3], [0, 1]]))

    again = earth_mover.of_pairs(distributions, np.array([[0, 1], [2, 3], [0, 1]]))

    assert again.tolist() == [once[1], once[0], once[1]]


def test_no_pairs_have_no_distances(distributions):
    assert earth_mover.of_pairs(distributions, np.zeros((0, 2), np.int64)).shape == (0,)
