"""The lake's tables in DuckDB: reading and writing, the ledger of units, results, copies."""

from leamstore.tables.connections import (
    append,
    create_tables,
    describe_column,
    ended_after,
    frame_of,
    only_selects,
    reading,
    rewrite,
    too_long,
    writing,
)
