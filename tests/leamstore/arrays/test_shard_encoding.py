import numpy as np
import pytest
import zarr
from zarr.codecs import BloscCodec, Crc32cCodec

from leamstore import arrays, schema, storage
from leamstore.arrays import shards
from leamstore.arrays.codec_pipeline import CheckedPipeline
from leamstore.arrays.shard_encoding import ShardEncoder

SPECS = {spec.path: spec for spec in (*schema.MAP_ARRAYS, *schema.FACE_ARRAYS)}
PER_SHARD = 64


def size_of(spec):
    return {1: (), 3: (40, 56), 4: (80, 80, 3)}[len(spec.dims)]


def rows_of(spec, count):
    values = np.random.default_rng(0).random((count, *size_of(spec))) ** 3
    return (values * 255 if spec.dtype[0] in "ui" else values).astype(spec.dtype)


def written(folder, spec, rows, start=0):
    """Return the files of an array after rows were written into it."""
    arrays.create_store(folder, {})
    root = zarr.open_group(store=storage.zarr_store(folder), mode="r+")
    shards._require_array(root, "array", spec, size_of(spec), PER_SHARD, 3)
    arrays.write_shards(folder, "array", start, rows)
    files = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


@pytest.fixture
def zarrs_own_way(monkeypatch):
    async def write(pipeline, parts, value, drop_axes=()):
        await pipeline._zarr.write(parts, value, drop_axes)

    def choose():
        monkeypatch.setattr(CheckedPipeline, "write", write)

    return choose


@pytest.mark.parametrize("path", SPECS)
def test_files_are_those_that_zarr_writes(tmp_path, zarrs_own_way, path):
    spec = SPECS[path]
    fill = shards._FILL[spec.dtype]
    rows = rows_of(spec, 3 * PER_SHARD)
    rows[:40] = fill  # the first chunk, or more, and then a part of one
    rows[PER_SHARD : 2 * PER_SHARD] = fill  # a whole shard
    ours = written(tmp_path / "ours", spec, rows)
    zarrs_own_way()
    assert ours == written(tmp_path / "zarr", spec, rows)


def test_it_is_this_module_that_encodes_whole_shards(tmp_path, monkeypatch):
    encoded = []
    plain = ShardEncoder.encode

    def encode(encoder, shard):
        encoded.append(len(shard))
        return plain(encoder, shard)

    monkeypatch.setattr(ShardEncoder, "encode", encode)
    spec = SPECS["<model>/<layer>/relevance"]
    written(tmp_path / "store", spec, rows_of(spec, 2 * PER_SHARD), start=PER_SHARD)
    assert encoded == [PER_SHARD, PER_SHARD]


def test_a_shard_that_holds_nothing_any_more_is_removed(tmp_path):
    spec = SPECS["labels/<parser>"]
    rows = rows_of(spec, PER_SHARD)
    assert "array/c/0/0/0" in written(tmp_path / "store", spec, rows)
    arrays.write_shards(tmp_path / "store", "array", 0, np.zeros_like(rows))
    assert not (tmp_path / "store/array/c/0/0/0").exists()


def test_a_part_of_a_shard_keeps_the_rest(tmp_path):
    spec = SPECS["<model>/<layer>/relevance"]
    rows = rows_of(spec, PER_SHARD)
    written(tmp_path / "store", spec, rows)
    array = zarr.open_array(tmp_path / "store/array", mode="r+")
    array[3:5] = 1
    rows[3:5] = 1
    np.testing.assert_array_equal(array[:PER_SHARD], rows)


@pytest.mark.parametrize(
    ("chunks", "compressors"),
    [
        ((8, 4, 4), [BloscCodec(typesize=2, shuffle="shuffle")]),  # no checksum
        ((8, 2, 4), [BloscCodec(typesize=2, shuffle="shuffle"), Crc32cCodec()]),  # split twice
    ],
)
def test_other_layouts_are_left_to_zarr(tmp_path, chunks, compressors):
    rows = np.random.default_rng(0).random((16, 4, 4)).astype(np.float16)
    array = zarr.create_array(
        tmp_path / "array", shape=(16, 4, 4), dtype="float16", chunks=chunks, shards=(16, 4, 4),
        compressors=compressors,
    )  # fmt: skip
    assert ShardEncoder.of(array.metadata) is None
    array[:] = rows
    np.testing.assert_array_equal(zarr.open_array(tmp_path / "array", mode="r")[:], rows)
