from itertools import combinations

import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from analyses.question import Settings
from analyses.recognition.scores import (
    AUC,
    can_be_measured,
    measure_recognition,
    true_accepts,
)
from tests.analyses.planted_faces import IMAGES, Faces, cosine, make_faces_lake, planted, vectors_of

SETTINGS = Settings(draws=100)


@pytest.fixture
def faces():
    """Faces of which the network recognises some."""
    chips, maps = planted(lambda person, _: person)
    generator = np.random.default_rng(1)
    noisy = chips + generator.normal(0, 60, (len(chips), 4, 4, 1)).repeat(4, 1).repeat(4, 2)
    return Faces(noisy.clip(0, 255).astype(np.uint8), maps)


def test_the_auc_of_a_lake_is_mann_whitneys_of_its_cosines(faces, tmp_path):
    lake = make_faces_lake(tmp_path, faces)
    vectors = vectors_of(faces.chips)
    kinds = {True: [], False: []}
    for one, other in combinations(range(len(vectors)), 2):
        kinds[one // IMAGES == other // IMAGES].append(cosine(vectors[one], vectors[other]))
    u = mannwhitneyu(kinds[True], kinds[False]).statistic
    found = measure_recognition(lake, SETTINGS, "NET")
    row = found.measures.filter(measure=AUC).row(0, named=True)
    assert row["estimate"] == pytest.approx(u / len(kinds[True]) / len(kinds[False]), abs=1e-6)
    assert 0.5 < row["low"] < row["estimate"] < row["high"] <= 1
    assert (row["genuine"], row["impostor"]) == (len(kinds[True]), len(kinds[False]))


def test_the_histogram_holds_every_comparison(faces, tmp_path):
    histogram = measure_recognition(make_faces_lake(tmp_path, faces), SETTINGS, "NET").histogram
    shares = dict(histogram.group_by("comparison").sum().select("comparison", "share").iter_rows())
    assert shares == pytest.approx({"genuine": 100, "impostor": 100})


def test_rates_for_which_there_are_too_few_people_are_unknown(faces, tmp_path):
    found = measure_recognition(make_faces_lake(tmp_path, faces), SETTINGS, "NET").measures
    estimates = dict(found.select("measure", "estimate").iter_rows())
    assert estimates[true_accepts(0.1)] is not None  # 28 couples, 252 impostor comparisons
    assert estimates[true_accepts(0.01)] is None


def test_a_rate_takes_ten_false_matches_and_all_comparisons_of_a_couple():
    assert can_be_measured(0.1, impostor=100, couples=10)
    assert not can_be_measured(0.1, impostor=99, couples=10)
    assert not can_be_measured(0.1, impostor=100, couples=9)
    assert can_be_measured(1e-4, impostor=100_000, couples=10_000)
