from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from ingest.leam.region_counts import (
    CLASSES,
    UNLABELLED_CLASS,
    ClassGrid,
    classes_on_chip,
    count_regions,
    top_pixels,
)
from leamstore import schema
from leamstore.errors import LeamError
from leamstore.geometry import scaling
from leamstore.layers import CellGrid

GRID = schema.GRID
NOSE, FACE = schema.LABELS["nose"], schema.LABELS["face"]


def whole_grid():
    """A layer with a cell for each pixel of the grid, so that maps can be drawn by hand."""
    return CellGrid.of_chip(GRID)


def count_by_definition(relevance, cells, labels, percents):
    """The definition (docs/method.md), as plainly as it can be written."""
    rows, columns = cells.weights(GRID)
    grid = (rows @ relevance.astype(np.float64) @ columns.T).ravel()
    classes = labels.ravel()
    full = np.bincount(classes[grid > 0.01], minlength=CLASSES)
    by_relevance = np.argsort(-grid, kind="stable")
    top = [
        np.bincount(classes[by_relevance[: round(percent / 100 * GRID * GRID)]], minlength=CLASSES)
        for percent in percents
    ]
    return full, np.array(top)


def test_a_drawn_map_is_counted_over_a_drawn_label_image():
    labels = np.full((1, GRID, GRID), UNLABELLED_CLASS, np.uint8)
    labels[0, 100:200, 100:200] = FACE
    labels[0, 140:160, 140:160] = NOSE
    relevance = np.zeros((1, GRID, GRID), np.float16)
    relevance[0, 150:170, 150:170] = 0.5  # a quarter of it lies on the nose: 10 x 10
    relevance[0, 0, :50] = 0.02
    relevance[0, 1, :50] = 0.01  # float16 stores 0.0100021
    relevance[0, 2, :50] = 0.0099
    counts = count_regions(relevance, whole_grid(), ClassGrid.of(labels), np.array([0]), (1.0,))
    assert counts.full[0, NOSE] == 100
    assert counts.full[0, FACE] == 300
    assert counts.full[0, UNLABELLED_CLASS] == 100
    assert counts.full[0].sum() == 500


def test_the_top_percent_is_that_many_pixels_and_ties_go_by_pixel_order():
    labels = np.full((1, GRID, GRID), FACE, np.uint8)
    labels[0, 2:] = NOSE
    relevance = np.full((1, GRID, GRID), 0.25, np.float16)
    relevance[0, 3, :100] = 1.0
    counts = count_regions(relevance, whole_grid(), ClassGrid.of(labels), np.array([0]), (1.0,))
    # 1 % is 2621 pixels: the 100 brightest, then the first 2521 of all others: two rows of
    # face, and the first 1497 pixels of nose.
    assert top_pixels(1.0) == 2621
    assert counts.top[0, 0, FACE] == 2 * GRID
    assert counts.top[0, 0, NOSE] == 100 + 2521 - 2 * GRID


@pytest.mark.parametrize("percent", schema.TOP_PERCENTS)
def test_each_percent_is_rounded_to_whole_pixels(percent):
    random = np.random.default_rng(3)
    relevance = random.random((1, 8, 8)).astype(np.float16)
    labels = np.zeros((1, GRID, GRID), np.uint8)
    cells = CellGrid(8, 8, stride=14, offset=7, input_size=112)
    counts = count_regions(relevance, cells, ClassGrid.of(labels), np.array([0]), (percent,))
    assert counts.top.sum() == round(percent / 100 * 262144)


