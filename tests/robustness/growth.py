"""A lake of a million images: generate it, use it as its users would, and time each step.

``python -m tests.robustness.growth --images 10000 1000000`` makes a lake of each size, one network
with two small layers, people with two photographs each, all fifteen percents, and prints what every
step takes in each. The numbers in the lake are drawn; its tables, arrays and ledger are as an
ingest makes them, so that ``verify`` has nothing to find.
"""

import argparse
import json
import resource
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import duckdb
import numpy as np
import polars as pl

from leamstore import arrays, schema, tables
from leamstore.arrays import SHARD_IMAGES
from leamstore.lake import Lake, LakeSettings
from leamstore.safety.verify import verify
from leamstore.tables import ledger

MODEL: Final = "NET"
LAYERS: Final = {"conv1": 7, "conv2": 4}
"""Layers and the cells along each side of their maps."""

IMAGES_OF_IDENTITY: Final = 2
_LABELS: Final = "labels/landmarks"
_SHARDS_AT_ONCE: Final = 512


@dataclass(frozen=True)
class Step:
    """Something that a user does with a lake."""

    name: str
    do: Callable[[Lake], object]


STEPS: Final = (
    Step("open, and count its images", lambda lake: Lake(lake.path).sql(_COUNT).item()),
    Step("find one person's images", lambda lake: lake.sql(_PERSON, [_middle(lake)]).height),
    Step("mean shares of all pairs by layer", lambda lake: lake.sql(_SHARES).height),
    Step("shares of one person", lambda lake: lake.sql(_SHARES_OF_PERSON, [_middle(lake)]).height),
    Step("open the cube", lambda lake: lake.cube(size=7).shape),
    Step("one person's maps from the cube", lambda lake: _person_of_cube(lake).mean()),
    Step("append a block of images", lambda lake: append(lake, _shards(lake), 1)),
    Step("verify all", verify),
)

_COUNT = "SELECT count(*) FROM images WHERE status = 'kept'"
_PERSON = "SELECT image_id, path FROM images WHERE identity = ?"
_SHARES = """
    SELECT layer, avg(nose * 100 / pixels) AS nose, avg(hair * 100 / pixels) AS hair
    FROM pair_regions WHERE activation = 'top' GROUP BY layer"""
_SHARES_OF_PERSON = """
    SELECT layer, percent, avg(nose * 100 / pixels) AS nose
    FROM image_regions JOIN images USING (image_id) WHERE identity = ? GROUP BY ALL"""


