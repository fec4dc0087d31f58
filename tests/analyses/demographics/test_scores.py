import numpy as np
import polars as pl
import pytest

from analyses.demographics.scores import QUANTILES, STEP, bin_cosines, find_quantiles
from analyses.question import Settings
from analyses.statistics import identity_weights

SETTINGS = Settings(draws=200)


def counts_of(scores_by_person):
    return pl.concat(
        pl.DataFrame({"mask": "own", "identity": person, "bin": bin_cosines(np.array(scores))})
        .group_by("mask", "identity", "bin")
        .agg(pairs=pl.len())
        for person, scores in scores_by_person.items()
    )


def test_quantiles_are_those_of_the_pairs_to_the_width_of_a_bin(generator):
    scores = {f"p{n}": generator.normal(0.5, 0.1, 40) for n in range(12)}
    found = find_quantiles(counts_of(scores), ["mask"], SETTINGS)
    everything = np.concatenate(list(scores.values()))
    expected = np.quantile(everything, QUANTILES, method="inverted_cdf")
    assert found["quantile"].to_list() == list(QUANTILES)
    np.testing.assert_allclose(found["estimate"], expected, atol=STEP)
    assert set(found.select("identities", "pairs").rows()) == {(12, 480)}


def test_intervals_redraw_people_with_all_their_pairs(generator):
    scores = [generator.normal(mean, 0.01, 9) for mean in (0.1, 0.3, 0.5, 0.7)]
    found = find_quantiles(
        counts_of({f"p{n}": own for n, own in enumerate(scores)}), ["mask"], SETTINGS
    )
    drawn = [
        np.quantile(np.concatenate(np.repeat(scores, weights, axis=0)), 0.5, method="inverted_cdf")
        for weights in identity_weights(4, 200, 0).astype(int)
    ]
    median = found.filter(quantile=0.5).row(0, named=True)
    ends = np.quantile(drawn, [0.025, 0.975])
    assert (median["low"], median["high"]) == pytest.approx(ends, abs=2 * STEP)


def test_scores_of_one_person_have_no_interval():
    found = find_quantiles(counts_of({"p": [0.2, 0.4]}), ["mask"], SETTINGS)
    assert found["low"].is_null().all()
    assert found.filter(quantile=0.95)["estimate"].item() == pytest.approx(0.4, abs=STEP)


def test_cosines_beyond_one_by_rounding_lie_in_the_outermost_bins():
    assert bin_cosines(np.array([-1.0000001, 1.0000001])).tolist() == [0, round(2 / STEP)]
