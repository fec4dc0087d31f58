import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from leamstore.verification import ScoreCounts, cosines, draw_comparisons

GENUINE, IMPOSTOR = [0.3, 0.6, 0.7, 0.9], [0.1, 0.2, 0.25, 0.5]


def tied_scores(seed, count):
    """Scores with ties within and between the two kinds."""
    generator = np.random.default_rng(seed)
    return tuple(np.round(generator.normal(mean, 1, count), 1) for mean in (1.0, 0.0))


def test_equal_errors_by_hand():
    # From 0.5 on: one of four genuine comparisons is rejected, one of four impostors accepted.
    threshold, error = ScoreCounts.of(GENUINE, IMPOSTOR).equal_errors()
    assert (threshold, error) == (0.5, 0.25)


def test_scores_that_part_cleanly_have_a_threshold_without_errors():
    assert ScoreCounts.of([0.8, 0.9], [0.1, 0.2]).equal_errors() == (0.8, 0.0)


def test_true_accepts_at_a_rate_by_hand():
    counts = ScoreCounts.of(GENUINE, IMPOSTOR)
    # From 0.3 on one of four impostors is accepted, and all genuine ones; above 0.5 none, and 0.3
    # is rejected.
    assert counts.true_accepts(0.25) == 1.0
    assert counts.true_accepts(0.24) == 0.75


def test_where_all_scores_are_equal_nothing_is_accepted_without_false_matches():
    counts = ScoreCounts.of([0.5, 0.5], [0.5])
    assert counts.true_accepts(0.1) == 0.0
    assert counts.area_under_curve == 0.5


def test_the_area_is_mann_whitneys():
    genuine, impostor = tied_scores(0, 60)
    u = mannwhitneyu(genuine, impostor).statistic
    area = ScoreCounts.of(genuine, impostor).area_under_curve
    assert area == pytest.approx(u / len(genuine) / len(impostor), abs=1e-12)


def test_errors_and_true_accepts_are_those_counted_one_threshold_at_a_time():
    genuine, impostor = tied_scores(1, 50)
    counts = ScoreCounts.of(genuine, impostor)
    thresholds = [*counts.thresholds, np.inf]
    counted = [((genuine < t).mean(), (impostor >= t).mean()) for t in thresholds]
    np.testing.assert_allclose(
        np.stack([counts.false_non_matches, counts.false_matches], 1), counted, atol=1e-12
    )
    possible = [1 - rejected for rejected, accepted in counted if accepted <= 0.1]
    assert counts.true_accepts(0.1) == pytest.approx(max(possible))


def test_the_separation_is_that_of_two_normal_distributions():
    generator = np.random.default_rng(3)
    counts = ScoreCounts.of(generator.normal(5, 1, 100_000), generator.normal(2, 2, 100_000))
    assert counts.separation == pytest.approx(3 / np.sqrt(2.5), abs=0.02)


def test_scores_that_are_all_one_are_not_separated():
    assert ScoreCounts.of([0.5, 0.5], [0.5]).separation == 0


def test_each_draw_has_counts_of_its_own():
    generator = np.random.default_rng(2)
    thresholds, (genuine, impostor) = np.arange(9.0), generator.integers(1, 4, (2, 3, 9))
    drawn = ScoreCounts(thresholds, genuine, impostor)
    for draw in range(3):
        one = ScoreCounts.of(thresholds.repeat(genuine[draw]), thresholds.repeat(impostor[draw]))
        assert drawn.area_under_curve[draw] == pytest.approx(one.area_under_curve)
        assert drawn.separation[draw] == pytest.approx(one.separation)
        assert drawn.true_accepts(0.2)[draw] == pytest.approx(one.true_accepts(0.2))
        for ours, alone in zip(drawn.equal_errors(), one.equal_errors(), strict=True):
            assert ours[draw] == pytest.approx(alone)


def test_a_draw_without_comparisons_of_a_kind_is_unknown():
    counts = ScoreCounts(np.arange(3.0), np.array([[0.0, 0, 0], [0, 1, 1]]), np.ones((2, 3)))
    for numbers in (counts.area_under_curve, counts.separation, *counts.equal_errors()):
        assert np.isnan(numbers).tolist() == [True, False]
    assert np.isnan(counts.true_accepts(0.1)).tolist() == [True, False]


def test_each_pair_of_images_is_compared_once_and_none_with_itself():
    compared = draw_comparisons(np.array([0, 0, 1, 1]), most=100, seed=0)
    pairs = set(zip(compared.first.tolist(), compared.second.tolist(), strict=True))
    assert pairs == {(0, 1), (2, 3), (0, 2), (0, 3), (1, 2), (1, 3)}
    assert compared.genuine.tolist() == [True, True, False, False, False, False]


def test_of_more_comparisons_as_many_of_either_kind_are_drawn_by_the_seed():
    people = np.arange(20).repeat(4)
    first, again, other = (draw_comparisons(people, 50, seed) for seed in (0, 0, 1))
    assert (first.genuine.sum(), (~first.genuine).sum()) == (50, 50)
    np.testing.assert_array_equal(first.first, again.first)
    assert (first.first != other.first).any()


def test_an_embedding_of_length_zero_is_like_nothing():
    vectors = np.array([[0.0, 0.0], [3.0, 4.0]])
    np.testing.assert_allclose(cosines(vectors, vectors), [[0, 0], [0, 1]])
