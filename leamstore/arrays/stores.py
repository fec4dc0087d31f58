"""The lake's stores in Zarr 3: created, opened for reading, and models removed from them.

To open what has metadata that can't be understood is a `LakeError`.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import zarr

from leamstore import schema
from leamstore.arrays.attributes import understood
from leamstore.arrays.codec_pipeline import checked_pipeline
from leamstore.errors import MissingArrayError
from leamstore.storage import Location, zarr_store

if TYPE_CHECKING:
    import xarray as xr


def create_store(store: Location, attributes: Mapping[str, Any]) -> None:
    """Create an empty Zarr store with the lake's format version, unless it is there."""
    # With its attributes in one write, a group is there whole or not at all.
    attributes = {"format_version": schema.FORMAT_VERSION, **attributes}
    zarr.open_group(store=zarr_store(store), mode="a", zarr_format=3, attributes=attributes)


def remove_model(store: Location, model: str) -> None:
    """Remove all arrays of a model, if there are any."""
    root = zarr.open_group(store=zarr_store(store), mode="r+", zarr_format=3)
    if model in root:
        del root[model]


def open_root(store: Location) -> zarr.Group:
    """Open a store's root group for reading; FileNotFoundError if there is none."""
    with understood(store):
        return zarr.open_group(store=zarr_store(store), mode="r", zarr_format=3)


def open_array(store: Location, name: str) -> zarr.Array:
    """Open an array for reading.

    Raises
    ------
    MissingArrayError
        If it is not there.
    """
    try:
        with understood(store / name), checked_pipeline(store):
            return zarr.open_array(store=zarr_store(store), path=name, mode="r", zarr_format=3)
    except (FileNotFoundError, KeyError) as error:
        raise MissingArrayError(f"{store} holds no array {name}.") from error


def open_tree(store: Location) -> "xr.DataTree":
    """Open a whole store lazily, as anyone with xarray would."""
    import xarray as xr  # noqa: PLC0415 - loads slowly, with pandas

    with understood(store):
        return xr.open_datatree(
            zarr_store(store), engine="zarr", consolidated=False, chunks={}, zarr_format=3
        )
