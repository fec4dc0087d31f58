import numpy as np
import pytest
import xarray as xr

from leamstore import arrays
from leamstore.arrays import SHARD_IMAGES
from leamstore.errors import LakeError

ATTRIBUTES = {"stride": 2.0, "offset": 3.0}


@pytest.fixture
def store(tmp_path):
    path = tmp_path / "maps.zarr"
    arrays.create_store(path, {})
    require_layer(path, shards=2)
    return path


def require_layer(store, shards, keep_pairs=2, attributes=ATTRIBUTES):
    arrays.require_layer(
        store, "NET", "conv1", (5, 4), attributes, shards=shards, keep_pairs=keep_pairs
    )


def shard(value):
    return np.full((SHARD_IMAGES, 5, 4), value, np.float16)


def test_what_is_written_is_read(store):
    arrays.write_shards(store, "NET/conv1/relevance", SHARD_IMAGES, shard(0.25))
    stored = arrays.open_array(store, "NET/conv1/relevance")
    assert stored.shape == (2 * SHARD_IMAGES, 5, 4)
    assert (stored[SHARD_IMAGES:] == 0.25).all()
    assert np.isnan(stored[:SHARD_IMAGES]).all(), "what was never written is NaN"


def test_a_store_opens_with_xarray_alone(store):
    arrays.write_shards(store, "NET/conv1/relevance", 0, shard(0.5))
    tree = xr.open_datatree(store, engine="zarr", consolidated=False)
    relevance = tree["NET/conv1/relevance"]
    assert relevance.dims == ("image", "y", "x")
    assert relevance.attrs["units"] == "1"
    assert tree["NET/conv1"].attrs == ATTRIBUTES
    assert float(relevance.mean()) == 0.5


@pytest.mark.parametrize(
    ("start", "length"),
    [(1, SHARD_IMAGES), (0, SHARD_IMAGES - 1), (2 * SHARD_IMAGES, SHARD_IMAGES)],
)
def test_only_whole_shards_within_the_array_are_written(store, start, length):
    with pytest.raises(LakeError, match="not whole shards"):
        arrays.write_shards(store, "NET/conv1/relevance", start, shard(1)[:length])


def test_a_layer_that_is_there_grows_and_keeps_what_it_has(store):
    arrays.write_shards(store, "NET/conv1/relevance", 0, shard(0.5))
    require_layer(store, shards=3)
    stored = arrays.open_array(store, "NET/conv1/relevance")
    assert stored.shape[0] == 3 * SHARD_IMAGES
    assert (stored[:SHARD_IMAGES] == 0.5).all()
    pairs = arrays.open_array(store, "NET/conv1/pair_relevance")
    assert pairs.shape[0] == 2 * 3 * SHARD_IMAGES, "two pairs are kept for each image"


def test_a_layer_made_otherwise_is_refused(store):
    with pytest.raises(LakeError, match="use another lake"):
        require_layer(store, shards=2, attributes={"stride": 4.0, "offset": 3.0})


def test_no_pair_arrays_are_made_where_no_pair_maps_are_kept(tmp_path):
    arrays.create_store(tmp_path / "maps.zarr", {})
    require_layer(tmp_path / "maps.zarr", shards=1, keep_pairs=0)
    with pytest.raises(LakeError, match="no array NET/conv1/pair_relevance"):
        arrays.open_array(tmp_path / "maps.zarr", "NET/conv1/pair_relevance")


def test_a_flipped_bit_is_an_error_and_not_a_wrong_map(store):
    noise = np.random.default_rng(0).random((SHARD_IMAGES, 5, 4)).astype(np.float16)
    arrays.write_shards(store, "NET/conv1/relevance", 0, noise)
    file = store / "NET/conv1/relevance/c/0/0/0"
    content = bytearray(file.read_bytes())
    content[100] ^= 1
    file.write_bytes(content)
    with pytest.raises(ValueError, match=r"(?i)checksum"):
        arrays.open_array(store, "NET/conv1/relevance")[:]


def test_images_that_are_cleared_leave_their_neighbours_alone(store):
    arrays.write_shards(store, "NET/conv1/relevance", 0, shard(0.5))
    pairs = np.full((2 * SHARD_IMAGES, 5, 4), 0.25, np.float16)
    arrays.write_shards(store, "NET/conv1/pair_relevance", 0, pairs)
    arrays.clear_images(store, [3])
    relevance = arrays.open_array(store, "NET/conv1/relevance")[:SHARD_IMAGES]
    assert np.isnan(relevance[3]).all()
    assert (np.delete(relevance, 3, axis=0) == 0.5).all()
    pairs = arrays.open_array(store, "NET/conv1/pair_relevance")[: 2 * SHARD_IMAGES]
    assert np.isnan(pairs[6:8]).all()
    assert (np.delete(pairs, [6, 7], axis=0) == 0.25).all()
