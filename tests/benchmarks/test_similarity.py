import numpy as np

from analyses.likeness import earth_movers_distance
from benchmarks.similarity import (
    bhattacharyya_of_all_pairs,
    distances_one_by_one,
    drawn_distributions,
    drawn_pairs,
)


def test_what_is_compared_gives_equal_distances():
    distributions = drawn_distributions(4, 6, seed=1)
    distributions[:, 3:] = 0
    distributions /= distributions.sum((1, 2), keepdims=True)
    pairs = drawn_pairs(4, 5, np.random.default_rng(0))
    ours = earth_movers_distance(distributions, pairs)
    np.testing.assert_allclose(distances_one_by_one(distributions, pairs), ours, atol=1e-9)


def test_a_pair_of_maps_is_one_of_different_maps():
    pairs = drawn_pairs(3, 100, np.random.default_rng(0))
    assert (pairs[:, 0] != pairs[:, 1]).all()
    assert set(pairs.ravel()) == {0, 1, 2}


def test_the_loop_is_scaled_up_to_all_pairs(settings):
    by_case = {one.case: one for one in bhattacharyya_of_all_pairs(settings)}
    assert by_case["numpy loop"].value > 1
