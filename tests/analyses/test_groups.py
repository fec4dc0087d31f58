import numpy as np
import pytest

from analyses import groups

IMAGES = np.array([0, 0, 1, 2, 2, 3])
PEOPLE = np.array([0, 0, 0, 1, 1, 1])


def as_sets(pairs):
    return {frozenset(pair) for pair in pairs.tolist()}


def test_all_pairs_fall_into_three_groups():
    pairs = groups.draw_pairs(IMAGES, PEOPLE, 100, seed=0)

    assert as_sets(pairs["anchor"]) == {frozenset({0, 1}), frozenset({3, 4})}
    assert as_sets(pairs["identity"]) == {
        frozenset(pair) for pair in ((0, 2), (1, 2), (3, 5), (4, 5))
    }
    assert len(pairs["strangers"]) == len(as_sets(pairs["strangers"])) == 9


def test_a_sample_of_strangers_has_no_pair_twice_and_follows_the_seed():
    people = np.repeat(np.arange(100), 3)

    first, again, other = (
        groups.draw_pairs(np.arange(300), people, 50, seed)["strangers"] for seed in (0, 0, 1)
    )

    assert len(as_sets(first)) == 50
    assert (people[first[:, 0]] != people[first[:, 1]]).all()
    assert (first == again).all()
    assert (first != other).any()


def test_poses_are_matched_by_their_distance_within_the_caliper():
    landmarks = np.array([0.0, 10.0, 100.0, 110.5, 400.0])[:, None, None] * [1.0, 0.0]
    own = np.array([[0, 1], [3, 4]])  # 10 and 289.5 apart
    strangers = np.array([[0, 2], [2, 3], [0, 4]])  # 100, 10.5 and 400 apart

    pairs, matched = groups.match_poses(own, strangers, landmarks)

    assert pairs.tolist() == [[0, 1]]
    assert matched.tolist() == [[2, 3]]


def test_the_mean_of_pairs_has_an_interval_over_people():
    people = np.array([[0, 0], [0, 0], [1, 1], [1, 1]])

    interval = groups.mean_likeness([1, 1, 3, 3], people, seed=0, draws=500)

    # Two people, redrawn: 1 (both the first), 2, or 3 (both the second).
    assert [float(end) for end in interval] == [2.0, 1.0, 3.0]


def test_pairs_of_one_person_alone_have_no_interval():
    interval = groups.mean_likeness([1, 2], np.zeros((2, 2), int), seed=0, draws=100)

    assert interval.estimate == 1.5
    assert np.isnan(interval.low)


def test_auc_and_difference_by_hand():
    found = groups.same_person(
        [3, 5], [1, 3, 4, 4], np.array([[0, 0], [1, 1]]), np.array([[0, 1]] * 4), seed=0, draws=100
    )

    # 3 lies above one and level with one of four, 5 above all: (1.5 + 4) / 8.
    assert found.auc.estimate == pytest.approx(5.5 / 8)
    assert found.difference.estimate == pytest.approx(4 - 3)


def test_signs_of_few_people_are_permuted_exactly():
    # All 8 choices of signs; the mean is as far from 0 in two of them.
    p = groups.sign_permutation(np.array([1.0, 2.0, 3.0]), seed=0, draws=1000)

    assert p == pytest.approx(2 / 8)
