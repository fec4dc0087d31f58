"""Identity of a photograph: a hash of its bytes; its path is only where it was last seen."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from ingest.photographs.decoding import open_file


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """A file's size in bytes, its modification time in ns since 1970, and its sha256.

    The attributes are the columns of the table ``images`` of the same names.
    """

    bytes: int
    modified: int
    sha256: str


def stored_path(path: Path) -> str:
    """Return the absolute path under which the table ``images`` keeps a file.

    Links to folders are followed only where ``..`` makes it necessary: a link is as good a path
    as any other, and `ingest.photographs.reconciliation` knows the photograph by its content.
    """
    path = path.absolute()
    return str(path.parent.resolve() / path.name if ".." in path.parts else path)


def fingerprint(path: Path) -> Fingerprint:
    """Return the fingerprint of a file.

    Raises
    ------
    UnusableImageError
        If it can't be read.
    """
    with open_file(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        status = path.stat()
    return Fingerprint(status.st_size, status.st_mtime_ns, digest)


def is_unchanged(path: Path, size: int | None, modified: int | None) -> bool:
    """Return whether a file is there, with this size and modification time."""
    try:
        status = path.stat()
    except OSError:
        return False
    return (status.st_size, status.st_mtime_ns) == (size, modified)
