"""Attributes of a store, read from its metadata without Zarr, which takes half a second to load."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from leamstore.errors import LakeError, line_of
from leamstore.storage import Location, error_sentence, read_bytes


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
    with understood(store):
        metadata = json.loads(content)
        if (metadata.get("zarr_format"), metadata.get("node_type")) != (3, "group"):
            raise ValueError("it is no group of Zarr 3")
        return dict(metadata.get("attributes", {}))


@contextmanager
def understood(place: Location) -> Iterator[None]:
    """Turn errors raised over metadata into sentences, except for missing arrays."""
    try:
        yield
    except (FileNotFoundError, KeyError):
        raise
    except Exception as error:
        if error_sentence(error):  # it is the object store that speaks
            raise
        sentence = f"{place} can't be opened: its metadata can't be read ({line_of(error)})."
        raise LakeError(sentence) from error
