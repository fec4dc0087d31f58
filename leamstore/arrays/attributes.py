"""Attributes of a store, read from its metadata without Zarr, which takes half a second to load."""

import json
from collections.abc import Mapping
from typing import Any

from leamstore.errors import LakeError, line_of
from leamstore.storage import Location, read_bytes


def root_attributes(store: Location) -> Mapping[str, Any]:
    """Return the attributes of a Zarr store's root group.

    Raises
    ------
    FileNotFoundError
        If there is no such group.
    LakeError
        If its metadata can't be read.
    """
    content = read_bytes(store / "zarr.json")
    if content is None:
        raise FileNotFoundError(store)
    try:
        metadata = json.loads(content)
        if (metadata["zarr_format"], metadata["node_type"]) != (3, "group"):
            raise ValueError("it is no group of Zarr 3")
        return dict(metadata.get("attributes", {}))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        sentence = f"{store} can't be opened: its metadata can't be read ({line_of(error)})."
        raise LakeError(sentence) from error
