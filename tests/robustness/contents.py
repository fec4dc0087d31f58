"""What a lake holds, as digests that two lakes can be compared by."""

import hashlib
import json
from pathlib import Path

import numpy as np
import zarr

from leamstore import schema, tables
from leamstore.lake import Lake
from leamstore.safety.lock import LOCK_FILES


def contents(lake: Lake) -> dict[str, str]:
    """Return a digest of each table's rows, each array's values, and each file of the arrays."""
    return _tables(lake) | _arrays(lake) | _files(lake)


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Return the names under which two lakes differ."""
    return sorted(name for name in one.keys() | other.keys() if one.get(name) != other.get(name))


def _tables(lake: Lake) -> dict[str, str]:
    digests = {}
    with tables.reading(lake.tables_path) as connection:
        for table in schema.TABLES:
            if table.name == "runs":
                continue
            columns = "* EXCLUDE (run_id, finished)" if table.name == "units" else "*"
            rows = connection.sql(f"SELECT {columns} FROM {table.name} ORDER BY ALL").fetchall()
            digests[f"table {table.name}"] = _digest(repr(rows).encode())
    return digests


def _arrays(lake: Lake) -> dict[str, str]:
    digests = {}
    for store in (lake.maps_path, lake.faces_path):
        for name, node in zarr.open_group(store=store, mode="r").members(max_depth=None):
            digest = _digest(json.dumps(dict(node.attrs), sort_keys=True).encode())
            if isinstance(node, zarr.Array):
                values = np.asarray(node[:])
                digest += f" {values.dtype} {values.shape} {_digest(values.tobytes())}"
            digests[f"array {store.name}/{name}"] = digest
    return digests


def _files(lake: Lake) -> dict[str, str]:
    files = [file for file in Path(lake.path).rglob("*") if file.is_file()]
    return {
        f"file {file.relative_to(lake.path)}": _digest(file.read_bytes())
        for file in files
        if file.name not in {"lake.duckdb", *LOCK_FILES}
    }


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
