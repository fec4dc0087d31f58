import re
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from leamstore import arrays, tables
from leamstore.catalog import read_catalog
from leamstore.errors import LakeError
from leamstore.lake import Lake
from leamstore.safety.lock import ingest_lock
from leamstore.safety.verify import remove_broken, verify

DATA = Path(__file__).parents[1] / "data"


def problems(lake):
    return [f"{fault.place}: {fault.problem}" for fault in verify(lake)]


def change(lake, statement):
    with tables.writing(lake.tables_path) as connection:
        connection.execute(statement)


def flip(file, position):
    content = bytearray(file.read_bytes())
    content[position] ^= 1 << position % 8
    file.write_bytes(content)


def shards(lake):
    return [
        file
        for store in (lake.maps_path, lake.faces_path)
        for file in sorted(store.rglob("*"))
        if file.is_file() and file.name != "zarr.json"
    ]


def places(lake):
    return {
        f"{shard.relative_to(lake.path).as_posix().partition('/c/')[0]}, shard 0"
        for shard in shards(lake)
    }


def test_a_whole_lake_has_no_findings(lake):
    assert verify(lake) == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("INSERT INTO models FROM models", "models: keys (model) that occur more than once: 1"),
        (
            "INSERT INTO pairs FROM pairs",
            "pairs: keys (model, anchor, positive) that occur more than once: 4",
        ),
        ("DELETE FROM units WHERE model = 'faces'", "units, faces, block 0: the unit is not done"),
        (
            "UPDATE images SET sha256 = 'x' WHERE image_id = 0",
            "units, NET, block 0: the unit was made from other images",
        ),
        ("UPDATE units SET block = 5 WHERE model = 'NET'", "units, NET, block 5: no such images"),
        (
            "UPDATE units SET model = 'retired' WHERE model = 'NET'",
            "units, retired, block 0: images have left, and their maps are not cleared",
        ),
        (
            "DELETE FROM units WHERE model = 'NET'",
            "pairs: rows that belong to no unit of the ledger: 4",
        ),
        ("DELETE FROM pairs WHERE anchor = 1", "pairs: rows are missing"),
        ("DELETE FROM image_regions WHERE image_id = 1", "image_regions: rows are missing"),
        ("UPDATE models SET positives = 'all'", "pair_regions: rows are missing"),
        (
            "UPDATE image_regions SET nose = 5000 WHERE image_id = 1",
            "image_regions: rows that count more region pixels than pixels: 1",
        ),
        (
            "DELETE FROM embeddings WHERE image_id = 3",
            "maps.zarr/NET/conv1/relevance, shard 0: entries that have no row in the tables: 1",
        ),
        ("DELETE FROM embeddings WHERE image_id = 3", "embeddings: rows are missing"),
        (
            "INSERT INTO embeddings SELECT model, 9, vector, chip_to_crop FROM embeddings LIMIT 1",
            "maps.zarr/NET/conv2/peak, shard 0: rows of the tables that have nothing here: 1",
        ),
        (
            "UPDATE pairs SET cosine = 'nan' WHERE anchor = 1",
            "pairs: cosines that are not finite: 1",
        ),
        (
            "UPDATE pairs SET positive = 2 WHERE anchor = 0",
            "maps.zarr/NET/conv1/positive, shard 0: it names other images than the tables",
        ),
    ],
)
def test_tables_that_contradict_each_other_are_found(lake, statement, expected):
    change(lake, statement)
    assert any(problem.startswith(expected) for problem in problems(lake))


@pytest.mark.parametrize("seed", range(3))
def test_a_flipped_bit_is_found_in_every_shard_wherever_it_is(lake, seed):
    draw = np.random.default_rng(seed)
    for shard in shards(lake):
        flip(shard, draw.integers(shard.stat().st_size))
    assert {fault.place for fault in verify(lake)} == places(lake)


def test_every_missing_shard_is_found(lake):
    expected = places(lake)
    for shard in shards(lake):
        shard.unlink()
    faults = verify(lake)
    assert {fault.place for fault in faults} == expected
    assert all(re.search(r"have nothing here: \d+$", fault.problem) for fault in faults)


def test_another_shard_in_its_place_is_found(lake):
    shard = lake.maps_path / "NET/conv1/anchor/c/0"
    shutil.copy(lake.maps_path / "NET/conv1/positive/c/0", shard)
    assert problems(lake) == [
        "maps.zarr/NET/conv1/anchor, shard 0: it names other images than the tables"
    ]


def test_maps_beyond_all_images_are_found_and_taken_out(lake):
    arrays.require_layer(lake.maps_path, "NET", "conv1", (4, 4), {}, shards=2, keep_pairs=1)
    arrays.require_layer(lake.maps_path, "NET", "conv2", (2, 2), {}, shards=2, keep_pairs=1)
    foreign = lake.maps_path / "NET/conv1/relevance/c/1/0/0"
    foreign.parent.mkdir(parents=True)
    shutil.copy(lake.maps_path / "NET/conv1/relevance/c/0/0/0", foreign)
    faults = verify(lake)
    assert [fault.problem for fault in faults] == ["entries that have no row in the tables: 4"]
    assert remove_broken(lake, faults) == set()
    assert not foreign.exists()
    assert verify(lake) == []


