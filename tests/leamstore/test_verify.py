import numpy as np
import pytest

from leamstore import arrays, tables
from leamstore.verify import forget_broken_units, verify


def problems(lake):
    return [f"{finding.place}: {finding.problem}" for finding in verify(lake)]


def change(lake, statement):
    with tables.writing(lake.tables_path) as connection:
        connection.execute(statement)


def test_a_whole_lake_has_no_findings(lake):
    assert verify(lake) == []


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("INSERT INTO models FROM models", r"models: 1 keys (model) stand more than once"),
        ("DELETE FROM units WHERE model = 'faces'", "units, faces, block 0: the unit is not done"),
        (
            "UPDATE images SET sha256 = 'x' WHERE image_id = 0",
            "units, NET, block 0: the unit was made from other images",
        ),
        ("UPDATE units SET block = 5 WHERE model = 'NET'", "units, NET, block 5: no such images"),
        ("DELETE FROM units WHERE model = 'NET'", "pairs: 4 rows belong to no unit of the ledger"),
        (
            "UPDATE image_regions SET nose = 5000 WHERE image_id = 1",
            "image_regions: 1 rows count more region pixels than pixels",
        ),
        (
            "DELETE FROM embeddings WHERE image_id = 3",
            "maps.zarr/NET/conv1/relevance, shard 0: 1 entries have no row in the tables",
        ),
        (
            "INSERT INTO embeddings SELECT model, 9, vector, chip_to_crop FROM embeddings LIMIT 1",
            "maps.zarr/NET/conv2/relevance, shard 0: 1 rows of the tables have nothing here",
        ),
    ],
)
def test_tables_that_contradict_each_other_are_found(lake, statement, expected):
    change(lake, statement)
    assert expected in problems(lake)


def test_a_flipped_bit_in_a_shard_is_found_and_repaired_by_doing_the_unit_again(lake):
    shard = next((lake.maps_path / "NET/conv1/relevance/c").rglob("0"))
    shard = lake.maps_path / "NET/conv1/relevance/c/0/0/0"
    content = bytearray(shard.read_bytes())
    content[10] ^= 1
    shard.write_bytes(content)
    findings = verify(lake)
    assert [finding.unit for finding in findings] == [("NET", 0)]
    assert "can't be read" in findings[0].problem
    assert forget_broken_units(lake, findings) == 1
    assert lake.sql("SELECT model FROM units")["model"].to_list() == ["faces"]


def test_relevance_beyond_one_is_found(lake):
    maps = np.full((arrays.SHARD_IMAGES, 4, 4), np.nan, np.float16)
    maps[:4] = 2
    arrays.write_shards(lake.maps_path, "NET/conv1/relevance", 0, maps)
    assert problems(lake) == [
        "maps.zarr/NET/conv1/relevance, shard 0: relevance lies outside [0, 1]"
    ]


def test_missing_labels_are_found(lake):
    blank = np.zeros((arrays.SHARD_IMAGES, 512, 512), np.uint8)
    arrays.write_shards(lake.faces_path, "labels/landmarks", 0, blank)
    assert problems(lake) == [
        "faces.zarr/labels/landmarks, shard 0: 4 rows of the tables have nothing here"
    ]
