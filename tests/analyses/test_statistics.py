import numpy as np
import pytest
from scipy import stats

from analyses import statistics


def test_the_mean_of_people_is_weighted_by_their_observations():
    interval = statistics.bootstrap_mean([1.0, 2.0, 6.0], ["Ada", "Ada", "Bea"])
    assert interval.estimate == pytest.approx(3.0)


def test_the_interval_redraws_people_and_not_their_observations():
    # 50 identical rows a person carry no more than one: the interval of four numbers stays.
    values = np.array([0.0, 1.0, 2.0, 3.0])
    once = statistics.bootstrap_mean(values, range(4), seed=1)
    often = statistics.bootstrap_mean(values.repeat(50), np.arange(4).repeat(50), seed=1)
    assert np.allclose(once, often)


def test_the_interval_covers_the_truth_at_its_level():
    generator = np.random.default_rng(0)
    people = np.arange(40).repeat(5)
    values = generator.normal(size=(40, 1000))[people] + generator.normal(size=(200, 1000))
    _, low, high = statistics.bootstrap_mean(values, people, draws=1000)
    # 39 degrees of freedom and no t: 0.94 is what percentiles of 40 people can reach.
    assert np.mean((low <= 0.0) & (high >= 0.0)) == pytest.approx(0.94, abs=0.02)


def test_the_interval_of_independent_observations_is_scipys():
    values = np.random.default_rng(3).normal(size=60)
    _, low, high = statistics.bootstrap_mean(values, np.arange(60), draws=20_000)
    theirs = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="percentile", random_state=0
    ).confidence_interval
    assert (low, high) == pytest.approx((theirs.low, theirs.high), abs=0.01)


def test_columns_are_treated_one_by_one_and_keep_their_shape():
    values = np.random.default_rng(0).normal(size=(12, 3, 2))
    people = np.arange(12) // 3
    whole = statistics.bootstrap_mean(values, people)
    column = statistics.bootstrap_mean(values[:, 1, 1], people)
    assert whole.low.shape == (3, 2)
    assert np.allclose([end[1, 1] for end in whole], column)


def test_what_is_nan_is_left_out_of_its_own_column():
    values = np.array([[1.0, np.nan], [3.0, 5.0], [5.0, 7.0]])
    interval = statistics.bootstrap_mean(values, [0, 1, 2])
    assert interval.estimate.tolist() == [3.0, 6.0]


def test_one_identity_has_a_mean_and_no_interval():
    interval = statistics.bootstrap_mean([1.0, 3.0], ["Ada", "Ada"])
    assert interval.estimate == 2.0
    assert np.isnan(interval.low)
    assert np.isnan(interval.high)


def test_the_same_seed_gives_the_same_interval():
    values = np.arange(10.0)
    first, again, other = (statistics.bootstrap_mean(values, values, seed=s) for s in (1, 1, 2))
    assert first == again
    assert first != other


def test_a_difference_of_means_has_an_interval_of_two_samples():
    first, second = np.random.default_rng(1).normal([[1.0], [0.0]], 1.0, (2, 400))
    interval = statistics.bootstrap_difference(first, second)
    error = np.hypot(first.std() / 20, second.std() / 20)
    assert interval.estimate == first.mean() - second.mean()
    assert interval.high - interval.low == pytest.approx(2 * 1.96 * error, rel=0.06)


def test_mann_whitney_by_hand():
    # Of the six comparisons 5 > 1, 5 > 2, 5 > 4, 3 > 1, 3 > 2 are won and 3 > 4 is lost.
    result = statistics.mann_whitney([3.0, 5.0], [1.0, 2.0, 4.0])
    assert result.u == 5.0
    assert result.effect == pytest.approx((5 - 1) / 6)
    # Under exchangeability 2 of 10 arrangements have U >= 5 and as many U <= 1.
    assert result.p == pytest.approx(0.4)


def test_mann_whitney_of_a_column_does_not_depend_on_ties_in_another():
    first, second = np.random.default_rng(0).normal(size=(2, 6, 3))
    first[:, 0] = second[:, 0] = 1.0
    whole = statistics.mann_whitney(first, second)
    assert whole.p[2] == stats.mannwhitneyu(first[:, 2], second[:, 2], method="exact").pvalue


def test_mann_whitney_of_equal_values_is_no_test():
    result = statistics.mann_whitney([1.0, 1.0], [1.0, 1.0, 1.0])
    assert np.isnan(result.p)
    assert result.effect == 0.0


def test_holm_by_hand():
    # Sorted .01 .02 .03 .04 times 4 3 2 1 is .04 .06 .06 .04, then never decreasing.
    adjusted = statistics.holm([0.03, 0.01, 0.04, 0.02])
    assert adjusted == pytest.approx([0.06, 0.04, 0.06, 0.06])


def test_holm_stops_at_one_and_leaves_out_what_is_no_test():
    adjusted = statistics.holm([[0.9, np.nan], [0.8, 0.001]])
    assert adjusted[[0, 1, 1], [0, 0, 1]] == pytest.approx([1.0, 1.0, 0.003])
    assert np.isnan(adjusted[0, 1])


