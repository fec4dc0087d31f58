"""The lake's arrays in Zarr 3: stores, shards and their encoding, blocks of whole identities."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from leamstore.arrays.attributes import root_attributes
from leamstore.arrays.blocks import SHARD_IMAGES

if TYPE_CHECKING:
    from leamstore.arrays.shards import clear_images, require_faces, require_layer, write_shards
    from leamstore.arrays.stores import (
        create_store,
        open_array,
        open_root,
        open_tree,
        remove_model,
    )


def __getattr__(name: str) -> Any:
    """Load Zarr when an array is asked for: most that is asked of a lake is asked by SQL."""
    if not name.startswith("_"):
        for module in map(import_module, (f"{__name__}.shards", f"{__name__}.stores")):
            if hasattr(module, name):
                return getattr(module, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