@pytest.mark.parametrize(
    ("size", "stride", "offset", "chip"),
    [((72, 72), 2, 3, 150), ((17, 17), 8, 9, 150), ((112, 112), 1, 0, 112), ((3, 5), 20, 7, 112)],
)
@pytest.mark.parametrize("kind", ["noise", "sparse", "flat", "zero", "one pixel"])
def test_the_fast_count_equals_the_definition(size, stride, offset, chip, kind):
    random = np.random.default_rng(7)
    relevance = {
        "noise": random.random((3, *size)) ** 4,
        "sparse": random.random((3, *size)) * (random.random((3, *size)) < 0.02),
        "flat": np.full((3, *size), 0.3),
        "zero": np.zeros((3, *size)),
        "one pixel": np.eye(size[0], size[1])[None].repeat(3, 0) * np.eye(size[0], 1),
    }[kind].astype(np.float16)
    labels = random.integers(0, 19, (2, GRID, GRID)).astype(np.uint8)
    labels[random.random(labels.shape) < 0.1] = UNLABELLED_CLASS
    cells = CellGrid(*size, stride, offset, chip)
    owners = np.array([0, 1, 1])
    counts = count_regions(relevance, cells, ClassGrid.of(labels), owners, schema.TOP_PERCENTS)
    for n, owner in enumerate(owners):
        full, top = count_by_definition(relevance[n], cells, labels[owner], schema.TOP_PERCENTS)
        assert counts.full[n].tolist() == full.tolist()
        assert counts.top[n].tolist() == top.tolist()


@pytest.mark.parametrize("maps", [0, 1, 4, 9])
def test_threads_that_share_the_maps_count_the_same(maps):
    random = np.random.default_rng(3)
    relevance = (random.random((maps, 6, 5)) ** 4).astype(np.float16)
    grid = ClassGrid.of(random.integers(0, CLASSES, (2, GRID, GRID)).astype(np.uint8))
    counted = relevance, CellGrid(6, 5, 20.0, 10.0, 112), grid, np.arange(maps) % 2, (1.0, 100.0)
    alone = count_regions(*counted)
    with ThreadPoolExecutor(3) as pool:
        shared = count_regions(*counted, pool)
    np.testing.assert_array_equal(shared.full, alone.full)
    np.testing.assert_array_equal(shared.top, alone.top)


def test_a_chip_equal_to_the_crop_keeps_its_labels():
    labels = np.random.default_rng(0).integers(0, 19, (GRID, GRID)).astype(np.uint8)
    assert (classes_on_chip(labels, scaling(150, GRID), 150) == labels).all()


def test_a_chip_that_shows_the_crops_upper_left_quarter_has_its_labels_doubled():
    labels = np.random.default_rng(0).integers(0, 19, (GRID, GRID)).astype(np.uint8)
    quarter = scaling(112, GRID / 2)
    expected = labels[: GRID // 2, : GRID // 2].repeat(2, 0).repeat(2, 1)
    assert (classes_on_chip(labels, quarter, 112) == expected).all()


def test_what_lies_beyond_the_crop_is_unlabelled():
    labels = np.full((GRID, GRID), NOSE, np.uint8)
    shifted = scaling(112, GRID)
    shifted[0, 2] += GRID / 2
    found = classes_on_chip(labels, shifted, 112)
    assert (found[:, : GRID // 2] == NOSE).all()
    assert (found[:, GRID // 2 :] == UNLABELLED_CLASS).all()


def test_unlabelled_pixels_have_a_class_of_their_own():
    labels = np.full((GRID, GRID), schema.UNLABELLED, np.uint8)
    assert (classes_on_chip(labels, scaling(150, GRID), 150) == UNLABELLED_CLASS).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, -0.001, 1.001, 60000])
def test_a_map_that_is_no_relevance_is_refused_and_never_an_index(value):
    labels = np.full((1, GRID, GRID), FACE, np.uint8)
    relevance = np.zeros((2, GRID, GRID), np.float16)
    relevance[1, 3, 4] = value
    with pytest.raises(LeamError, match="1 of 2 maps can't be counted"):
        count_regions(
            relevance, whole_grid(), ClassGrid.of(labels), np.array([0, 0]), schema.TOP_PERCENTS
        )
