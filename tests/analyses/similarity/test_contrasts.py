import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from analyses.similarity.contrasts import (
    Likeness,
    draw_contrasts,
    interval_of,
    mean_likeness,
    permutation_p,
)
from analyses.statistics import identity_weights

SAME = np.array([[0, 0], [0, 0], [1, 1], [2, 2]])
STRANGERS = np.array([[0, 1], [0, 2], [1, 2]])


def likeness():
    return Likeness(np.array([0.9, 0.2, 0.5, 0.4]), np.array([0.1, 0.4, 0.6]))


def likeness_of(same, strangers):
    return Likeness(np.array(same, float), np.array(strangers, float))


def auc(positives, negatives):
    return mannwhitneyu(positives, negatives).statistic / (len(positives) * len(negatives))


def test_a_placement_is_the_share_of_strangers_less_alike_and_ties_count_half():
    np.testing.assert_allclose(likeness().placements, [1, 1 / 3, 2 / 3, 0.5])


def test_the_auc_is_the_mean_placement():
    drawn = draw_contrasts(likeness(), SAME, STRANGERS, seed=0, draws=10).aucs
    assert drawn[0] == pytest.approx(auc(likeness().same, likeness().strangers))
    assert drawn[0] == pytest.approx(likeness().placements.mean())


def test_contrasts_of_the_same_pairs_differ_draw_by_draw():
    twice = Likeness(2 * likeness().same, 2 * likeness().strangers)
    once, doubled = (
        draw_contrasts(alike, SAME, STRANGERS, seed=3, draws=50) for alike in (likeness(), twice)
    )
    np.testing.assert_allclose(doubled.differences, 2 * once.differences)
    np.testing.assert_array_equal(doubled.aucs, once.aucs)


def test_the_mean_of_pairs_has_an_interval_over_people():
    people = np.array([[0, 0], [0, 0], [1, 1], [1, 1]])

    interval = mean_likeness([1, 1, 3, 3], people, seed=0, draws=500)

    # Two people, redrawn: 1 (both the first), 2, or 3 (both the second).
    assert [float(end) for end in interval] == [2.0, 1.0, 3.0]


def test_pairs_of_one_person_alone_have_no_interval():
    interval = mean_likeness([1, 2], np.zeros((2, 2), int), seed=0, draws=100)

    assert interval.estimate == 1.5
    assert np.isnan(interval.low)


def test_auc_and_difference_by_hand():
    found = draw_contrasts(
        likeness_of([3, 5], [1, 3, 4, 4]),
        np.array([[0, 0], [1, 1]]),
        np.array([[0, 1]] * 4),
        seed=0,
        draws=100,
    )

    # 3 lies above one and level with one of four, 5 above all: (1.5 + 4) / 8.
    assert found.aucs[0] == pytest.approx(5.5 / 8)
    assert found.differences[0] == pytest.approx(4 - 3)


def random_likeness(generator, people=6):
    own_people = np.repeat(np.arange(people), 2 + np.arange(people) % 3)[:, None].repeat(2, axis=1)
    couples = generator.integers(people, size=(60, 2))
    couples = couples[couples[:, 0] != couples[:, 1]]
    # Rounded, so that there are ties.
    own = (generator.random(len(own_people)) + 0.2).round(1)
    return own, generator.random(len(couples)).round(1), own_people, couples


def test_intervals_redraw_people_on_both_sides(generator):
    own, other, own_people, couples = random_likeness(generator)

    found = draw_contrasts(Likeness(own, other), own_people, couples, seed=3, draws=200)

    drawn = []
    for weights in identity_weights(6, 200, 3).astype(int):
        same = np.repeat(own, weights[own_people[:, 0]])
        different = np.repeat(other, weights[couples].prod(1))
        if len(same) and len(different):
            drawn.append((same.mean() - different.mean(), auc(same, different)))
    plain = (own.mean() - other.mean(), auc(own, other))
    for contrast, estimate, samples in zip(found, plain, np.transpose(drawn), strict=True):
        expected = [estimate, *np.quantile(samples, [0.025, 0.975])]
        np.testing.assert_allclose([float(end) for end in interval_of(contrast)], expected)


def test_the_numbers_of_people_may_have_gaps(generator):
    own, other, own_people, couples = random_likeness(generator)

    near, far = (
        draw_contrasts(Likeness(own, other), own_people * by, couples * by, seed=0, draws=100)
        for by in (1, 7)
    )

    np.testing.assert_array_equal(near, far)


def test_people_whose_maps_are_like_everybodys_are_no_evidence():
    # Likeness is the sum of what either person has: each person's own maps are as alike as
    # theirs and those of people like them, and the differences are nobody's.
    own = np.array([0.0, 1.0, 2.0, 3.0])
    first, second = np.triu_indices(4, 1)
    people = np.arange(4)[:, None].repeat(2, axis=1)

    alike, strangers = Likeness(2 * own, own[first] + own[second]), np.stack([first, second], 1)

    found = draw_contrasts(alike, people, strangers, seed=0, draws=100)
    assert found.differences[0] == pytest.approx(0)
    assert permutation_p(alike, people, strangers, seed=0) == pytest.approx(1)


def test_one_person_alone_has_no_interval():
    alike = likeness_of([1, 2], [0])
    pairs = np.zeros((2, 2), int), np.array([[0, 1]])

    found = interval_of(draw_contrasts(alike, *pairs, seed=0, draws=100).aucs)
    assert found.estimate == 1
    assert np.isnan(found.low)
    assert np.isnan(permutation_p(alike, *pairs, seed=0))
