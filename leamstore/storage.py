"""Storage of a lake: a folder, or a prefix in an object store (s3://, gs://, az://).

A folder is a `pathlib.Path` and stays one. A prefix is an `ObjectPath`, which joins and prints
like a path, so that most code need not know which of the two it has. Three modules do: `arrays`
gives Zarr the store, `tables` gives DuckDB a local copy (see `published_copy`), and `Lake` asks
what is there. Where a store refuses or can't be asked, all functions raise a `LakeError`.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore, from_url

from leamstore.errors import LakeError, line_of

if TYPE_CHECKING:
    from obstore import ObjectMeta
    from zarr.storage import ObjectStore as ZarrStore

_SCHEMES: Final = {"s3": "AWS", "gs": "GOOGLE", "az": "AZURE"}
"""The schemes of object stores, with the prefix of their environment variables."""

_CREDENTIALS: Final = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}

_REQUEST_TIME: Final = timedelta(minutes=10)
_RETRY_TIME: Final = timedelta(minutes=1)


@dataclass(frozen=True)
class ObjectPath:
    """A place in a bucket.

    It pickles by its address: another machine opens the bucket by its own credentials.

    Attributes
    ----------
    bucket : str
        Address of the bucket: ``s3://bucket``.
    key : str
        The rest of the path, without slashes at its ends; empty for the bucket itself.
    store : obstore.store.ObjectStore
        The bucket, opened.
    """

    bucket: str
    key: str
    store: ObjectStore = field(compare=False, repr=False)

    def __truediv__(self, name: str) -> "ObjectPath":
        return ObjectPath(self.bucket, f"{self.key}/{name}".strip("/"), self.store)

    def __str__(self) -> str:
        return f"{self.bucket}/{self.key}".rstrip("/")

    def __reduce__(self) -> tuple[Callable[[str], "Location"], tuple[str]]:
        return location, (str(self),)

    @property
    def name(self) -> str:
        """The last part of the key."""
        return self.key.rpartition("/")[2]

    @cached_property
    def zarr_store(self) -> "ZarrStore[Any]":
        """The Zarr store rooted at this place, since Zarr makes groups up to the root."""
        # Zarr takes half as long to load as all that the tables need.
        from zarr.storage import ObjectStore as ZarrStore  # noqa: PLC0415

        return ZarrStore(_open_store(str(self)))

    def exists(self) -> bool:
        """Whether an object with exactly this key exists; raises LakeError as `head` does."""
        return self.head() is not None

    def head(self) -> "ObjectMeta | None":
        """Return the store's metadata of the object with exactly this key; None if there is none.

        Raises
        ------
        LakeError
            If the store can't be asked, or has no such bucket.
        """
        with as_lake_errors(self):
            try:
                return obstore.head(self.store, self.key)
            except FileNotFoundError:
                any(objects(self))  # unlike the answer to HEAD, this one names a missing bucket
                return None


Location = Path | ObjectPath
"""A place in a file system or in an object store."""


def location(address: str | Location) -> Location:
    """Return the place that an address names: ``s3://bucket/prefix``, or else a path.

    Raises
    ------
    LakeError
        If the scheme is unknown, the bucket's name is missing, or the settings don't open it.
    """
    if not isinstance(address, str):
        return address
    scheme, mark, rest = address.partition("://")
    if not mark:
        return Path(address)
    bucket, _, key = rest.partition("/")
    parts = [part for part in key.split("/") if part]
    if scheme not in _SCHEMES or not bucket or {".", ".."} & set(parts):
        known = ", ".join(f"{name}://bucket/prefix" for name in _SCHEMES)
        raise LakeError(f"{address} is no address of a lake: give a folder, or one of {known}.")
    root = f"{scheme}://{bucket}"
    return ObjectPath(root, "/".join(parts), _open_store(root))


def zarr_store(place: Location) -> Any:
    """Return the store at a place, as Zarr and xarray open it."""
    return place if isinstance(place, Path) else place.zarr_store


def stored_bytes(place: Location) -> int:
    """Return the total size of all files below a place."""
    if isinstance(place, Path):
        return sum(file.stat().st_size for file in place.rglob("*") if file.is_file())
    return sum(size for _, size in objects(place))


def read_bytes(place: Location) -> bytes | None:
    """Return the content of a file or an object; None if it doesn't exist."""
    try:
        if isinstance(place, Path):
            return place.read_bytes()
        with as_lake_errors(place):
            return bytes(obstore.get(place.store, place.key).bytes())
    except FileNotFoundError:
        return None


