import numpy as np

from analyses.similarity import groups

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


def test_strangers_as_near_as_each_other_are_shared_out():
    own = np.array([[0, 1], [2, 3], [4, 5]])
    strangers = np.array([[0, 2], [1, 3], [2, 4]])

    _, matched = groups.match_poses(own, strangers, np.zeros((6, 1, 2)))

    assert matched.tolist() == strangers.tolist()
