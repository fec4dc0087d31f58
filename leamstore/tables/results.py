"""Results of analyses: ``result_<name>`` tables, each with the settings that made it.

A result's provenance is the comment of its table, as JSON: a table and what is said about it
come and go together, in one transaction, and any DuckDB client reads both
(``SELECT table_name, comment FROM duckdb_tables()``).
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import duckdb
import polars as pl

from leamstore import schema, tables
from leamstore.errors import LakeError
from leamstore.lake import Lake
from leamstore.tables.waiting import WITHOUT_END

PREFIX: Final = "result_"

_INPUTS: Final = {
    "settings": "name, value",
    # Neither the place of a file nor columns that an earlier release lacked change a number.
    **{
        name: ", ".join(
            f'"{column.name}"' for column in schema.table(name).columns if not column.added
        )
        for name in ("models", "layers")
    },
    "units": "model, block, checksum",
    "images": "image_id, dataset, gender, ethnicity, age, crop_to_identity, crop_to_canonical",
}
"""All that a question's answer can depend on: the ledger represents maps, rows and faces."""


@dataclass(frozen=True)
class Provenance:
    """The provenance of a result table.

    Attributes
    ----------
    question : str
        The question that it answers, wholly or in part.
    settings : dict
        Its settings, as JSON keeps them.
    inputs : str
        `inputs_checksum` of the lake at the time.
    made : str
        When, in ISO 8601, UTC.
    """

    question: str
    settings: dict[str, Any]
    inputs: str
    made: str


def inputs_checksum(lake: Lake) -> str:
    """Return a sha256 of all that analyses can depend on, independent of the order of rows."""
    digests = " UNION ALL ".join(
        f"SELECT '{table}' AS name, count(*) AS n, bit_xor(md5_number(chosen::VARCHAR)) AS digest "
        f"FROM (SELECT {columns} FROM {table}) AS chosen"
        for table, columns in _INPUTS.items()
    )
    with lake.kept_open() as connection:
        rows = connection.sql(f"FROM ({digests}) ORDER BY name").fetchall()
    return hashlib.sha256(repr(rows).encode()).hexdigest()


def write_results(
    lake: Lake,
    question: str,
    results: Mapping[str, pl.DataFrame],
    settings: Mapping[str, Any],
    inputs: str,
    *,
    patience: float = WITHOUT_END,
) -> None:
    """Replace all result tables of a question in one transaction.

    Parameters
    ----------
    lake : Lake
    question : str
        The question that they answer.
    results : mapping of str to polars.DataFrame
        Tables by name, without the prefix.
    settings : mapping
        Settings that made them, as values that JSON keeps.
    inputs : str
        `inputs_checksum` from before they were computed: what was written meanwhile makes
        them out of date.
    patience : float
        Seconds to wait for processes that hold the tables open.

    Raises
    ------
    LockedError
        If it takes longer.
    LakeError
        If another question has written a table of such a name.
    """
    made = datetime.now(UTC).isoformat(timespec="seconds")
    provenance = Provenance(question, dict(settings), inputs, made)
    comment = json.dumps(asdict(provenance)).replace("'", "''")
    with tables.writing(lake.tables_path, patience=patience) as connection:
        for name, written in _provenance(connection).items():
            if written.question == question:
                connection.execute(f'DROP TABLE "{PREFIX}{name}"')
            elif name in results:
                raise LakeError(
                    f"{lake.path} has a table {PREFIX}{name} of the question {written.question}; "
                    f"{question} can't write another of that name."
                )
        for name, rows in results.items():
            connection.register("result_rows", rows.to_arrow())
            connection.execute(f'CREATE TABLE "{PREFIX}{name}" AS SELECT * FROM result_rows')
            connection.execute(f"COMMENT ON TABLE \"{PREFIX}{name}\" IS '{comment}'")
            connection.unregister("result_rows")


def read_provenance(lake: Lake) -> dict[str, Provenance]:
    """Return the provenance of each result table of a lake, by name without the prefix."""
    with lake.kept_open() as connection:
        return _provenance(connection)


def read_results(lake: Lake, question: str) -> dict[str, pl.DataFrame]:
    """Return the result tables of a question by name without the prefix; none if it has none."""
    with lake.kept_open() as connection:
        return {
            name: connection.sql(f'FROM "{PREFIX}{name}"').pl()
            for name, provenance in _provenance(connection).items()
            if provenance.question == question
        }


def are_current(lake: Lake, question: str, settings: Mapping[str, Any], inputs: str) -> bool:
    """Return whether a question's results exist, made with these settings from these inputs."""
    asked = json.loads(json.dumps(dict(settings)))
    written = [one for one in read_provenance(lake).values() if one.question == question]
    return bool(written) and all(one.settings == asked and one.inputs == inputs for one in written)


def _provenance(connection: duckdb.DuckDBPyConnection) -> dict[str, Provenance]:
    rows = connection.sql(
        "SELECT table_name, comment FROM duckdb_tables() "
        f"WHERE starts_with(table_name, '{PREFIX}') AND comment IS NOT NULL ORDER BY table_oid"
    ).fetchall()
    return {name.removeprefix(PREFIX): Provenance(**json.loads(comment)) for name, comment in rows}
