from itertools import product

import numpy as np
import pytest

from analyses.similarity import bhattacharyya
from leamstore.layers import normalise


@pytest.fixture
def distributions():
    rng = np.random.default_rng(0)
    maps = rng.random((6, 20, 20)) * (rng.random((6, 20, 20)) > 0.7)
    maps[3], maps[4], maps[5] = 0, 0, maps[0]
    maps[4, 7, 7] = 1
    return normalise(maps)


def test_all_pairs_equal_the_double_loop(distributions):
    plain = [[np.sqrt(first * second).sum() for second in distributions] for first in distributions]

    np.testing.assert_allclose(bhattacharyya.all_pairs(distributions), plain, atol=1e-6)


def test_chosen_pairs_equal_the_whole_matrix_across_blocks(distributions, monkeypatch):
    monkeypatch.setattr(bhattacharyya, "_BLOCK", 2)
    pairs = np.array(list(product(range(6), repeat=2)))[::-1]

    chosen = bhattacharyya.of_pairs(distributions, pairs)

    whole = bhattacharyya.all_pairs(distributions)
    np.testing.assert_allclose(chosen, whole[tuple(pairs.T)], atol=1e-7)


def test_equal_maps_have_one_and_an_empty_map_has_zero(distributions):
    pairs = np.array([[0, 5], [3, 0], [3, 3]])

    found = bhattacharyya.of_pairs(distributions, pairs)

    np.testing.assert_allclose(found, [1, 0, 0], atol=1e-6)
