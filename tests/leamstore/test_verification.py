import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from leamstore.verification import (
    Scores,
    area_under_curve,
    cosines,
    draw_comparisons,
    error_rates,
)

GENUINE, IMPOSTOR = [0.3, 0.6, 0.7, 0.9], [0.1, 0.2, 0.25, 0.5]


def rates_of(genuine, impostor):
    return error_rates(Scores.of(genuine), Scores.of(impostor))


def tied_scores(seed, count):
    """Scores with ties within and between the two kinds."""
    generator = np.random.default_rng(seed)
    return tuple(np.round(generator.normal(mean, 1, count), 1) for mean in (1.0, 0.0))


def test_equal_errors_by_hand():
    # From 0.5 on: one of four genuine comparisons is rejected, one of four impostors accepted.
    threshold, error = rates_of(GENUINE, IMPOSTOR).equal_errors()
    assert (threshold, error) == (0.5, 0.25)


def test_scores_that_part_cleanly_have_a_threshold_without_errors():
    assert rates_of([0.8, 0.9], [0.1, 0.2]).equal_errors() == (0.8, 0.0)


def test_true_accepts_at_a_rate_by_hand():
    rates = rates_of(GENUINE, IMPOSTOR)
    # From 0.3 on one of four impostors is accepted, and all genuine ones; above 0.5 none, and 0.3
    # is rejected.
    assert rates.true_accepts(0.25) == 1.0
    assert rates.true_accepts(0.24) == 0.75


def test_where_all_scores_are_equal_nothing_is_accepted_without_false_matches():
    rates = rates_of([0.5, 0.5], [0.5])
    assert rates.true_accepts(0.1) == 0.0
    assert area_under_curve(Scores.of([0.5, 0.5]), Scores.of([0.5])) == 0.5


def test_the_area_is_mann_whitneys():
    genuine, impostor = tied_scores(0, 60)
    u = mannwhitneyu(genuine, impostor).statistic
    area = area_under_curve(Scores.of(genuine), Scores.of(impostor))
    assert area == pytest.approx(u / len(genuine) / len(impostor), abs=1e-12)


def test_errors_and_true_accepts_are_those_counted_one_threshold_at_a_time():
    genuine, impostor = tied_scores(1, 50)
    rates = rates_of(genuine, impostor)
    counted = [((genuine < t).mean(), (impostor >= t).mean()) for t in rates.thresholds]
    np.testing.assert_allclose(
        np.stack([rates.false_non_matches, rates.false_matches], 1), counted, atol=1e-12
    )
    possible = [1 - rejected for rejected, accepted in counted if accepted <= 0.1]
    assert rates.true_accepts(0.1) == pytest.approx(max(possible))


def test_a_weight_is_a_comparison_as_often_and_each_draw_has_its_own():
    genuine, impostor = tied_scores(2, 20)
    weights = np.random.default_rng(2).integers(0, 3, (2, 3, 20))
    drawn = Scores.of(genuine, weights[0]), Scores.of(impostor, weights[1])
    repeated = [
        tuple(Scores.of(np.repeat(s, w)) for s, w in zip((genuine, impostor), pair, strict=True))
        for pair in zip(*weights, strict=True)
    ]
    areas = [area_under_curve(*pair) for pair in repeated]
    np.testing.assert_allclose(area_under_curve(*drawn), areas)
    np.testing.assert_allclose(
        error_rates(*drawn).true_accepts(0.2),
        [error_rates(*pair).true_accepts(0.2) for pair in repeated],
    )


def test_a_draw_without_comparisons_of_a_kind_is_unknown():
    nobody = Scores.of(GENUINE, np.zeros((1, 4)))
    assert np.isnan(area_under_curve(nobody, Scores.of(IMPOSTOR))).all()


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
