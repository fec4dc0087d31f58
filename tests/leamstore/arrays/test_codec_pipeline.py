from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import zarr
from zarr.core.codec_pipeline import BatchedCodecPipeline
from zarrs import ZarrsCodecPipeline

from leamstore import arrays
from leamstore.arrays import SHARD_IMAGES
from leamstore.arrays.codec_pipeline import CheckedPipeline, checked_pipeline

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


@pytest.fixture
def opened(store):
    """Every door of ours once, after which Zarr's configuration has to be what it was."""
    before = zarr.config.get("codec_pipeline.path")
    arrays.open_array(store, NAME)
    arrays.open_tree(store)
    arrays.clear_images(store, [0])
    arrays.open_root(store)
    assert zarr.config.get("codec_pipeline.path") == before


def test_a_users_own_arrays_are_left_to_zarr(opened, tmp_path):
    own = zarr.create_array(tmp_path / "own.zarr", shape=(4,), chunks=(2,), dtype="f4")
    own[:] = 1
    for array in (own, zarr.open_array(tmp_path / "own.zarr", mode="r")):
        assert type(array.async_array.codec_pipeline) is BatchedCodecPipeline
        assert (array[:] == 1).all()


def test_a_users_own_pipeline_stays_what_the_user_chose(store, tmp_path):
    with zarr.config.set({"codec_pipeline.path": "zarrs.ZarrsCodecPipeline"}):
        arrays.open_array(store, NAME)
        own = zarr.create_array(tmp_path / "own.zarr", shape=(4,), chunks=(2,), dtype="f4")
        assert type(own.async_array.codec_pipeline) is ZarrsCodecPipeline


def test_zarrs_configuration_outlives_threads_that_open_at_once(store):
    before = zarr.config.get("codec_pipeline.path")
    with ThreadPoolExecutor(8) as executor:
        opened = list(executor.map(lambda _: arrays.open_array(store, NAME), range(64)))
    assert zarr.config.get("codec_pipeline.path") == before
    assert {type(array.async_array.codec_pipeline) for array in opened} == {CheckedPipeline}


def test_arrays_that_are_in_no_folder_are_left_to_zarr():
    with checked_pipeline(Path("anywhere")):
        array = zarr.create_array(zarr.storage.MemoryStore(), shape=(4,), chunks=(2,), dtype="f4")
    assert not isinstance(array.async_array.codec_pipeline, CheckedPipeline)
    array[:] = 1
    assert (array[:] == 1).all()
