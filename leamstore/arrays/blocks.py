"""Positions of images on the Zarr axis: whole identities in blocks of whole shards."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import polars as pl

SHARD_IMAGES: Final = 64
"""Slots of the image axis in one shard: one file per array."""


@dataclass(frozen=True)
class Block:
    """A range of consecutive shards on the image axis that holds whole identities.

    Attributes
    ----------
    first_shard, shards : int
        The shards it owns; several only for an identity that does not fit one.
    """

    first_shard: int
    shards: int

    @property
    def start(self) -> int:
        """First image_id of the block."""
        return self.first_shard * SHARD_IMAGES

    @property
    def stop(self) -> int:
        """First image_id after the block."""
        return (self.first_shard + self.shards) * SHARD_IMAGES


def place(sizes: Mapping[str, int], first_shard: int) -> dict[str, int]:
    """Place identities one after the other from `first_shard` on, none across a block's border.

    Parameters
    ----------
    sizes : mapping of str to int
        Images of each identity, in the order of their positions.

    Returns
    -------
    dict of str to int
        The first image_id of each identity.
    """
    first_images = {}
    block, filled = Block(first_shard, 0), 0
    for identity, size in sizes.items():
        if filled + size > block.shards * SHARD_IMAGES:
            block = Block(block.first_shard + block.shards, -(-size // SHARD_IMAGES))
            filled = 0
        first_images[identity] = block.start + filled
        filled += size
    return first_images


def blocks_of(images: pl.DataFrame) -> list[Block]:
    """Return the blocks of a lake, read off its kept images in the order of their image_ids.

    Shards that one identity spans belong to one block, with all images in them.
    """
    blocks: list[Block] = []
    first_shard_of: dict[str, int] = {}
    for image_id, identity in images.select("image_id", "identity").iter_rows():
        shard = image_id // SHARD_IMAGES
        begun = first_shard_of.setdefault(identity, shard)
        if blocks and begun < blocks[-1].first_shard + blocks[-1].shards:
            first = blocks.pop().first_shard
            blocks.append(Block(first, shard - first + 1))
        else:
            blocks.append(Block(shard, 1))
    return blocks
