import numpy as np
import pytest

from analyses.rerun.masks import (
    SOURCES,
    cut_masks,
    draw_sources,
    mirror,
    order_pixels,
    pixels_hidden,
    random_order,
)
from leamstore import geometry
from leamstore.layers import CellGrid
from leamstore.poses import CANONICAL, INNER, carry


def test_the_most_relevant_pixel_is_first_and_ties_go_by_pixel_order():
    order = order_pixels(np.array([[[0.5, 0.0], [0.9, 0.5]]]))
    np.testing.assert_array_equal(order, [[[1, 3], [0, 2]]])


def test_an_all_zero_map_hides_in_pixel_order():
    masks = cut_masks(order_pixels(np.zeros((1, 2, 2))), percent=50)
    np.testing.assert_array_equal(masks, [[[True, True], [False, False]]])


@pytest.mark.parametrize("percent", [0.01, 0.1, 1, 10])
def test_all_masks_of_a_percent_have_exactly_the_same_number_of_pixels(generator, percent):
    own = order_pixels(generator.random((2, 150, 150)))
    flat = order_pixels(np.zeros((2, 150, 150)))
    for order in (own, flat, mirror(own), random_order([0, 1], 150, seed=0, draw=0)):
        counts = cut_masks(order, percent).sum((1, 2))
        np.testing.assert_array_equal(counts, round(percent / 100 * 22500))


def test_one_percent_of_a_chip_of_150_is_225_pixels():
    assert pixels_hidden(1, 150) == 225


def test_the_mirrored_mask_is_the_mirror_of_the_own_mask_ties_included(generator):
    order = order_pixels(generator.integers(0, 3, (2, 9, 9)))
    np.testing.assert_array_equal(
        cut_masks(mirror(order), 20), cut_masks(order, 20)[:, :, ::-1]
    )  # fmt: skip


def test_random_orders_hang_on_seed_draw_and_image_alone():
    both = random_order([3, 7], 8, seed=1, draw=0)
    np.testing.assert_array_equal(both[1:], random_order([7], 8, seed=1, draw=0))
    assert (both[0] != both[1]).any()
    assert (both != random_order([3, 7], 8, seed=2, draw=0)).any()
    assert (both != random_order([3, 7], 8, seed=1, draw=1)).any()
    np.testing.assert_array_equal(np.sort(both[0].ravel()), np.arange(64))


def test_maps_go_to_their_own_chip_as_the_lake_resamples_them(generator):
    maps = generator.random((2, 72, 72)).astype(np.float16)
    matrix = geometry.resample(72, 2.0, 3.0, 150, 150).matrix
    grid = CellGrid(72, 72, 2.0, 3.0, 150)
    carried = carry(maps, grid, np.eye(2, 3), 150, beyond="nearest", dtype=np.float64)
    np.testing.assert_allclose(carried, matrix @ maps.astype(np.float64) @ matrix.T, atol=1e-12)


def test_maps_go_to_another_chip_where_its_pixels_lie_on_theirs():
    maps = np.zeros((1, 8, 8))
    maps[0, 2, 5] = 1
    to_map_chip = np.array([[[1.0, 0, 3.0], [0, 1.0, -1.0]]])
    carried = carry(maps, CellGrid.of_chip(8), to_map_chip, 8, beyond="nearest")
    assert np.argwhere(carried).tolist() == [[0, 3, 2]]


def faces(widths):
    """Landmarks of faces told apart by how far the mouth is open."""
    mean = np.zeros((68, 2))
    mean[INNER] = CANONICAL
    landmarks = np.repeat(mean[None], len(widths), axis=0)
    landmarks[:, 57, 1] += widths
    return landmarks


def test_masks_come_from_oneself_the_same_person_and_strangers():
    identities = np.repeat(["Ada", "Bea", "Cy"], 3)
    sources = draw_sources(identities, faces(np.arange(9)), seed=0)
    images = np.arange(9)
    assert tuple(sources) == SOURCES
    np.testing.assert_array_equal(sources["own"], images)
    assert (identities[sources["same person"]] == identities).all()
    assert (sources["same person"] != images).all()
    assert (identities[sources["matched stranger"]] != identities).all()
    assert (identities[sources["swap"]] != identities).all()


def test_the_matched_stranger_has_the_pose_of_the_other_image_wherever_it_lies():
    landmarks = faces([0, 50, 1, 51])
    turned = np.array([[0.0, -2.0, 30.0], [2.0, 0.0, 7.0]])
    landmarks[2:] = geometry.apply(turned, landmarks[2:])
    sources = draw_sources(["Ada", "Ada", "Bea", "Bea"], landmarks, seed=0)
    assert sources["same person"].tolist() == [1, 0, 3, 2]
    assert sources["matched stranger"].tolist() == [3, 2, 1, 0]


def test_sources_are_drawn_by_seed():
    identities, landmarks = np.repeat(list("abcdefgh"), 5), faces(np.arange(40))
    first, again, other = (draw_sources(identities, landmarks, seed)["swap"] for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
