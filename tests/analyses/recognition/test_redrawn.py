import numpy as np
import pytest

from analyses.question import Settings
from analyses.recognition.redrawn import THRESHOLDS, Sample, intervals, redraw
from analyses.similarity.contrasts import Likeness, draw_contrasts
from leamstore.verification import ScoreCounts, cosines, draw_comparisons

SETTINGS = Settings(draws=100)


def auc(counts):
    return counts.area_under_curve[:, None]


def embeddings_of(people, generator, size=4):
    """Embeddings of people who differ, of images that differ as much."""
    centres = generator.normal(0, 1, (people.max() + 1, size))
    return centres[people] + generator.normal(0, 1, (len(people), size))


def sample_of(people):
    return Sample(people, draw_comparisons(people, 100_000, seed=0))


def scores_of(sample, generator):
    embeddings = embeddings_of(sample.people, generator)
    compared = sample.comparisons
    return cosines(embeddings, embeddings)[compared.first, compared.second]


def test_aucs_of_people_redrawn_are_those_of_the_contrasts_of_likeness():
    sample = sample_of(np.arange(6).repeat([2, 3, 4, 1, 2, 3]))
    scores, compared = scores_of(sample, np.random.default_rng(0)), sample.comparisons
    both = sample.people[np.stack([compared.first, compared.second], 1)]
    genuine = compared.genuine
    expected = draw_contrasts(
        Likeness(scores[genuine], scores[~genuine]), both[genuine], both[~genuine],
        seed=0, draws=100,
    ).aucs  # fmt: skip
    np.testing.assert_allclose(redraw(auc, scores, sample, SETTINGS)[:, 0], expected)


def test_many_scores_are_counted_between_quantiles_without_changing_the_numbers():
    sample = sample_of(np.arange(40).repeat(4))
    scores = scores_of(sample, np.random.default_rng(1))
    assert len(scores) > 2 * THRESHOLDS
    genuine = sample.comparisons.genuine
    exact = ScoreCounts.of(scores[genuine], scores[~genuine])

    def measure(counts):
        errors = counts.equal_errors()[1], counts.true_accepts(0.01)
        return np.column_stack([counts.area_under_curve, counts.separation, *errors])

    counted = redraw(measure, scores, sample, Settings(draws=2))[0]
    numbers = [exact.area_under_curve, exact.separation]
    numbers += [exact.equal_errors()[1], exact.true_accepts(0.01)]
    np.testing.assert_allclose(counted, numbers, atol=2 / THRESHOLDS)


def test_intervals_cover_the_population_as_often_as_they_say():
    generator = np.random.default_rng(2)
    population = sample_of(np.arange(300).repeat(3))
    truth = redraw(auc, scores_of(population, generator), population, Settings(draws=1))[0, 0]
    sample, covered = sample_of(np.arange(25).repeat(3)), 0
    for _ in range(60):
        (found,) = intervals(redraw(auc, scores_of(sample, generator), sample, SETTINGS))
        covered += found.low <= truth <= found.high
    assert covered >= 50


@pytest.mark.parametrize("people", [[0, 0, 1, 1], [0, 0, 1, 2]])
def test_one_couple_or_one_person_with_two_images_have_no_interval(people):
    sample = sample_of(np.array(people))
    (found,) = intervals(redraw(auc, scores_of(sample, np.random.default_rng(3)), sample, SETTINGS))
    assert np.isfinite(found.estimate)
    assert np.isnan([found.low, found.high]).all()
