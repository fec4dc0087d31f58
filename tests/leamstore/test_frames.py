import numpy as np
import pytest

from leamstore import frames, geometry
from leamstore.frames import Poses, lay_on_grid, normalise, take_top

UNMOVED = np.eye(2, 3)[None]


def test_in_the_chips_own_frame_maps_go_up_as_resample_carries_them():
    maps = np.random.default_rng(0).random((3, 35, 35)).astype(np.float16)
    weights = geometry.resample(35, 4.0, 5.0, 150, 112).matrix
    unmoved = np.repeat(UNMOVED, 3, axis=0)

    to_chip = Poses(unmoved, unmoved, unmoved).grid_to_chip("chip", 112, 150)
    laid = lay_on_grid(maps, to_chip, 4.0, 5.0, 150, 112)

    np.testing.assert_allclose(laid, weights @ maps.astype(np.float64) @ weights.T, atol=1e-6)


def test_a_shift_by_whole_cells_moves_values_and_leaves_zeros():
    grid_to_chip = UNMOVED + np.array([[0, 0, 1.0], [0, 0, 0]])

    laid = lay_on_grid(np.arange(1.0, 10.0).reshape(1, 3, 3), grid_to_chip, 1, 0, 3, 3)

    assert laid[0].tolist() == [[2, 3, 0], [5, 6, 0], [8, 9, 0]]


def test_a_quarter_turn_turns_the_map():
    # Grid pixel (x, y) looks at chip pixel (y, 2 - x): the map turns clockwise.
    grid_to_chip = np.array([[[0.0, 1.0, 0.0], [-1.0, 0.0, 2.0]]])

    laid = lay_on_grid(np.arange(1.0, 10.0).reshape(1, 3, 3), grid_to_chip, 1, 0, 3, 3)

    assert laid[0].tolist() == [[7, 4, 1], [8, 5, 2], [9, 6, 3]]


@pytest.mark.parametrize("frame", frames.FRAMES)
def test_a_point_of_the_chip_is_found_where_the_frame_has_it(frame):
    rng = np.random.default_rng(1)
    into = [np.eye(2, 3) + rng.normal(scale=0.1, size=(1, 2, 3)) for _ in range(3)]
    chip_to_crop, crop_to_identity, crop_to_canonical = into
    chain = {
        "chip": [],
        "crop": [chip_to_crop],
        "identity": [chip_to_crop, crop_to_identity],
        "canonical": [chip_to_crop, crop_to_canonical],
    }[frame]
    chip_point = np.array([[3.0, 5.0]])
    point = chip_point
    for affine in chain:
        point = geometry.apply(affine[0], point)
    side = 8 if frame == "chip" else 512

    grid_point = (point + 0.5) * 16 / side - 0.5

    to_chip = Poses(*into).grid_to_chip(frame, 16, 8)
    np.testing.assert_allclose(geometry.apply(to_chip[0], grid_point), chip_point)


def test_the_top_breaks_ties_by_pixel_order():
    maps = np.array([[[1, 3], [3, 3]], [[0, 0], [0, 5]]], np.float32)

    assert take_top(maps, 50).tolist() == [[[0, 3], [3, 0]], [[0, 0], [0, 5]]]


def test_the_top_percent_of_112_is_125_pixels():
    maps = np.random.default_rng(0).random((2, 112, 112)).astype(np.float32)

    top = take_top(maps, 1.0)

    assert np.count_nonzero(top, axis=(1, 2)).tolist() == [125, 125]
    assert top[0][top[0] > 0].min() == np.sort(maps[0].ravel())[-125]


def test_normalised_maps_sum_to_one_and_empty_ones_stay_empty():
    sums = normalise(np.stack([np.full((2, 2), 3.0), np.zeros((2, 2))])).sum((1, 2))

    assert sums.tolist() == [1.0, 0.0]
