import numpy as np
import pytest
import zarr
from zarrs import ZarrsCodecPipeline

from leamstore import arrays
from leamstore.arrays import SHARD_IMAGES
from leamstore.arrays.codec_pipeline import CheckedPipeline

NAME = "NET/conv1/relevance"
ENTRIES_IN_CHUNK = 16


@pytest.fixture
def noise():
    return np.random.default_rng(0).random((2 * SHARD_IMAGES, 128, 128)).astype(np.float16)


@pytest.fixture
def store(tmp_path, noise):
    path = tmp_path / "maps.zarr"
    arrays.create_store(path, {})
    arrays.require_layer(path, "NET", "conv1", (128, 128), {}, shards=3, keep_pairs=0)
    arrays.write_shards(path, NAME, 0, noise)
    return path


@pytest.fixture
def read_in_rust(monkeypatch):
    """Whether each read that began went to Rust and ended there."""
    reads = []

    async def read(self, *arguments):
        reads.append(False)
        await original(self, *arguments)
        reads[-1] = True

    original = ZarrsCodecPipeline.read
    monkeypatch.setattr(ZarrsCodecPipeline, "read", read)
    return reads


def flip_a_bit(store, shard, position):
    file = store / NAME / f"c/{shard}/0/0"
    content = bytearray(file.read_bytes())
    content[position] ^= 1
    file.write_bytes(content)


def test_whole_shards_are_read_in_rust(store, noise, read_in_rust):
    array = arrays.open_array(store, NAME)
    np.testing.assert_array_equal(array[: 2 * SHARD_IMAGES], noise)
    assert np.isnan(array[2 * SHARD_IMAGES :]).all(), "a shard that was never written"
    assert read_in_rust == [True, True]


@pytest.mark.parametrize(
    "part", [3, slice(0, ENTRIES_IN_CHUNK), slice(10, SHARD_IMAGES + 1), [1, 5, 70]]
)
def test_parts_of_shards_are_read_by_zarr_itself(store, noise, read_in_rust, part):
    array = arrays.open_array(store, NAME)
    np.testing.assert_array_equal(array.oindex[part], noise[part])
    assert read_in_rust == []


@pytest.mark.parametrize("part", [0, slice(0, ENTRIES_IN_CHUNK), slice(0, SHARD_IMAGES)])
def test_a_flipped_bit_is_an_error_whatever_part_of_its_chunk_is_read(store, part):
    flip_a_bit(store, shard=0, position=1000)
    with pytest.raises(ValueError, match=r"(?i)checksum"):
        arrays.open_array(store, NAME)[part]


def test_a_flipped_bit_costs_its_own_shard_only(store, noise):
    flip_a_bit(store, shard=0, position=1000)
    array = arrays.open_array(store, NAME)
    np.testing.assert_array_equal(array[SHARD_IMAGES : 2 * SHARD_IMAGES], noise[SHARD_IMAGES:])


def test_arrays_that_are_in_no_folder_are_left_to_zarr():
    array = zarr.create_array(zarr.storage.MemoryStore(), shape=(4,), chunks=(2,), dtype="f4")
    assert not isinstance(array.async_array.codec_pipeline, CheckedPipeline)
    array[:] = 1
    assert (array[:] == 1).all()
