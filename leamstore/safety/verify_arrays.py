"""Verification of the arrays against the tables; every shard is read once."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import zarr
from numpy.typing import NDArray

from leamstore import arrays, schema
from leamstore.arrays import SHARD_IMAGES
from leamstore.errors import LakeError, MissingArrayError, line_of
from leamstore.lake import Lake, face_arrays
from leamstore.safety.fault import Fault, Owners
from leamstore.storage import Location, objects
from leamstore.tables.ledger import FACES, done_faces


@dataclass(frozen=True)
class ArrayCheck:
    """The expected content of an array.

    Attributes
    ----------
    store : Location
    path : str
        Its name in the store.
    owner : str
        The model, or ``faces``, that it belongs to.
    size : tuple of int
        Shape of what it holds at one place.
    dtype : str
        Its dtype.
    per_shard : int
        Places in one shard.
    places : (entry,) int
        Positions of the entries that hold something.
    values : (entry,) int, optional
        Values there, if the tables have them.
    """

    store: Location
    path: str
    owner: str
    size: tuple[int, ...]
    dtype: str
    per_shard: int
    places: NDArray[Any]
    values: NDArray[Any] | None = None

    def faults(self, owners: Owners) -> Iterator[Fault]:
        """Yield the faults of the array, or of each of its shards."""
        try:
            array = arrays.open_array(self.store, self.path)
        except MissingArrayError:
            if len(self.places):
                yield self._finding_on_all("the array is missing", owners)
            return
        except LakeError as error:
            reason = line_of(error.__cause__ or error)
            yield self._finding_on_all(f"its metadata can't be read ({reason})", owners)
            return
        if array.shape[1:] != self.size:
            yield self._finding_on_all(f"its rows are {array.shape[1:]}, not {self.size}", owners)
            return
        shards, expected = array.shards or array.chunks, (self.per_shard, *self.size)
        if array.dtype != self.dtype or shards != expected:
            # Metadata may claim anything, and a shard of that size would be made in memory.
            is_so = f"its shards are {array.dtype} {shards}, not {self.dtype} {expected}"
            yield self._finding_on_all(is_so, owners)
            return
        named = set((self.places[self.places >= 0] // self.per_shard).tolist())
        order = np.argsort(self.places)
        for shard in sorted(named | _shards_in(self.store / self.path / "c")):
            bounds = np.array([shard, shard + 1]) * self.per_shard
            first, end = np.searchsorted(self.places, bounds, sorter=order)
            problem = self._problem_of_shard(array, shard * self.per_shard, order[first:end])
            if problem:
                yield self._finding_on_shard(array, shard, problem, owners)

    def _problem_of_shard(
        self, array: zarr.Array, start: int, own: NDArray[np.int64]
    ) -> str | None:
        """Return what is wrong with the shard that begins at `start` and has the entries `own`."""
        length = self.per_shard
        want = np.zeros(length, bool)
        want[self.places[own] - start] = True
        try:
            rows = np.asarray(array[start : start + length])
        except Exception as error:  # a broken shard can make its reader raise anything
            return f"it can't be read ({line_of(error)})"
        there = np.zeros(length, bool)
        there[: len(rows)] = _holds_something(rows)
        if (want & ~there).any():
            return f"rows of the tables that have nothing here: {(want & ~there).sum()}"
        if (there & ~want).any():
            return f"entries that have no row in the tables: {(there & ~want).sum()}"
        if self.values is not None and (rows[self.places[own] - start] != self.values[own]).any():
            return "it names other images than the tables"
        if rows.dtype == np.float16 and ((rows < 0) | (rows > 1)).any():
            return "relevance lies outside [0, 1]"
        return None

    def _finding_on_all(self, problem: str, owners: Owners) -> Fault:
        blocks = sorted(set(owners.block_of_shard.values()))
        units = tuple((self.owner, block) for block in blocks)
        metadata = self._file("zarr.json")
        return Fault(f"{self.store.name}/{self.path}", problem, units, metadata)

    def _finding_on_shard(
        self, array: zarr.Array, shard: int, problem: str, owners: Owners
    ) -> Fault:
        place = f"{self.store.name}/{self.path}, shard {shard}"
        if shard in owners.block_of_shard:
            return Fault(place, problem, ((self.owner, owners.block_of_shard[shard]),))
        key = array.metadata.encode_chunk_key((shard, *(0 for _ in self.size)))
        return Fault(place, problem, files=self._file(key))

    def _file(self, key: str) -> tuple[Path, ...]:
        return (self.store / self.path / key,) if isinstance(self.store, Path) else ()


def array_checks(lake: Lake) -> Iterator[ArrayCheck]:
    """Yield what the tables say of each array of maps, crops and labels."""
    yield from _of_maps(lake)
    yield from _of_faces(lake)


def _of_maps(lake: Lake) -> Iterator[ArrayCheck]:
    layers = lake.sql("SELECT model, layer, height, width FROM layers ORDER BY model, position")
    embeddings = lake.sql("SELECT model, image_id FROM embeddings")
    keep_pairs = lake.settings.keep_pairs
    kept = lake.sql("SELECT model, pair_id, anchor, positive FROM pairs WHERE pair_id IS NOT NULL")
    for model, layer, height, width in layers.iter_rows():
        images = embeddings.filter(pl.col("model") == model)["image_id"].to_numpy()
        pairs = kept.filter(pl.col("model") == model)
        pair_ids = pairs["pair_id"].to_numpy()
        for array in schema.MAP_ARRAYS:
            name = array.path.rpartition("/")[2]
            of_images = array.dims[0] == "image"
            yield ArrayCheck(
                lake.maps_path,
                f"{model}/{layer}/{name}",
                model,
                (height, width)[: len(array.dims) - 1],
                array.dtype,
                SHARD_IMAGES * (1 if of_images else keep_pairs),
                images if of_images else pair_ids,
                pairs[name].to_numpy() if name in ("anchor", "positive") else None,
            )


def _of_faces(lake: Lake) -> Iterator[ArrayCheck]:
    with lake.kept_open() as connection:
        places = np.array(done_faces(connection), np.int64)
    for name in face_arrays(lake.settings):
        size = (schema.GRID, schema.GRID, 3) if name == "crop" else (schema.GRID, schema.GRID)
        yield ArrayCheck(lake.faces_path, name, FACES, size, "uint8", SHARD_IMAGES, places)


def _shards_in(place: Location) -> set[int]:
    """Return the numbers of the shards stored at a place, independent of the array's length."""
    if isinstance(place, Path):
        names = [entry.name for entry in place.iterdir()] if place.is_dir() else []
    else:
        names = [name.partition("/")[0] for name, _ in objects(place)]
    return {int(name) for name in names if name.isdecimal()}


def _holds_something(rows: NDArray[Any]) -> NDArray[np.bool_]:
    """Return for each entry whether it differs from the fill value of an unwritten array."""
    flat = rows.reshape(len(rows), math.prod(rows.shape[1:]))
    if flat.dtype.kind == "u":
        return np.any(flat, axis=1)
    return np.all(np.isfinite(flat) if flat.dtype.kind == "f" else flat >= 0, axis=1)