def test_files_that_belong_to_nothing_are_found(lake):
    folder = lake.maps_path / "NET/conv1/relevance/c/0/0"
    (folder / "0.a1b2.partial").write_bytes(b"half")
    (folder / "notes").write_text("x")
    (lake.maps_path / "thesis.txt").write_text("years of work")
    faults = {fault.place: fault for fault in verify(lake)}
    assert {place: fault.problem for place, fault in faults.items()} == {
        "maps.zarr/NET/conv1/relevance/c/0/0/0.a1b2.partial": "it was being written",
        "maps.zarr/NET/conv1/relevance/c/0/0/notes": "it is no shard",
        "maps.zarr/thesis.txt": "it belongs to no array of the tables",
    }
    remove_broken(lake, faults.values())
    assert (lake.maps_path / "thesis.txt").exists(), "what isn't the lake's is left to its owner"
    assert len(verify(lake)) == 1


@pytest.mark.parametrize("content", [b"", b"{}", b"not json"])
def test_broken_metadata_of_an_array_are_found(lake, content):
    (lake.maps_path / "NET/conv2/peak/zarr.json").write_bytes(content)
    (fault,) = verify(lake)
    assert fault.place == "maps.zarr/NET/conv2/peak"
    assert "metadata can't be read" in fault.problem
    assert fault.units == (("NET", 0),)


def test_a_flipped_bit_in_the_tables_is_found_or_the_lake_does_not_open(lake):
    whole = lake.tables_path.read_bytes()
    with tables.reading(lake.tables_path) as connection:
        blocks, free, size = connection.sql(
            "SELECT total_blocks, free_blocks, block_size FROM pragma_database_size()"
        ).fetchall()[0]
    found = 0
    for block in range(blocks):
        flip(lake.tables_path, 3 * 4096 + block * size + 100)
        try:
            found += bool(verify(Lake(lake.path)))
        except LakeError:
            found += 1
        lake.tables_path.write_bytes(whole)
    # Blocks that DuckDB keeps free hold nothing that could break.
    assert found == blocks - free > 1


def test_other_weights_than_the_catalogs_are_found(lake):
    change(
        lake,
        "UPDATE models SET catalog_name = 'DLIB_R29', weights_sha256 = 'ab', weights = 'my.dat'",
    )
    assert problems(lake) == []
    (fault,) = verify(lake, read_catalog())
    assert fault.place == "models, NET"
    assert "run with my.dat (sha256 ab), and the catalog knows other weights" in fault.problem
    assert "ingest into another lake" in fault.remedy


def test_maps_of_other_weights_than_the_tables_say_are_found(lake):
    import zarr

    zarr.open_group(lake.maps_path, mode="r+")["NET/conv1"].update_attributes({"weights": "y"})
    assert problems(lake) == [
        "maps.zarr/NET/conv1: its maps were made with weights y, and the tables say x"
    ]


def test_relevance_beyond_one_is_found(lake):
    maps = np.full((arrays.SHARD_IMAGES, 4, 4), np.nan, np.float16)
    maps[:4] = 2
    arrays.write_shards(lake.maps_path, "NET/conv1/relevance", 0, maps)
    assert problems(lake) == [
        "maps.zarr/NET/conv1/relevance, shard 0: relevance lies outside [0, 1]"
    ]


def test_what_is_broken_is_taken_out_with_its_rows_and_all_else_stays(lake):
    flip(lake.maps_path / "NET/conv1/relevance/c/0/0/0", 10)
    assert remove_broken(lake, verify(lake)) == {("NET", 0)}
    assert lake.sql("SELECT model FROM units")["model"].to_list() == ["faces"]
    for table in ("embeddings", "pairs", "image_regions"):
        assert lake.sql(f"SELECT count(*) FROM {table}").item() == 0
    assert lake.images.height == 4


def test_nothing_is_taken_out_while_an_ingest_is_at_work(lake):
    change(lake, "DELETE FROM embeddings WHERE image_id = 3")
    with ingest_lock(lake.path), pytest.raises(LakeError, match="another ingest is at work"):
        remove_broken(lake, verify(lake))


def test_a_lake_of_an_older_format_is_refused_with_a_sentence(tmp_path):
    zipfile.ZipFile(DATA / "format-0.lake.zip").extractall(tmp_path)
    with pytest.raises(LakeError) as error:
        Lake(tmp_path / "format-0.lake")
    assert str(error.value) == (
        f"{tmp_path / 'format-0.lake'} can't be used: it has format version 0, this program reads "
        "1; open it with the release that made it, or make it anew from its images."
    )
