import polars as pl
import pytest

from leamstore import tables
from leamstore.arrays.blocks import Block
from leamstore.errors import LakeError
from leamstore.safety.recovery import recover
from leamstore.tables import ledger
from tests.leamstore.conftest import unit_rows

BLOCK = Block(0, 1)


def count(lake, table):
    return lake.sql(f"SELECT count(*) FROM {table}").item()


def test_doing_a_unit_again_changes_nothing(lake):
    before = {table: lake.sql(f"FROM {table} ORDER BY ALL") for table in ("embeddings", "pairs")}
    images = lake.images
    with tables.writing(lake.tables_path) as connection:
        ledger.commit_unit(connection, "NET", BLOCK, images, unit_rows("NET"), "run")
    for table, rows in before.items():
        assert lake.sql(f"FROM {table} ORDER BY ALL").equals(rows)
    assert lake.sql("SELECT count(*) FROM units WHERE model = 'NET'").item() == 1


def test_a_unit_whose_rows_do_not_fit_leaves_the_old_ones(lake):
    broken = unit_rows("NET") | {"pairs": pl.DataFrame({"nonsense": [1]})}
    images = lake.images
    with pytest.raises(LakeError), tables.writing(lake.tables_path) as connection:
        ledger.commit_unit(connection, "NET", BLOCK, images, broken, "run")
    assert count(lake, "pairs") == 4
    assert count(lake, "embeddings") == 4


def test_a_run_that_a_later_one_took_for_dead_commits_nothing_more(lake):
    enter = "INSERT INTO runs VALUES ('dead', '', '{}', '{}', now(), NULL, NULL)"
    images = lake.images
    with tables.writing(lake.tables_path) as connection:
        connection.execute(enter)
        ledger.commit_unit(connection, "NET", BLOCK, images, unit_rows("NET"), "dead")
    recover(lake)
    before = lake.sql("FROM units ORDER BY ALL")
    with (
        pytest.raises(LakeError, match="another ingest has begun on this lake meanwhile"),
        tables.writing(lake.tables_path) as connection,
    ):
        ledger.commit_unit(connection, "NET", BLOCK, images, unit_rows("NET"), "dead")
    assert lake.sql("FROM units ORDER BY ALL").equals(before)


def test_the_checksum_follows_places_identities_and_contents(lake):
    images = lake.images
    checksum = ledger.block_checksum(images)
    assert checksum == ledger.block_checksum(images.with_columns(gender=pl.lit("male")))
    for column, value in (("sha256", "z"), ("identity", "Cy")):
        assert checksum != ledger.block_checksum(images.with_columns(pl.lit(value).alias(column)))
    assert checksum != ledger.block_checksum(images.head(3))


def test_images_that_retire_leave_their_blocks_units_done(lake):
    with tables.writing(lake.tables_path) as connection:
        ledger.retire_images(connection, [2, 3])
        done = ledger.done_units(connection)
    assert count(lake, "embeddings") == 2
    assert count(lake, "pairs") == 2
    assert lake.images["identity"].to_list() == ["Ada", "Ada"]
    assert done["NET", 0] == ledger.block_checksum(lake.images)
    assert lake.sql("SELECT images, pairs FROM units WHERE model = 'NET'").row(0) == (2, 2)


def test_a_block_that_empties_leaves_the_ledger(lake):
    with tables.writing(lake.tables_path) as connection:
        ledger.retire_images(connection, [0, 1, 2, 3])
        assert ledger.retiring_shards(connection) == [0]
        ledger.end_retirement(connection)
    assert count(lake, "units") == 0


def test_a_block_that_several_identities_share_keeps_the_units_of_those_that_stay(lake):
    change = "UPDATE images SET image_id = image_id + ? WHERE identity = ?"
    with tables.writing(lake.tables_path) as connection:
        # Ada has images on both shards of the block, Bea only on the second.
        connection.execute("UPDATE images SET image_id = 64 WHERE image_id = 1")
        connection.execute(change, [64, "Bea"])
        connection.execute("UPDATE units SET shards = 2")
        ledger.retire_images(connection, [0, 64])
        assert sorted(ledger.retiring_shards(connection)) == [0, 1]
        ledger.end_retirement(connection)
        done = ledger.done_units(connection)
    images = lake.images
    assert images["image_id"].to_list() == [66, 67]
    assert done == {(name, 1): ledger.block_checksum(images) for name in ("faces", "NET")}
