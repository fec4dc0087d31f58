"""Whether a lake is whole: every finding with its place and its remedy."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import zarr

from leamstore import arrays, schema
from leamstore.blocks import blocks_of
from leamstore.lake import Lake, face_arrays
from leamstore.ledger import FACES, block_checksum, block_images
from leamstore.tables import writing


@dataclass(frozen=True)
class Finding:
    """Something wrong in a lake.

    Attributes
    ----------
    place, problem : str
        Table or array, where in it, and what is wrong there.
    unit : tuple of str and int, optional
        The model and block that have to be done again; None if that wouldn't help.
    """

    place: str
    problem: str
    unit: tuple[str, int] | None = None

    @property
    def remedy(self) -> str:
        """What to do about it."""
        if self.unit is None:
            return "make the lake anew from the images"
        return "run verify with --repair, then the same ingest again"


def verify(lake: Lake) -> list[Finding]:
    """Check tables against keys and ledger, and arrays against tables; read every shard once."""
    return [
        *_duplicate_rows(lake),
        *_ledger_against_images(lake),
        *_rows_without_unit(lake),
        *_counts_that_do_not_add_up(lake),
        *_maps_against_rows(lake),
        *_faces_against_images(lake),
    ]


def forget_broken_units(lake: Lake, findings: Iterable[Finding]) -> int:
    """Strike the units of `findings` off the ledger, so that the next ingest does them again."""
    units = {finding.unit for finding in findings if finding.unit is not None}
    with writing(lake.tables_path) as connection:
        for model, block in units:
            connection.execute("DELETE FROM units WHERE model = ? AND block = ?", [model, block])
    return len(units)


def _duplicate_rows(lake: Lake) -> Iterator[Finding]:
    for table in schema.TABLES:
        key = ", ".join(table.key)
        twice = lake.sql(
            f"SELECT count(*) FROM (SELECT 1 FROM {table.name} GROUP BY {key} HAVING count(*) > 1)"
        ).item()
        if twice:
            yield Finding(table.name, f"{twice} keys ({key}) stand more than once")


def _ledger_against_images(lake: Lake) -> Iterator[Finding]:
    images = lake.images
    units = lake.sql("SELECT model, block, checksum, images, pairs FROM units")
    checksums = {
        block.first_shard: block_checksum(block_images(images, block))
        for block in blocks_of(images["image_id"], images["identity"])
    }
    models = [FACES, *lake.sql("SELECT model FROM models ORDER BY model")["model"]]
    done = {(row["model"], row["block"]): row["checksum"] for row in units.to_dicts()}
    for model in models:
        for block, checksum in checksums.items():
            place = f"units, {model}, block {block}"
            if (model, block) not in done:
                yield Finding(place, "the unit is not done", (model, block))
            elif done[model, block] != checksum:
                yield Finding(place, "the unit was made from other images", (model, block))
    for model, block in sorted(done.keys() - {(m, b) for m in models for b in checksums}):
        yield Finding(f"units, {model}, block {block}", "no such images", (model, block))


def _rows_without_unit(lake: Lake) -> Iterator[Finding]:
    for table, column in (
        ("embeddings", "image_id"),
        ("pairs", "anchor"),
        ("pair_regions", "anchor"),
        ("image_regions", "image_id"),
    ):
        lost = lake.sql(
            f"""
            SELECT count(*) FROM {table} AS r
            WHERE NOT EXISTS (
                FROM units AS u WHERE u.model = r.model
                AND r.{column} // {arrays.SHARD_IMAGES} BETWEEN u.block AND u.block + u.shards - 1)
            """
        ).item()
        if lost:
            yield Finding(table, f"{lost} rows belong to no unit of the ledger")


def _counts_that_do_not_add_up(lake: Lake) -> Iterator[Finding]:
    total = " + ".join(f"coalesce({name}, 0)" for name in schema.REGION_NAMES)
    for table in ("pair_regions", "image_regions"):
        wrong = lake.sql(f"SELECT count(*) FROM {table} WHERE {total} > coalesce(pixels, 0)").item()
        if wrong:
            yield Finding(table, f"{wrong} rows count more region pixels than pixels")


def _maps_against_rows(lake: Lake) -> Iterator[Finding]:
    blocks = _block_of_shard(lake)
    layers = lake.sql("SELECT model, layer, height, width FROM layers ORDER BY model, position")
    rows = lake.sql("SELECT model, image_id FROM embeddings")
    pairs = lake.sql("SELECT model, pair_id FROM pairs WHERE pair_id IS NOT NULL")
    for model, layer, height, width in layers.iter_rows():
        images = rows.filter(pl.col("model") == model)["image_id"].to_numpy()
        kept = pairs.filter(pl.col("model") == model)["pair_id"].to_numpy()
        for name, places in (("relevance", images), ("pair_relevance", kept)):
            for shard, problem in _shards_that_differ(
                lake.maps_path, f"{model}/{layer}/{name}", (height, width), places
            ):
                yield Finding(
                    f"maps.zarr/{model}/{layer}/{name}, shard {shard}",
                    problem,
                    (model, blocks.get(shard, shard)),
                )


def _faces_against_images(lake: Lake) -> Iterator[Finding]:
    blocks = _block_of_shard(lake)
    places = lake.images["image_id"].to_numpy()
    size = (schema.GRID, schema.GRID)
    for name in face_arrays(lake.settings):
        shape = (*size, 3) if name == "crop" else size
        for shard, problem in _shards_that_differ(lake.faces_path, name, shape, places):
            yield Finding(
                f"faces.zarr/{name}, shard {shard}", problem, (FACES, blocks.get(shard, shard))
            )


def _block_of_shard(lake: Lake) -> dict[int, int]:
    images = lake.images
    return {
        shard: block.first_shard
        for block in blocks_of(images["image_id"], images["identity"])
        for shard in range(block.first_shard, block.first_shard + block.shards)
    }


def _shards_that_differ(
    store: Path, name: str, size: tuple[int, ...], places: np.ndarray
) -> Iterator[tuple[int, str]]:
    """Yield each shard that can't be read or does not hold just the `places` it should."""
    if name not in zarr.open_group(store=store, mode="r"):
        if len(places):
            yield 0, "the array is missing"
        return
    array = arrays.open_array(store, name)
    if array.shape[1:] != size:
        yield 0, f"its rows are {array.shape[1:]}, not {size}"
        return
    per_shard = (array.shards or array.chunks)[0]
    length = max(array.shape[0], int(places.max(initial=-1)) + 1)
    for start in range(0, length, per_shard):
        want = np.zeros(per_shard, bool)
        want[places[(places >= start) & (places < start + per_shard)] - start] = True
        problem = _problem_of_shard(array, start, want)
        if problem:
            yield start // per_shard, problem


def _problem_of_shard(array: zarr.Array, start: int, want: np.ndarray) -> str | None:
    try:
        rows = np.asarray(array[start : start + len(want)])
    except (ValueError, RuntimeError, OSError) as error:
        return f"it can't be read ({error})"
    rows = rows.reshape(len(rows), -1)
    there = np.zeros(len(want), bool)
    there[: len(rows)] = np.isfinite(rows).all(1) if rows.dtype.kind == "f" else rows.any(1)
    if (want & ~there).any():
        return f"{(want & ~there).sum()} rows of the tables have nothing here"
    if (there & ~want).any():
        return f"{(there & ~want).sum()} entries have no row in the tables"
    if rows.dtype.kind == "f" and ((rows < 0) | (rows > 1)).any():
        return "relevance lies outside [0, 1]"
    return None
