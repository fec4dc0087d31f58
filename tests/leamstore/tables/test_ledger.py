import polars as pl
import pytest

from leamstore import arrays, tables
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


def test_a_model_is_entered_with_its_first_unit_and_not_again(lake):
    images = lake.images
    for family in ("first", "second"):
        rows = lake.sql("FROM models WHERE model = 'NET'").with_columns(
            model=pl.lit("NEW"), network=pl.lit(family)
        )
        layers = lake.sql("FROM layers WHERE model = 'NET'").with_columns(model=pl.lit("NEW"))
        with tables.writing(lake.tables_path) as connection:
            assert ("NEW" in ledger.done_models(connection)) == (family == "second")
            ledger.commit_unit(
                connection, "NEW", BLOCK, images, unit_rows("NEW"), "run",
                {"models": rows, "layers": layers},
            )  # fmt: skip
    assert lake.sql("SELECT network FROM models WHERE model = 'NEW'").rows() == [("first",)]
    assert lake.sql("SELECT count(*) FROM layers WHERE model = 'NEW'").item() == 2


def test_a_unit_that_is_not_committed_leaves_no_model(lake):
    images = lake.images
    rows = lake.sql("FROM models").with_columns(model=pl.lit("NEW"))
    broken = unit_rows("NEW") | {"pairs": pl.DataFrame({"nonsense": [1]})}
    with pytest.raises(LakeError), tables.writing(lake.tables_path) as connection:
        ledger.commit_unit(connection, "NEW", BLOCK, images, broken, "run", {"models": rows})
    assert lake.sql("SELECT model FROM models").rows() == [("NET",)]


def test_arrays_of_a_model_that_no_table_knows_go_after_a_run_that_was_cut_short(lake):
    arrays.require_layer(lake.maps_path, "NEW", "conv1", (4, 4), {}, shards=1, keep_pairs=1)
    with tables.writing(lake.tables_path) as connection:
        connection.execute("INSERT INTO runs VALUES ('dead', '', '{}', '{}', now(), NULL, NULL)")
    recover(lake)
    assert list(arrays.open_root(lake.maps_path).group_keys()) == ["NET"]


def test_a_unit_counts_the_images_of_which_it_has_embeddings(lake):
    rows = {table: frame.clear() for table, frame in unit_rows("NET").items()}
    images = lake.images
    with tables.writing(lake.tables_path) as connection:
        ledger.commit_unit(connection, "NET", BLOCK, images, rows, "run")
    units = lake.sql("SELECT model, images, pairs FROM units ORDER BY model")
    assert units.rows() == [("NET", 0, 0), ("faces", 4, 0)]


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
