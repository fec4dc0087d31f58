"""Reconciliation of a lake's photographs with a folder's, by content and identity.

A photograph that was renamed, moved, copied to another disk or reached by another path is the
same one: only its path is updated. One whose content is now under another person has been
relabelled. One whose file has other content has been replaced.
"""

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Hashable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.photographs.datasets import Photograph
from ingest.photographs.fingerprint import Fingerprint, fingerprint, is_unchanged, stored_path
from leamstore.errors import UnusableImageError

_READERS: Final = 8


@dataclass(frozen=True, slots=True)
class KnownPhotograph:
    """The columns of a row of the table ``images`` that identify a photograph."""

    path: str
    identity: str
    bytes: int | None
    modified: int | None
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Sighting:
    """A known photograph that was seen elsewhere, or under another name.

    Attributes
    ----------
    former_path : str
        Its path in the table ``images``.
    photograph : Photograph
        Its present record in the data set.
    fingerprint : Fingerprint
    """

    former_path: str
    photograph: Photograph
    fingerprint: Fingerprint


@dataclass(frozen=True)
class Reconciliation:
    """The result of a search for the photographs of a lake in a data set.

    Attributes
    ----------
    new : tuple of Photograph
        Not known, or a file with other content.
    renewed : tuple of Sighting
        Known photographs under a new path or modification time.
    relabelled : tuple of Sighting
        Known photographs that are now under another identity.
    replaced : tuple of str
        Paths in the table of photographs whose file holds another photograph now.
    departed : tuple of KnownPhotograph
        Known photographs that are no longer in the folder.
    """

    new: tuple[Photograph, ...]
    renewed: tuple[Sighting, ...]
    relabelled: tuple[Sighting, ...]
    replaced: tuple[str, ...]
    departed: tuple[KnownPhotograph, ...]


def reconcile(known: Sequence[KnownPhotograph], present: Sequence[Photograph]) -> Reconciliation:
    """Find known photographs among those that are present in a data set.

    Files with the path, size and modification time of a known photograph are taken for it unread.
    Of the others, those are read that are as large as a known photograph.

    Parameters
    ----------
    known : sequence of KnownPhotograph
        The whole table ``images``.
    present : sequence of Photograph
        All photographs of the data set.
    """
    search = _Search(known, present)
    renewed = [
        *search.match(lambda path, identity, content: (path, identity, content)),
        *search.match(lambda path, identity, content: (identity, content)),
    ]
    departed = search.departed(_moved_folders(known, renewed, search.folders))
    relabelled = search.match(lambda path, identity, content: content, among=departed)
    taken = {stored_path(photograph.path) for photograph in present}
    return Reconciliation(
        new=tuple(search.unknown),
        renewed=tuple(renewed),
        relabelled=tuple(relabelled),
        replaced=tuple(path for path in search.missing if path in taken),
        departed=tuple(
            one for one in departed if one.path in search.missing and one.path not in taken
        ),
    )


_KeyOf = Callable[[str, str, str | None], Hashable]
"""The properties that two photographs share: path, identity and sha256 of the content."""


class _Search:
    """Known photographs that are still missing, by path, and present ones still unknown."""

    def __init__(self, known: Sequence[KnownPhotograph], present: Sequence[Photograph]) -> None:
        self.missing = {one.path: one for one in known}
        self.folders = {_folder(stored_path(photograph.path)) for photograph in present}
        self.unknown = [photograph for photograph in present if not self._is_in_place(photograph)]
        sizes = {one.bytes for one in self.missing.values() if one.sha256}
        paths = [one.path for one in self.unknown if _size(one.path) in sizes]
        with ThreadPoolExecutor(_READERS) as readers:
            self._fingerprints = dict(zip(paths, readers.map(_fingerprint, paths), strict=True))

    def match(
        self, key_of: _KeyOf, among: Sequence[KnownPhotograph] | None = None
    ) -> list[Sighting]:
        """Take present photographs for missing ones with which they have a key in common."""
        waiting = defaultdict(list)
        for one in self.missing.values() if among is None else among:
            waiting[key_of(one.path, one.identity, one.sha256)].append(one.path)
        sightings, unknown = [], []
        for photograph in self.unknown:
            seen = self._fingerprints.get(photograph.path)
            path = stored_path(photograph.path)
            paths = waiting[key_of(path, photograph.identity, seen.sha256)] if seen else []
            if seen and paths:
                former = paths.pop(0)
                del self.missing[former]
                sightings.append(Sighting(former, photograph, seen))
            else:
                unknown.append(photograph)
        self.unknown = unknown
        return sightings

    def departed(self, moved: set[str]) -> list[KnownPhotograph]:
        """Return the missing photographs that are no longer in the folder that was named.

        Of photographs in other folders this data set says nothing, unless the folder was `moved`.
        """
        return [
            one
            for one in self.missing.values()
            if _folder(one.path) in moved
            or (_folder(one.path) in self.folders and not os.path.lexists(one.path))
        ]

    def _is_in_place(self, photograph: Photograph) -> bool:
        """Return whether a photograph is known by its path, and take it off the missing ones.

        A known file that can't be read at present is taken for what it was.
        """
        path = stored_path(photograph.path)
        one = self.missing.get(path)
        if one is None or one.identity != photograph.identity:
            return False
        unchanged = is_unchanged(photograph.path, one.bytes, one.modified)
        if unchanged or (one.sha256 and _is_unreadable(photograph.path)):
            del self.missing[path]
            return True
        return False


def _moved_folders(
    known: Sequence[KnownPhotograph], renewed: Iterable[Sighting], folders: set[str]
) -> set[str]:
    """Return the folders most of whose photographs were found in another one."""
    held = Counter(_folder(one.path) for one in known)
    found = Counter(_folder(one.former_path) for one in renewed)
    return {
        folder
        for folder, count in found.items()
        if folder not in folders and 2 * count > held[folder]
    }


def _folder(path: str) -> str:
    """Return the folder that holds the folders of identities."""
    return os.path.dirname(os.path.dirname(path))  # noqa: PTH120, a Path takes ten times as long


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None


def _fingerprint(path: Path) -> Fingerprint | None:
    try:
        return fingerprint(path)
    except UnusableImageError:
        return None


def _is_unreadable(path: Path) -> bool:
    """Return whether a file is there and can't be opened."""
    try:
        with path.open("rb"):
            return False
    except PermissionError:
        return True
    except OSError:
        return False
