from leamstore import schema, tables
from leamstore.lake import Lake
from leamstore.safety.recovery import add_columns
from leamstore.tables.results import inputs_checksum


def columns_of(lake):
    rows = lake.sql("SELECT column_name, comment FROM duckdb_columns() WHERE table_name = 'models'")
    return dict(rows.iter_rows())


def test_columns_that_were_added_to_the_schema_are_added_to_a_lake_and_change_no_answer(lake):
    inputs, expected = inputs_checksum(lake), columns_of(lake)
    with tables.writing(lake.tables_path) as connection:
        for name in ("models", "layers"):
            for column in schema.table(name).columns:
                if column.added:
                    connection.execute(f"ALTER TABLE {name} DROP COLUMN {column.name}")
    assert inputs_checksum(lake) == inputs
    add_columns(lake)
    assert columns_of(lake) == expected
    assert inputs_checksum(Lake(lake.path)) == inputs
    assert lake.sql("SELECT entry FROM models").item() is None


def test_a_lake_that_has_all_columns_is_not_written(lake):
    before = lake.tables_path.read_bytes()
    add_columns(lake)
    assert lake.tables_path.read_bytes() == before