def write_bytes(place: Location, content: bytes) -> None:
    """Write a small file or object."""
    if isinstance(place, Path):
        place.write_bytes(content)
        return
    with as_lake_errors(place):
        obstore.put(place.store, place.key, content)


def remove(place: Location) -> None:
    """Remove a file or an object, if it is there."""
    if isinstance(place, Path):
        place.unlink(missing_ok=True)
        return
    with as_lake_errors(place), suppress(FileNotFoundError):
        obstore.delete(place.store, place.key)


def objects(place: ObjectPath) -> Iterator[tuple[str, int]]:
    """Yield the name below a place and the size of each object there, as the pages come."""
    with as_lake_errors(place):
        for page in obstore.list(place.store, prefix=place.key or None):
            for found in page:
                yield found["path"].removeprefix(place.key).lstrip("/"), found["size"]


@contextmanager
def as_lake_errors(place: ObjectPath) -> Iterator[None]:
    """Turn an error of a store within the context into a `LakeError` with the remedy.

    An object that isn't there (FileNotFoundError) stays what it is, unless its bucket isn't.
    """
    try:
        yield
    except BaseError as error:
        raise LakeError(_sentence(place.bucket, error)) from error


def error_sentence(error: BaseException) -> str | None:
    """Return a sentence on an error of an object store; None for any other error.

    Zarr passes these on, from reads that may be far from the code that knows the address.
    """
    return _sentence("the object store", error) if isinstance(error, BaseError) else None


def _open_store(address: str) -> ObjectStore:
    # Options given here replace all client settings of the environment.
    variable = f"{_SCHEMES[address.partition(':')[0]]}_ALLOW_HTTP"
    http = os.environ.get(variable, "").lower() in ("true", "1")
    try:
        return from_url(
            address,
            client_options={"timeout": _REQUEST_TIME, "allow_http": http},
            retry_config={"retry_timeout": _RETRY_TIME},
        )
    except BaseError as error:
        raise LakeError(_sentence(address, error)) from error


_SENTENCES: Final = {
    ("NoSuchBucket", "ContainerNotFound"):
        "there is no bucket {bucket}: make it, or name another.",
    ("/latest/api/token", "metadata.google", "MissingAccount"):
        "there are no credentials for {bucket}: set {variables}.",
    ("BadScheme",):
        "{bucket} is reached without encryption only if AWS_ALLOW_HTTP=true says so.",
    ("error sending request", "timed out"):
        "{bucket} does not answer: check the network and, for a store of your own, its address in "
        "AWS_ENDPOINT_URL; the same command goes on where this one stopped.",
    ("401 Unauthorized", "403 Forbidden"):
        "{bucket} refuses these credentials: check {variables}, and that they may read, write, "
        "delete and list.",
}  # fmt: skip
"""What an error means that has one of these parts in its text; the first that fits counts."""


def _sentence(bucket: str, error: BaseException) -> str:
    text = str(error)
    variables = _CREDENTIALS.get(bucket.partition(":")[0], "the credentials")
    for parts, sentence in _SENTENCES.items():
        if any(part in text for part in parts):
            return sentence.format(bucket=bucket, variables=variables)
    return f"{bucket} can't be used: {line_of(error)}"
