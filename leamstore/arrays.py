"""The lake's arrays in Zarr 3: sharded along one axis, written only in whole shards.

A shard holds `SHARD_IMAGES` images (or as many pairs as belong to them), so that a unit of work
owns whole files and two units never write to the same one.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import xarray as xr
import zarr
from zarr.codecs import BloscCodec, BloscShuffle, Crc32cCodec

from leamstore import schema
from leamstore.errors import LakeError

SHARD_IMAGES: Final = 64
"""Slots of the image axis in one shard: one file per array."""

_CHUNK_IMAGES: Final = 4
_FILL: Final = {"float16": np.nan, "float32": np.nan, "int32": -1, "uint8": 0}


def create_store(path: Path, attributes: Mapping[str, Any]) -> None:
    """Create an empty Zarr store with the lake's format version and `attributes`."""
    root = zarr.create_group(store=path, zarr_format=3)
    root.update_attributes({"format_version": schema.FORMAT_VERSION, **attributes})


def require_layer(
    store: Path,
    model: str,
    layer: str,
    size: tuple[int, int],
    pairs_per_shard: int,
    attributes: Mapping[str, Any],
) -> None:
    """Create the arrays of a model's layer unless they are there.

    Parameters
    ----------
    size : tuple of int
        Height and width of the layer in cells.
    pairs_per_shard : int
        Slots of the pair axis that belong to one shard of images; 0 if no pair maps are kept.
    attributes : mapping
        Stride and offset in input pixels, target, positives: written on the layer's group.

    Raises
    ------
    LakeError
        If the arrays are there with other attributes.
    """
    root = zarr.open_group(store=store, mode="r+")
    group_name = f"{model}/{layer}"
    if group_name in root:
        found = dict(root[group_name].attrs)
        if found != dict(attributes):
            raise LakeError(
                f"{store / group_name} was made with {found}, not with {dict(attributes)}: "
                "use another lake, or remove the model from this one."
            )
        return
    root.create_group(group_name).update_attributes(dict(attributes))
    for array in schema.MAP_ARRAYS:
        per_shard = pairs_per_shard if array.dims[0] == "pair" else SHARD_IMAGES
        if per_shard:
            name = array.path.replace("<model>/<layer>", group_name)
            _create_array(root, name, array, size[: len(array.dims) - 1], per_shard)


def require_faces(store: Path, name: str) -> None:
    """Create the array ``crop`` or ``labels/<parser>`` unless it is there."""
    root = zarr.open_group(store=store, mode="r+")
    if name in root:
        return
    array = next(spec for spec in schema.FACE_ARRAYS if spec.path.split("/")[0] == name.split("/")[0])
    size = (schema.GRID, schema.GRID, 3)[: len(array.dims) - 1]
    _create_array(root, name, array, size, SHARD_IMAGES)


def write_shards(store: Path, name: str, start: int, rows: np.ndarray) -> None:
    """Write whole shards of an array: `rows` go to position `start` of its first axis.

    Raises
    ------
    LakeError
        If start or end do not lie on a border between shards.
    """
    array = zarr.open_array(store=store, path=name, mode="r+")
    stop = start + len(rows)
    per_shard = (array.shards or array.chunks)[0]
    if start % per_shard or stop % per_shard:
        raise LakeError(
            f"{store / name}: rows {start} to {stop} are not whole shards of {per_shard}; "
            "writing part of a shard could lose what another unit writes there."
        )
    if array.shape[0] < stop:
        array.resize((stop, *array.shape[1:]))
    array[start:stop] = rows


def open_array(store: Path, name: str) -> zarr.Array:
    """Open an array for reading.

    Raises
    ------
    LakeError
        If it is not there.
    """
    try:
        return zarr.open_array(store=store, path=name, mode="r")
    except (FileNotFoundError, KeyError) as error:
        raise LakeError(f"{store} holds no array {name}.") from error


def open_tree(store: Path) -> xr.DataTree:
    """Open a whole store lazily, as anyone with xarray would."""
    return xr.open_datatree(store, engine="zarr", consolidated=False, chunks={})


def _create_array(
    root: zarr.Group, name: str, spec: schema.Array, size: tuple[int, ...], per_shard: int
) -> None:
    chunk = (min(_CHUNK_IMAGES, per_shard), *size) if size else (per_shard,)
    array = root.create_array(
        name,
        shape=(0, *size),
        dtype=spec.dtype,
        chunks=chunk,
        shards=(per_shard, *size),
        # The checksum makes a flipped bit an error on reading, never a wrong map.
        compressors=[
            BloscCodec(cname="zstd", clevel=3, shuffle=BloscShuffle.bitshuffle),
            Crc32cCodec(),
        ],
        fill_value=_FILL[spec.dtype],
        dimension_names=spec.dims,
    )
    array.update_attributes({"units": spec.units, "meaning": spec.meaning})
