import pytest

from leamstore import schema, tables
from leamstore.lake import Lake
from leamstore.safety.migrate import add_columns

ADDED = [(table.name, column.name) for table in schema.TABLES for column in table.columns
         if column.added]  # fmt: skip


def columns(lake):
    return lake.sql(
        "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() ORDER BY ALL"
    ).rows()


@pytest.mark.parametrize(("table", "column"), ADDED)
def test_a_column_that_came_later_is_added_with_its_meaning_and_holds_null(lake, table, column):
    wanted = columns(lake)
    with tables.writing(lake.tables_path) as connection:
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    earlier = Lake(lake.path)
    assert columns(earlier) != wanted
    add_columns(earlier)
    assert columns(earlier) == wanted
    assert earlier.sql(f"SELECT count({column}) FROM {table}").item() == 0


def test_a_lake_that_has_every_column_is_not_written(lake):
    before = lake.tables_path.stat().st_mtime_ns
    add_columns(lake)
    assert lake.tables_path.stat().st_mtime_ns == before
