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


@pytest.mark.parametrize("block", [2, 512])
def test_all_pairs_equal_the_double_loop_whatever_the_block(distributions, monkeypatch, block):
    monkeypatch.setattr(bhattacharyya, "_BLOCK", block)
    pairs = np.array(list(product(range(6), repeat=2)))[::-1]

    found = bhattacharyya.of_pairs(distributions, pairs)

    plain = [np.sqrt(distributions[i] * distributions[j]).sum() for i, j in pairs]
    np.testing.assert_allclose(found, plain, atol=1e-6)


def test_equal_maps_have_one_and_an_empty_map_has_zero(distributions):
    pairs = np.array([[0, 5], [3, 0], [3, 3]])

    found = bhattacharyya.of_pairs(distributions, pairs)

    np.testing.assert_allclose(found, [1, 0, 0], atol=1e-6)
