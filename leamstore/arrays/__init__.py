"""The lake's arrays in Zarr 3: stores, shards and their encoding, blocks of whole identities."""

from leamstore.arrays.shards import (
    SHARD_IMAGES,
    clear_images,
    require_faces,
    require_layer,
    write_shards,
)
from leamstore.arrays.stores import (
    create_store,
    open_array,
    open_root,
    open_tree,
    remove_model,
)
