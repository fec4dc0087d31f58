"""Shards of the lake's arrays: created, extended, written whole, and emptied.

A shard holds `SHARD_IMAGES` images (or as many pairs as belong to them), so that a unit of work
owns whole files and two units never write to the same one.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

from leamstore import schema
from leamstore.arrays.blocks import SHARD_IMAGES
from leamstore.arrays.codec_pipeline import checked_pipeline
from leamstore.errors import LakeError
from leamstore.storage import Location, zarr_store

_CHUNK_BYTES: Final = 2**19
"""Most bytes of a chunk: one map is read quickly, and many maps take few chunks."""

_FILL: Final = {"float16": np.nan, "float32": np.nan, "int32": -1, "uint8": 0}


def require_layer(
    store: Location,
    model: str,
    layer: str,
    size: tuple[int, int],
    attributes: Mapping[str, Any],
    *,
    shards: int,
    keep_pairs: int,
) -> None:
    """Create the arrays of a model's layer, or extend existing ones to the needed length.

    All of a layer's arrays get their length before any is written, since xarray opens only
    arrays of one length along one dimension.

    Parameters
    ----------
    size : tuple of int
        Height and width of the layer in cells.
    attributes : mapping
        Stride and offset in input pixels, target, positives: written on the layer's group.
    shards : int
        Shards of the image axis that the lake has.
    keep_pairs : int
        Slots of the pair axis for each image; with 0 there are no pair arrays.

    Raises
    ------
    LakeError
        If the arrays are there with other attributes.
    """
    root = zarr.open_group(store=zarr_store(store), mode="r+", zarr_format=3)
    name = f"{model}/{layer}"
    if name not in root:
        root.create_group(name, attributes=dict(attributes))
    elif dict(root[name].attrs) != dict(attributes):
        raise LakeError(
            f"{store / name} was made with {dict(root[name].attrs)}, not with "
            f"{dict(attributes)}: use another lake, or remove the model from this one."
        )
    for array in schema.MAP_ARRAYS:
        per_shard = SHARD_IMAGES * (keep_pairs if array.dims[0] == "pair" else 1)
        if per_shard:
            path = array.path.replace("<model>/<layer>", name)
            _require_array(root, path, array, size[: len(array.dims) - 1], per_shard, shards)


def require_faces(store: Location, names: Iterable[str], shards: int) -> None:
    """Create the arrays ``crop`` and ``labels/<parser>``, or extend them to the needed length."""
    root = zarr.open_group(store=zarr_store(store), mode="r+", zarr_format=3)
    specs = {array.path.split("/")[0]: array for array in schema.FACE_ARRAYS}
    for name in names:
        array = specs[name.split("/")[0]]
        size = (schema.GRID, schema.GRID, 3)[: len(array.dims) - 1]
        _require_array(root, name, array, size, SHARD_IMAGES, shards)


def write_shards(store: Location, name: str, start: int, rows: np.ndarray) -> None:
    """Write whole shards of an array: `rows` go to position `start` of its first axis.

    Raises
    ------
    LakeError
        If start or end do not lie on a border between shards, or beyond the array.
    """
    with checked_pipeline(store):
        array = zarr.open_array(store=zarr_store(store), path=name, mode="r+", zarr_format=3)
    stop = start + len(rows)
    per_shard = (array.shards or array.chunks)[0]
    if start % per_shard or stop % per_shard or stop > array.shape[0]:
        raise LakeError(
            f"{store / name}: rows {start} to {stop} are not whole shards of {per_shard} within "
            f"{array.shape[0]}; writing part of a shard could lose what another unit writes there."
        )
    array[start:stop] = rows


def clear_images(store: Location, image_ids: Sequence[int]) -> None:
    """Empty the slots of images, and of their pairs, in every array of a store."""
    if not image_ids:
        return
    slots = np.asarray(image_ids, dtype=np.int64)
    with checked_pipeline(store):
        root = zarr.open_group(store=zarr_store(store), mode="r+", zarr_format=3)
        nodes = [node for _, node in root.members(max_depth=None)]
    for node in nodes:
        if isinstance(node, zarr.Array) and node.shape[0]:
            _clear(node, slots)


def _clear(array: zarr.Array, image_ids: NDArray[np.int64]) -> None:
    per_shard = (array.shards or array.chunks)[0]
    per_image = per_shard // SHARD_IMAGES
    slots = (image_ids[:, None] * per_image + np.arange(per_image)).ravel()
    slots = slots[slots < array.shape[0]]
    for start in np.unique(slots // per_shard) * per_shard:
        rows = np.array(array[start : start + per_shard])
        rows[slots[(slots >= start) & (slots < start + per_shard)] - start] = array.fill_value
        array[start : start + per_shard] = rows


def _require_array(
    root: zarr.Group,
    name: str,
    spec: schema.Array,
    size: tuple[int, ...],
    per_shard: int,
    shards: int,
) -> None:
    if name in root:
        array = root[name]
        assert isinstance(array, zarr.Array)
        if array.shape[0] < shards * per_shard:
            array.resize((shards * per_shard, *array.shape[1:]))
        return
    chunk = (_entries_in_chunk(spec, size), *size) if size else (per_shard,)
    # Similar bits lie together: in photographs those of one place in a byte, else whole bytes.
    shuffle = BloscShuffle.bitshuffle if spec.path == "crop" else BloscShuffle.shuffle
    root.create_array(
        name,
        shape=(shards * per_shard, *size),
        dtype=spec.dtype,
        chunks=chunk,
        shards=(per_shard, *size),
        # The checksum makes a flipped bit an error on reading, never a wrong map.
        compressors=[
            BloscCodec(cname="zstd", clevel=1, shuffle=shuffle),
            Crc32cCodec(),
        ],
        fill_value=_FILL[spec.dtype],
        dimension_names=spec.dims,
        attributes={"units": spec.units, "meaning": spec.meaning},
    )


def _entries_in_chunk(spec: schema.Array, size: tuple[int, ...]) -> int:
    """Return a power of two, which divides every shard."""
    fitting = _CHUNK_BYTES // (np.dtype(spec.dtype).itemsize * math.prod(size))
    return 1 << (min(max(fitting, 1), SHARD_IMAGES).bit_length() - 1)