def test_the_signed_rank_test_of_a_column_is_scipys_and_no_test_without_a_difference():
    means = np.array([[2.0, 0.0], [-1.0, 0.0], [0.5, 0.0], [4.0, 0.0]])
    p = statistics.signed_rank(means)
    assert p[0] == stats.wilcoxon(means[:, 0]).pvalue
    assert np.isnan(p[1])


def test_the_signed_rank_test_takes_each_persons_mean():
    values = np.array([1.0, 3.0, -1.0, 0.5, 4.0, 4.0])
    people = np.array([0, 0, 1, 2, 4, 4])
    assert (
        statistics.signed_rank_of_people(values, people)
        == stats.wilcoxon([2.0, -1.0, 0.5, 4.0]).pvalue
    )


def test_nobody_who_differs_is_no_test():
    assert np.isnan(statistics.signed_rank_of_people(np.zeros(4), np.arange(4)))


@pytest.mark.parametrize("people", [3, 6, 10])
def test_no_p_is_smaller_than_that_of_people_who_all_point_one_way(people):
    p = statistics.signed_rank_of_people(np.arange(1.0, people + 1), np.arange(people))
    assert statistics.smallest_signed_rank_p(people) == pytest.approx(p)


def test_signs_of_few_people_are_permuted_exactly():
    # All 8 choices of signs; the mean is as far from 0 in two of them.
    p = statistics.sign_permutation(np.array([1.0, 2.0, 3.0]), seed=0)

    assert p == pytest.approx(2 / 8)


def test_signs_of_many_people_are_drawn_and_p_is_never_zero(generator):
    differences = generator.normal(0.4, 1, 40)
    signs = np.random.default_rng(1).choice([-1, 1], (20_000, 40))
    expected = (np.abs(signs @ differences) >= np.abs(differences.sum())).mean()
    assert statistics.sign_permutation(differences, seed=0) == pytest.approx(expected, abs=0.005)
    assert 0 < statistics.sign_permutation(np.ones(40), seed=0) < 1e-4


def test_permuted_signs_of_no_effect_are_found_at_the_nominal_rate(generator):
    found = sum(
        statistics.sign_permutation(generator.normal(size=10), seed=0) < 0.05 for _ in range(200)
    )
    # 10 expected; the binomial's 99.8 % lies within 2 to 21.
    assert 2 <= found <= 21


def icc(values, people):
    return statistics.bootstrap_intraclass_correlation(values, people, draws=2).estimate


def test_intraclass_correlation_of_the_textbook_example():
    # Shrout & Fleiss (1979), table 2: six targets, four judges, ICC(1,1) = 0.17.
    ratings = np.array([[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6],
                        [10, 5, 6, 9], [6, 2, 4, 7]])  # fmt: skip
    value = icc(ratings.ravel(), np.arange(6).repeat(4))
    assert value == pytest.approx(0.1657, abs=1e-4)


def test_intraclass_correlation_of_unequal_groups_by_hand():
    # Groups (1, 3), (5, 6, 7): MSB = 19.2, MSW = 4 / 3, n0 = (5 - 13 / 5) / 1 = 2.4.
    value = icc([1.0, 3.0, 5.0, 6.0, 7.0], [0, 0, 1, 1, 1])
    assert value == pytest.approx((19.2 - 4 / 3) / (19.2 + 1.4 * 4 / 3))


def test_intraclass_correlation_finds_a_planted_share_of_variance():
    generator = np.random.default_rng(0)
    people = np.arange(800).repeat(6)
    values = 3.0 * generator.normal(size=800)[people] + 4.0 * generator.normal(size=4800)
    assert icc(values, people) == pytest.approx(9 / 25, abs=0.04)


def test_the_interval_of_an_intraclass_correlation_covers_a_planted_share():
    generator = np.random.default_rng(0)
    people = np.arange(100).repeat(5)
    values = generator.normal(size=(100, 50))[people] + generator.normal(size=(500, 50))
    interval = statistics.bootstrap_intraclass_correlation(values, people, draws=500)
    assert np.mean(interval.estimate) == pytest.approx(0.5, abs=0.03)
    assert np.mean((interval.low <= 0.5) & (interval.high >= 0.5)) >= 0.85
    assert np.all(interval.high - interval.low < 0.3)


def test_sums_by_identity_give_the_interval_of_their_observations():
    values, people = np.array([1.0, 2.0, 6.0, 7.0]), [0, 0, 1, 2]
    ours = statistics.bootstrap_ratio([3.0, 6.0, 7.0], [2, 1, 1], seed=3)
    assert np.allclose(ours, statistics.bootstrap_mean(values, people, seed=3))


def test_nothing_to_compare_has_no_intraclass_correlation():
    assert np.isnan(icc([1.0, 2.0], ["Ada", "Ada"]))
    assert np.isnan(icc([1.0, 2.0], ["Ada", "Bea"]))
    assert np.isnan(icc([1.0] * 4, [0, 0, 1, 1]))