def main() -> None:
    """Make a lake of each size, time the steps, and print all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, nargs="+", default=[10_000, 1_000_000])
    parser.add_argument("--folder", type=Path, help="where the lakes go; removed at the end")
    options = parser.parse_args()
    for images in options.images:
        with tempfile.TemporaryDirectory(dir=options.folder) as folder:
            print(json.dumps(trial(Path(folder) / "grown.lake", images), indent=2), flush=True)


def trial(path: Path, images: int) -> dict[str, Any]:
    """Make a lake of about so many images, and return what each step took and what is on disk."""
    began = perf_counter()
    lake = grow(path, -(-images // SHARD_IMAGES))
    seconds = {"generate": perf_counter() - began}
    answers = {}
    for step in STEPS:
        began = perf_counter()
        answers[step.name] = step.do(lake)
        seconds[step.name] = perf_counter() - began
    return {
        "images": lake.sql(_COUNT).item(),
        "rows": {
            table: lake.sql(f"SELECT count(*) FROM {table}").item()
            for table in ("pair_regions", "image_regions", "units")
        },
        "findings": [fault.problem for fault in answers["verify all"]],
        "seconds": {name: round(taken, 3) for name, taken in seconds.items()},
        "disk": on_disk(lake.path),
        "peak MiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


def grow(path: Path, shards: int) -> Lake:
    """Make a lake of so many full shards."""
    lake = Lake.create(path, LakeSettings("landmarks", keep_pairs=1, crops=False, seed=0))
    model = {column.name: "x" for column in schema.table("models").columns}
    model |= {"model": MODEL, "input_size": 28, "embedding_size": 8, "positives": "all"}
    layers = pl.DataFrame([
        {"model": MODEL, "layer": layer, "position": position, "height": cells, "width": cells,
         "channels": 1, "stride": 28 / cells, "offset": 14 / cells - 0.5}
        for position, (layer, cells) in enumerate(LAYERS.items())
    ])  # fmt: skip
    with tables.writing(lake.tables_path) as connection:
        tables.append(connection, "models", pl.DataFrame([model]))
        tables.append(connection, "layers", layers)
    append(lake, 0, shards)
    return lake


def append(lake: Lake, first_shard: int, shards: int) -> None:
    """Add blocks of full shards to a lake: arrays first, then, at once, rows and ledger."""
    arrays.require_faces(lake.faces_path, [_LABELS], first_shard + shards)
    for layer, cells in LAYERS.items():
        arrays.require_layer(
            lake.maps_path, MODEL, layer, (cells, cells), {}, shards=first_shard + shards,
            keep_pairs=1,
        )  # fmt: skip
    for first in range(first_shard, first_shard + shards, _SHARDS_AT_ONCE):
        write_maps(lake, first, min(_SHARDS_AT_ONCE, first_shard + shards - first))
    write_labels(lake, first_shard, shards)
    with tables.writing(lake.tables_path) as connection:
        insert_rows(connection, first_shard * SHARD_IMAGES, shards * SHARD_IMAGES)
        tables.append(connection, "units", entries(connection, first_shard, shards))


def write_maps(lake: Lake, first_shard: int, shards: int) -> None:
    """Write drawn maps, one kept pair an image, into all arrays of both layers."""
    start, images = first_shard * SHARD_IMAGES, shards * SHARD_IMAGES
    image_ids = np.arange(start, start + images, dtype=np.int32)
    draw = np.random.default_rng(first_shard)
    for layer, cells in LAYERS.items():
        relevance = draw.random((images, cells, cells), np.float32).astype(np.float16)
        rows = {
            "relevance": relevance,
            "peak": np.ones(images, np.float32),
            "pair_relevance": relevance,
            "pair_peak": np.ones(images, np.float32),
            "anchor": image_ids,
            "positive": image_ids ^ 1,
        }
        for name, values in rows.items():
            arrays.write_shards(lake.maps_path, f"{MODEL}/{layer}/{name}", start, values)


def write_labels(lake: Lake, first_shard: int, shards: int) -> None:
    """Write labels that are the same in every shard: one is made, the others are its copies."""
    labels = np.full((SHARD_IMAGES, schema.GRID, schema.GRID), schema.LABELS["nose"], np.uint8)
    arrays.write_shards(lake.faces_path, _LABELS, first_shard * SHARD_IMAGES, labels)
    folder = Path(str(lake.faces_path)) / _LABELS / "c"
    for shard in range(first_shard + 1, first_shard + shards):
        shutil.copytree(folder / str(first_shard), folder / str(shard))


def insert_rows(connection: duckdb.DuckDBPyConnection, first: int, images: int) -> None:
    """Insert the rows of images from `first` on, with drawn counts of pixels."""
    counts = ", ".join(
        f"(hash(i, layer, {label}) % 4096)::INTEGER AS {name}"
        for label, name in enumerate(schema.REGION_NAMES)
    )
    pixels = f"{4096 * len(schema.REGIONS)} AS pixels"
    layers = f"(SELECT UNNEST({list(LAYERS)}) AS layer)"
    connection.execute(
        f"CREATE TEMP TABLE drawn AS SELECT {first} + range AS i FROM range({images})"
    )
    for table, query in {
        "images": f"""
            SELECT i AS image_id, 'person ' || i // {IMAGES_OF_IDENTITY} AS identity,
                'drawn' AS dataset, '/drawn/' || i || '.jpg' AS path, sha256(i::VARCHAR) AS sha256,
                'kept' AS status FROM drawn""",
        "embeddings": f"""
            SELECT '{MODEL}' AS model, i AS image_id,
                [hash(i, n) % 1000 / 1000.0 FOR n IN range(8)]::FLOAT[] AS vector,
                [[1, 0, 0], [0, 1, 0]]::DOUBLE[3][2] AS chip_to_crop FROM drawn""",
        "pairs": f"""
            SELECT '{MODEL}' AS model, i AS anchor, xor(i, 1) AS positive, 0.5 AS cosine,
                i AS pair_id FROM drawn""",
        "pair_regions": f"""
            SELECT '{MODEL}' AS model, layer, i AS anchor, xor(i, 1) AS positive, activation,
                if(activation = 'top', {schema.PAIR_TOP_PERCENT}, NULL) AS percent, 1.0 AS peak,
                {counts}, {pixels}
            FROM drawn, {layers}, (SELECT UNNEST(['full', 'top']) AS activation)""",
        "image_regions": f"""
            SELECT '{MODEL}' AS model, layer, i AS image_id, percent, {counts}, {pixels}
            FROM drawn, {layers}, (SELECT UNNEST({list(schema.TOP_PERCENTS)}) AS percent)""",
    }.items():
        connection.execute(f"INSERT INTO {table} BY NAME {query}")
    connection.execute("DROP TABLE drawn")


def entries(connection: duckdb.DuckDBPyConnection, first_shard: int, shards: int) -> pl.DataFrame:
    """Return the ledger's entries of blocks of one shard each."""
    images = connection.sql(
        "SELECT image_id, identity, sha256 FROM images WHERE image_id >= ? ORDER BY 1",
        params=[first_shard * SHARD_IMAGES],
    ).pl()
    finished = datetime.now(UTC)
    return pl.DataFrame([
        {"model": model, "block": shard, "state": "done",
         "checksum": ledger.block_checksum(images[place * SHARD_IMAGES:][:SHARD_IMAGES]),
         "shards": 1, "images": SHARD_IMAGES, "run_id": "drawn",
         "pairs": 0 if model == ledger.FACES else SHARD_IMAGES, "finished": finished}
        for place, shard in enumerate(range(first_shard, first_shard + shards))
        for model in (ledger.FACES, MODEL)
    ])  # fmt: skip


def on_disk(lake: Path) -> dict[str, int]:
    """Count what a file system has to bear: files, the fullest folder, bytes, Zarr's metadata."""
    files = [path for path in lake.rglob("*") if path.is_file()]
    entries_of = Counter(path.parent for path in lake.rglob("*"))
    metadata = [path for path in files if path.name == "zarr.json"]
    return {
        "files": len(files),
        "entries in the fullest folder": max(entries_of.values()),
        "bytes": sum(path.stat().st_size for path in files),
        "bytes of Zarr's metadata": sum(path.stat().st_size for path in metadata),
    }


def _shards(lake: Lake) -> int:
    return int(lake.sql("SELECT count(*) FROM units WHERE model = ?", [MODEL]).item())


def _middle(lake: Lake) -> str:
    return f"person {_shards(lake) * SHARD_IMAGES // IMAGES_OF_IDENTITY // 2}"


def _person_of_cube(lake: Lake) -> np.ndarray:
    cube = lake.cube(size=7)
    first = cube.sizes["image"] // 2 // IMAGES_OF_IDENTITY * IMAGES_OF_IDENTITY
    return cube.isel(image=slice(first, first + IMAGES_OF_IDENTITY)).values


if __name__ == "__main__":
    main()
