import numpy as np
import pytest
from scipy.stats import spearmanr

from analyses.person.controls import RANDOM
from analyses.question import Settings
from analyses.sanity.checks import (
    CENTRE,
    EDGES,
    MEAN_MAP,
    OVERLAP,
    RANKS,
    Compared,
    centred_gaussian,
    check,
    layer_overlaps,
    mean_of_others,
    outcome,
    peaks_in_ring,
    rank_correlations,
    ring_share,
)
from leamstore.layers import CellGrid

PEOPLE, IMAGES, CELLS = 10, 3, 16
SETTINGS = Settings(draws=200)


def noise(seed, cells=CELLS):
    return np.random.default_rng(seed).random((PEOPLE * IMAGES, cells, cells)).astype(np.float32)


def layer_of(maps, own_edges=None, random_maps=None):
    people = np.arange(PEOPLE).repeat(IMAGES)
    return Compared(
        grid=CellGrid.of_chip(maps.shape[1]),
        maps=maps,
        edges=noise(100) if own_edges is None else own_edges,
        random_maps=random_maps,
        people=people,
        strangers=np.roll(np.arange(len(people)), IMAGES),
    )


def found(layer, name, measure=RANKS):
    return check(layer, SETTINGS).filter(check=name, measure=measure).row(0, named=True)


def test_maps_that_are_edges_follow_their_own_images_and_not_anothers():
    row = found(layer_of(noise(1) ** 2, own_edges=noise(1)), EDGES)
    assert row["estimate"] == pytest.approx(1)
    assert row["outcome"] == "failed"
    assert abs(row["control_estimate"]) < 0.05
    assert row["difference_low"] > 0.9


def test_maps_at_random_pass_every_check():
    rows = check(layer_of(noise(1), random_maps=noise(2)), SETTINGS)
    assert rows["outcome"].to_list() == ["passed"] * 9
    assert rows.filter(measure=RANKS)["estimate"].abs().max() < 0.05


def test_maps_that_random_weights_leave_as_they_are_fail():
    row = found(layer_of(noise(1), random_maps=noise(1)), RANDOM)
    assert (row["estimate"], row["outcome"]) == (pytest.approx(1), "failed")
    assert abs(row["control_estimate"]) < 0.05
    overlap = found(layer_of(noise(1), random_maps=noise(1)), RANDOM, OVERLAP)
    assert overlap["estimate"] == 1


def test_a_blob_in_the_centre_of_all_maps_is_a_centred_gaussian_and_everybodys():
    blob = centred_gaussian(layer_of(noise(1)))
    maps = blob + 1e-3 * noise(2)
    assert found(layer_of(maps), CENTRE)["outcome"] == "failed"
    assert found(layer_of(maps), MEAN_MAP)["estimate"] > 0.99


def test_rank_correlations_are_spearmans_with_ties():
    maps, others = np.round(noise(1) * 3), noise(2)
    maps[0] = 0
    ours = rank_correlations(layer_of(maps), others)
    assert np.isnan(ours[0])
    theirs = [
        spearmanr(a.ravel(), b.ravel()).statistic for a, b in zip(maps[1:], others[1:], strict=True)
    ]
    np.testing.assert_allclose(ours[1:], theirs)


def test_the_overlap_is_the_share_of_the_top_percent_that_is_common():
    # At 16 cells a side and 112 pixels, a lone cell of 1 is what the whole top percent lies on.
    maps, others = np.zeros((2, PEOPLE * IMAGES, CELLS, CELLS), np.float32)
    maps[:, 4, 4] = others[:, 4, 4] = 1
    others[0] = np.roll(maps[0], 8, 1)
    overlaps = layer_overlaps(layer_of(maps), others)
    assert overlaps[0] == 0
    assert (overlaps[1:] == 1).all()


def test_peaks_in_the_outer_ring_are_counted():
    maps = np.zeros((5, 4, 6))
    for place, (y, x) in enumerate([(0, 3), (2, 5), (1, 1), (3, 0)]):
        maps[place, y, x] = 1
    np.testing.assert_array_equal(peaks_in_ring(maps), [1, 1, 0, 1, np.nan])
    # 4 x 6 cells, 2 x 4 of them inside.
    assert ring_share(maps) == pytest.approx(16 / 24)


def test_the_mean_map_of_others_leaves_the_person_out_and_counts_people_alike():
    maps = np.array([1.0, 3.0, 10.0, 30.0]).reshape(4, 1, 1) * np.ones((4, 2, 2))
    others = mean_of_others(maps, np.array([0, 0, 1, 2]))
    np.testing.assert_allclose(others[:, 0, 0], [20, 20, 16, 6])


def test_an_interval_on_the_limit_is_unclear():
    assert outcome(0.4, 0.6) == "unclear"
    assert outcome(float("nan"), float("nan")) == "unclear"
