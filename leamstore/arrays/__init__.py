"""The lake's arrays in Zarr 3: stores, shards and their encoding, blocks of whole identities."""

from leamstore.arrays.stores import (
    SHARD_IMAGES,
    clear_images,
    create_store,
    open_array,
    open_root,
    open_tree,
    remove_model,
    require_faces,
    require_layer,
    write_shards,
)
