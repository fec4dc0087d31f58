import numpy as np
import pytest

from leamstore import arrays, geometry
from leamstore.arrays import SHARD_IMAGES
from leamstore.errors import LakeError, MissingArrayError
from leamstore.layers import CellGrid, Layer, normalise, take_top, top_pixels


def values(maps):
    """The value that all cells of a map have, map by map."""
    assert (maps == maps[:, :1, :1]).all()
    return maps[:, 0, 0].tolist()


@pytest.fixture
def layer(tmp_path):
    """A layer of three shards, whose map of image i is i / 256 in every cell, and half its peak."""
    store, images = tmp_path / "maps.zarr", 3 * SHARD_IMAGES
    arrays.create_store(store, {})
    arrays.require_layer(store, "NET", "conv1", (3, 2), {}, shards=3, keep_pairs=2)
    of_image = np.arange(images, dtype=np.float16) / 256
    maps = np.broadcast_to(of_image[:, None, None], (images, 3, 2))
    arrays.write_shards(store, "NET/conv1/relevance", 0, maps)
    arrays.write_shards(store, "NET/conv1/pair_relevance", 0, np.repeat(maps[:64], 2, 0) + 1)
    arrays.write_shards(store, "NET/conv1/peak", 0, of_image.astype(np.float32) * 2)
    return Layer(store, "NET", "conv1", 0, CellGrid(3, 2, 2.0, 0.5, 8))


def test_maps_come_in_the_order_in_which_they_are_asked_for(layer):
    maps = layer.read([130, 0, 64, 130, 5])

    assert (maps.dtype, maps.shape) == (np.float32, (5, 3, 2))
    assert values(maps) == [130 / 256, 0, 0.25, 130 / 256, 5 / 256]


def test_a_map_that_the_layer_does_not_hold_is_nan(layer):
    maps = layer.read([-1, 1, 3 * SHARD_IMAGES])

    assert np.isnan(maps[[0, 2]]).all()
    assert values(maps[1:2]) == [1 / 256]


def test_no_images_have_no_maps(layer):
    assert layer.read([]).shape == (0, 3, 2)


def test_pair_maps_are_read_by_pair(layer):
    # Two pairs are kept of each image: those of image 3 are 6 and 7.
    assert values(layer.read_pairs([7, 0, 6])) == [1 + 3 / 256, 1, 1 + 3 / 256]


def test_the_mean_map_is_of_the_images_named_over_all_shards(layer):
    mean = layer.mean_map([0, 64, 128, 2])

    assert mean.dtype == np.float64
    assert (mean == (0 + 64 + 128 + 2) / 4 / 256).all()


def test_a_layer_that_the_store_lacks_is_a_sentence(layer):
    with pytest.raises(MissingArrayError, match="holds no array NET/conv2/relevance"):
        Layer(layer.store, "NET", "conv2", 1, layer.grid).read([0])


def test_an_array_of_another_size_than_the_layer_is_not_read(layer):
    other = Layer(layer.store, "NET", "conv1", 0, CellGrid(2, 2, 2.0, 0.5, 8))
    for read in (other.read, other.read_pairs):
        with pytest.raises(LakeError, match=r"has other shards than .*run .*verify"):
            read([0])


def test_a_lake_lists_its_layers_from_the_input_on_with_their_cells(lake):
    assert [(layer.model, layer.name, layer.position) for layer in lake.layers()] == [
        ("NET", "conv1", 0),
        ("NET", "conv2", 1),
    ]
    first, second = lake.layers("NET")
    assert first.grid == CellGrid(height=4, width=4, stride=2.0, offset=0.5, input_size=8)
    assert values(second.read([3, 0])) == [0.5, 0.125]
    assert lake.layers("NOT") == []


def test_a_grid_carries_rows_and_columns_each_by_their_own_cells():
    grid = CellGrid(height=3, width=2, stride=2.0, offset=1.0, input_size=6)

    rows, columns = grid.weights(6)

    # Cells at chip pixels 1, 3, 5 down and 1, 3 across; the grid has the chip's own six pixels.
    assert rows.tolist() == [
        [1, 0, 0],
        [1, 0, 0],
        [0.5, 0.5, 0],
        [0, 1, 0],
        [0, 0.5, 0.5],
        [0, 0, 1],
    ]
    assert columns.tolist() == [[1, 0], [1, 0], [0.5, 0.5], [0, 1], [0, 1], [0, 1]]
    assert grid.resample(np.array([[0, 4], [8, 12], [16, 20.0]]), 6)[2].tolist() == [
        4, 4, 6, 8, 8, 8,
    ]  # fmt: skip


def test_the_grid_of_a_chip_leaves_its_pixels_as_they_are():
    pixels = np.random.default_rng(0).random((2, 5, 5))

    assert (CellGrid.of_chip(5).resample(pixels, 5) == pixels).all()


@pytest.mark.parametrize(
    ("of", "precision"), [(np.float16, np.float32), (np.float32, np.float32), (float, float)]
)
def test_maps_are_resampled_in_their_own_precision_and_float32_at_least(of, precision):
    maps = np.random.default_rng(0).random((2, 4, 4)).astype(of)
    weights = geometry.resample(4, 2.0, 0.5, 8, 8).matrix.astype(precision)

    resampled = CellGrid(4, 4, 2.0, 0.5, 8).resample(maps, 8)

    assert resampled.dtype == precision
    assert (resampled == weights @ maps.astype(precision) @ weights.T).all()


def test_the_top_breaks_ties_by_pixel_order():
    maps = np.array([[[1, 3], [3, 3]], [[0, 0], [0, 5]]], np.float32)

    assert take_top(maps, 50).tolist() == [[[0, 3], [3, 0]], [[0, 0], [0, 5]]]


def test_ties_at_the_border_go_by_pixel_order():
    taken = top_pixels(np.array([[[0.0, 1.0, 0.5], [0.5, 0.5, 0.0]]]), 50.0)

    assert taken[0].tolist() == [[False, True, True], [True, False, False]]


def test_the_whole_of_a_map_is_its_top_100_percent():
    assert top_pixels(np.zeros((1, 2, 2)), 100).all()


def test_the_top_percent_of_112_is_125_pixels():
    maps = np.random.default_rng(0).random((2, 112, 112)).astype(np.float32)

    top = take_top(maps, 1.0)

    assert np.count_nonzero(top, axis=(1, 2)).tolist() == [125, 125]
    assert top[0][top[0] > 0].min() == np.sort(maps[0].ravel())[-125]


def test_normalised_maps_sum_to_one_and_empty_ones_stay_empty():
    sums = normalise(np.stack([np.full((2, 2), 3.0), np.zeros((2, 2))])).sum((1, 2))

    assert sums.tolist() == [1.0, 0.0]
