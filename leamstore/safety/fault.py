"""Faults found by verify: the place, what is wrong, and the units to recompute."""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from leamstore.arrays import SHARD_IMAGES
from leamstore.arrays.blocks import blocks_of
from leamstore.lake import Lake
from leamstore.tables.ledger import IMAGE_COLUMN

Unit = tuple[str, int]
"""A model, or ``faces``, and the first shard of a block."""


@dataclass(frozen=True)
class Fault:
    """Something wrong in a lake.

    Attributes
    ----------
    place, problem : str
        Table, array or file, where in it, and what is wrong there.
    units : tuple of Unit
        The units to recompute.
    files : tuple of Path
        Files that have to go.
    advice : str
        Advice where no repair helps.
    """

    place: str
    problem: str
    units: tuple[Unit, ...] = ()
    files: tuple[Path, ...] = ()
    advice: str = "make the lake anew from the images"

    @property
    def remedy(self) -> str:
        """The remedy, as a sentence."""
        return "run verify with --repair" if self.units or self.files else self.advice


class Owners:
    """Lookup of the unit that owns a row of a table or a shard of an array."""

    def __init__(self, lake: Lake) -> None:
        self.block_of_shard = {
            shard: block.first_shard
            for block in blocks_of(lake.images)
            for shard in range(block.first_shard, block.first_shard + block.shards)
        }

    def of_rows(self, table: str, rows: pl.DataFrame) -> tuple[Unit, ...]:
        """Return the units of rows that hold model and image; none for tables without units."""
        if table not in IMAGE_COLUMN:
            return ()
        shards = rows.select("model", shard=pl.col(IMAGE_COLUMN[table]) // SHARD_IMAGES).unique()
        units = {(m, self.block_of_shard.get(shard, shard)) for m, shard in shards.iter_rows()}
        return tuple(sorted(units))
