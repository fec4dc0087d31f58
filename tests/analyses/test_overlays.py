from dataclasses import replace

import matplotlib as mpl
import numpy as np
import pytest

from analyses import overlays
from leamstore import geometry
from leamstore.layers import CellGrid
from leamstore.poses import Poses
from leamstore.schema import LABELS, UNLABELLED

CELLS = CellGrid(17, 17, stride=8.0, offset=9.0, input_size=150)
CHIP_TO_CROP = np.array([[2.6, -0.4, 61.0], [0.4, 2.6, -7.5]])
"""A chip turned and shrunk within the crop, as a model's alignment may do."""


def crop_to_chip(chip_to_crop, size):
    """The affine from a picture of `size` pixels of the whole crop to chip pixels."""
    none = np.zeros((1, 68, 2))
    poses = Poses(*[np.eye(2, 3)[None]] * 4, none)
    return replace(poses, chip_to_crop=chip_to_crop[None]).grid_to_chip("crop", size, 150)


def planted(row, column, size=17):
    maps = np.zeros((1, size, size), np.float16)
    maps[0, row, column] = 1.0
    return maps


def centre_of(relevance):
    y, x = np.nonzero(relevance >= relevance.max() * 0.999)
    return np.array([x.mean(), y.mean()])


@pytest.mark.parametrize("drawing", ["cells", "smooth"])
@pytest.mark.parametrize("size", [512, 128])
def test_a_planted_cell_lies_where_its_stride_and_offset_put_it(drawing, size):
    row, column = 5, 11
    to_chip = crop_to_chip(CHIP_TO_CROP, size)
    drawn = overlays.draw_maps(planted(row, column), CELLS, to_chip, size, drawing)[0]
    chip = np.array([8.0 * column + 9.0, 8.0 * row + 9.0])
    crop = CHIP_TO_CROP[:, :2] @ chip + CHIP_TO_CROP[:, 2]
    picture = (crop + 0.5) * size / 512 - 0.5
    cell = 8.0 * np.hypot(2.6, 0.4) * size / 512
    assert np.abs(centre_of(drawn) - picture).max() < cell / 8 + 0.5


def test_a_cell_is_drawn_as_large_as_it_is():
    to_chip = crop_to_chip(np.array([[3.0, 0, 10], [0, 3.0, 10]]), 512)
    drawn = overlays.draw_maps(planted(8, 8), CELLS, to_chip, 512)[0]
    assert (drawn == 1).sum() == 24 * 24


def test_nothing_is_drawn_outside_of_the_chip():
    to_chip = crop_to_chip(CHIP_TO_CROP, 128)
    for drawing in ("cells", "smooth"):
        drawn = overlays.draw_maps(np.ones((1, 17, 17)), CELLS, to_chip, 128, drawing)[0]
        # The chip's own corner lies at crop pixel (61, -7.5), and the crop's at its left outside.
        assert drawn[60, 0] == 0
        assert drawn[60, 60] == 1


def test_what_is_above_a_border_is_the_most_relevant_percent():
    maps = np.random.default_rng(0).random((2, 17, 17)).astype(np.float32)
    borders = overlays.top_borders(maps, CELLS, (1.0, 10.0))
    whole = np.broadcast_to(geometry.scaling(512, 150), (2, 2, 3))
    laid = overlays.draw_maps(maps, CELLS, whole, 512, "smooth")
    for column, percent in enumerate((1.0, 10.0)):
        shares = (laid >= borders[:, column, None, None]).mean((1, 2)) * 100
        assert shares == pytest.approx([percent] * 2, abs=0.01)


def test_bands_are_nested_and_the_most_relevant_one_is_the_lightest():
    relevance = np.array([[[0.9, 0.5, 0.2, 0.0]]])
    tinted = overlays.tint_top(relevance, np.array([[0.8, 0.4]]))[0, 0]
    assert np.array_equal(tinted[:2], overlays.band_colours(2))
    assert not tinted[2:].any()


def test_colours_are_those_of_inferno():
    levels = np.linspace(0, 1, 256)
    theirs = 255 * mpl.colormaps["inferno"](levels)[:, :3]
    assert np.abs(overlays.colour(levels) - theirs).max() < 8


def test_the_irrelevant_is_clear_and_more_relevance_is_never_clearer():
    tints = overlays.tint(np.linspace(0, 1, 101))
    assert tints[0, 3] == 0
    assert (np.diff(tints[:, 3].astype(int)) >= 0).all()


def test_a_clear_tint_leaves_the_photograph_and_an_opaque_one_hides_it():
    photograph = np.full((1, 2, 3), 200, np.uint8)
    tints = np.array([[[10, 20, 30, 0], [10, 20, 30, 255]]], np.uint8)
    assert overlays.blend(photograph, tints)[0].tolist() == [[200, 200, 200], [10, 20, 30]]


def test_an_irrelevant_map_leaves_the_face_in_grey():
    crops = np.random.default_rng(0).integers(0, 256, (1, 4, 4, 3), np.uint8)
    drawn = overlays.overlay(crops, np.zeros((1, 4, 4)))
    assert np.array_equal(drawn, overlays.grey(crops))


def test_regions_have_colours_and_what_is_unlabelled_is_clear():
    tints = overlays.tint_regions(np.array([LABELS["nose"], LABELS["hair"], UNLABELLED], np.uint8))
    assert tints[0].tolist() != tints[1].tolist()
    assert tints[2].tolist() == [0, 0, 0, 0]


def test_a_mosaic_holds_each_tile_in_its_place():
    tiles = np.arange(4, dtype=np.uint8).reshape(2, 2, 1, 1, 1) * np.ones((1, 1, 2, 3, 3), np.uint8)
    whole = overlays.mosaic(tiles, gap=1)
    assert whole.shape == (5, 7, 3)
    assert [whole[0, 0, 0], whole[0, 4, 0], whole[3, 0, 0], whole[3, 4, 0]] == [0, 1, 2, 3]
    assert whole[2, 0, 0] == whole[0, 3, 0] == 255
