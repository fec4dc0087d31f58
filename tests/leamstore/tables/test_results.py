import duckdb
import polars as pl
import pytest

from leamstore import tables
from leamstore.arrays.blocks import Block
from leamstore.errors import LakeError
from leamstore.lake import Lake
from leamstore.safety.verify import verify
from leamstore.tables import ledger, results

SHARES = pl.DataFrame({"region": ["nose", "face"], "share": [30.5, None]})


def write(lake, question="regions", name="shares", rows=SHARES, **settings):
    inputs = results.inputs_checksum(lake)
    results.write_results(lake, question, {name: rows}, {"seed": 0, **settings}, inputs)


def is_current(lake, question="regions", **settings):
    inputs = results.inputs_checksum(lake)
    return results.are_current(lake, question, {"seed": 0, **settings}, inputs)


def test_a_result_is_read_back_with_what_made_it(lake):
    write(lake, percents=(0.5, 1.0))
    assert results.read_results(lake, "regions")["shares"].equals(SHARES)
    provenance = results.read_provenance(lake)["shares"]
    assert provenance.question == "regions"
    assert provenance.settings == {"seed": 0, "percents": [0.5, 1.0]}
    assert provenance.inputs == results.inputs_checksum(lake)


def test_a_result_is_a_table_that_sql_reads(lake):
    write(lake)
    assert lake.sql("SELECT share FROM result_shares WHERE region = 'nose'").item() == 30.5


def test_a_lake_is_whole_and_opens_with_and_without_results(lake):
    assert verify(Lake(lake.path)) == []
    write(lake)
    assert verify(Lake(lake.path)) == []


def test_results_are_current_until_settings_change(lake):
    assert not is_current(lake)
    write(lake, percents=(0.5, 1.0))
    assert is_current(lake, percents=(0.5, 1.0))
    assert not is_current(lake, percents=(0.5,))
    assert not is_current(lake, "thresholds", percents=(0.5, 1.0))


def test_results_are_out_of_date_when_an_image_joins_or_leaves(lake):
    write(lake)
    with tables.writing(lake.tables_path) as connection:
        ledger.retire_images(connection, [3])
    assert not is_current(lake)


def test_doing_a_unit_again_leaves_results_current(lake):
    write(lake)
    block = Block(0, 1)
    images = ledger.block_images(lake.images, block)
    with tables.writing(lake.tables_path) as connection:
        ledger.commit_unit(connection, ledger.FACES, block, images, {}, "another run")
    assert is_current(lake)


def test_results_are_out_of_date_when_an_attribute_changes(lake):
    write(lake)
    with tables.writing(lake.tables_path) as connection:
        connection.execute("UPDATE images SET gender = 'male' WHERE identity = 'Ada'")
    assert not is_current(lake)


def test_a_question_answered_again_replaces_all_its_tables(lake):
    write(lake, name="old")
    write(lake, name="new")
    write(lake, question="thresholds", name="other")
    assert list(results.read_results(lake, "regions")) == ["new"]
    assert list(results.read_provenance(lake)) == ["new", "other"]


def test_a_question_does_not_overwrite_anothers_table(lake):
    write(lake)
    with pytest.raises(LakeError, match="table result_shares of the question regions"):
        write(lake, question="thresholds")
    assert is_current(lake)


def test_what_fails_halfway_leaves_the_old_results(lake):
    write(lake)
    broken = {"shares": SHARES.head(1), 'no"name': SHARES}
    with pytest.raises(duckdb.Error):
        results.write_results(lake, "regions", broken, {"seed": 0}, "inputs")
    assert results.read_results(lake, "regions")["shares"].equals(SHARES)


def test_results_are_published_with_a_lake_in_an_object_store(stored_lake, tmp_path, monkeypatch):
    write(stored_lake)
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path / "elsewhere"))
    assert results.read_results(stored_lake, "regions")["shares"].equals(SHARES)
    assert is_current(stored_lake)
