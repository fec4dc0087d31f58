"""Migration of lakes from earlier releases to the current schema."""

from leamstore import schema, tables
from leamstore.lake import Lake


def add_columns(lake: Lake) -> None:
    """Add the columns to a lake that the schema has gained since it was made; they hold NULL."""
    with lake.kept_open() as connection:
        found = connection.sql("SELECT table_name, column_name FROM duckdb_columns()").fetchall()
    missing = [
        (table, column)
        for table in schema.TABLES
        for column in table.columns
        if (table.name, column.name) not in found
    ]
    if not missing:
        return
    with tables.writing(lake.tables_path) as connection:
        for table, column in missing:
            connection.execute(f'ALTER TABLE {table.name} ADD COLUMN "{column.name}" {column.type}')
            tables.describe_column(connection, table, column)
