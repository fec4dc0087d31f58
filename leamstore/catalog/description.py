"""Descriptions of the catalog's entries for people: a line of each, and all facts of one."""

from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, Final

from pydantic import BaseModel

from leamstore.catalog import Catalog, Entry, Model, RemoteFile, files

_TITLES: Final = {"model": "Models", "parser": "Parsers", "dataset": "Data sets"}
_UNKNOWN: Final = "not known: the first download's is recorded"


def overview(catalog: Catalog) -> Iterator[str]:
    """Yield a line for each entry, in aligned columns, and a title before each kind."""
    found = files.readiness(catalog)
    states = [_state(*pair) for pair in zip(found, catalog.entries, strict=True)]
    names_width = max(len(entry.name) for entry in catalog.entries)
    states_width = max(map(len, states))
    rows = zip(found, states, catalog.entries, strict=True)
    for kind, of_kind in groupby(rows, key=lambda row: row[0].kind):
        yield _TITLES[kind]
        for _, state, entry in of_kind:
            words = in_few_words(entry)
            yield f"  {entry.name:{names_width}}  {state:{states_width}}  {words}"


def in_few_words(entry: Entry) -> str:
    """Return what an entry is: a model's architecture, loss and data, or its description."""
    if isinstance(entry, Model):
        return f"{entry.family}, {entry.loss}, {entry.trained_on}"
    return entry.description


def facts(entry: Entry) -> Iterator[tuple[str, list[str]]]:
    """Yield the facts of an entry and of its file, each with its name and in lines.

    Empty ones are left out, but for a size or sha256 that isn't known.
    """
    for field in type(entry).model_fields:
        value = getattr(entry, field)
        if isinstance(value, RemoteFile):
            yield from _facts_of_file(value)
        elif isinstance(entry, Model) and field == "layers":
            yield "layers", _layers(entry)
        elif field != "layer_sizes" and (lines := _lines(value)):
            yield field.replace("_", " "), lines


def _state(found: files.Readiness, entry: Entry) -> str:
    file = files.file_of(entry)
    if found.state == "can be fetched" and file is not None and file.size is not None:
        return f"can be fetched, {file.size / 1e6:,.0f} MB"
    return "by hand" if found.state == "place by hand" else found.state


def _facts_of_file(file: RemoteFile) -> Iterator[tuple[str, list[str]]]:
    first = files.first_sha256(file)
    unknown = f"{first}, of the first download" if first else _UNKNOWN
    said = {
        "addresses": [*file.addresses, *(f"{mirror} (a mirror)" for mirror in file.mirrors)],
        "mirrors": None,  # they are among the addresses
        "size": f"{file.size:,} bytes" if file.size else "not known",
        "sha256": file.sha256 or unknown,
    }
    for field in type(file).model_fields:
        if lines := _lines(said.get(field, getattr(file, field))):
            yield field.replace("_", " "), lines


def _layers(model: Model) -> list[str]:
    """Return the layers with their positions, and the sizes in cells that are stated."""
    width = max(map(len, model.layers))
    sizes = [f"{size} x {size}" for size in model.layer_sizes] or [""] * len(model.layers)
    return [
        f"{position:2}  {layer:{width}}  {size}".rstrip()
        for position, (layer, size) in enumerate(zip(model.layers, sizes, strict=True))
    ]


def _lines(value: Any) -> list[str]:
    """Return a value as lines of text, none if it is empty."""
    match value:
        case None | "":
            return []
        case Mapping():
            return [f"{name}: {part}" for name, part in value.items()]
        case BaseModel():
            return _lines(value.model_dump(exclude_none=True))
        case tuple() | list() if all(isinstance(part, float) for part in value):
            return [", ".join(f"{part:g}" for part in value)] if value else []
        case tuple() | list():
            return [str(part) for part in value]
        case _:
            return [str(value)]
