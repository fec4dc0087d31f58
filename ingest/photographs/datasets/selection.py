"""Selection of a part of a data set that stays the same while the data set grows."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Protocol, TypeVar

from ingest.photographs.datasets.sentences import counted
from leamstore.errors import LeamError


class _OfIdentity(Protocol):
    """Interface of selectable things: an image file of an identity."""

    @property
    def path(self) -> Path: ...

    @property
    def identity(self) -> str: ...


_Item = TypeVar("_Item", bound=_OfIdentity)


def select(
    photographs: Iterable[_Item],
    max_images: int | None = None,
    min_images: int | None = None,
    max_identities: int | None = None,
    seed: int = 0,
) -> list[_Item]:
    """Take at most so many images of at most so many identities, drawn by seed.

    Each identity and each image has a place in line that depends on nothing but the seed, the
    identity and the file's name: other identities and images, their order and the folder don't
    matter, so a data set that grows keeps what was chosen unless a newcomer is before it in line.

    Parameters
    ----------
    photographs : iterable
        Photographs, or anything else with a path and an identity.
    max_images : int, optional
        Most images of an identity; the rest is left out.
    min_images : int, optional
        Identities with fewer images are left out; counted before `max_images` takes any away.
    max_identities : int, optional
        Most identities, among those with enough images.
    seed : int
        Draws the line.

    Returns
    -------
    list
        The chosen ones, in the order in which they came.

    Raises
    ------
    LeamError
        If a limit is below 1, or nothing is left.
    """
    if any(limit is not None and limit < 1 for limit in (max_images, min_images, max_identities)):
        raise LeamError("A limit on images or identities must be 1 or more.")
    offered = list(photographs)
    of_identity: dict[str, list[int]] = defaultdict(list)
    for position, photograph in enumerate(offered):
        of_identity[photograph.identity].append(position)
    enough = [name for name, images in of_identity.items() if len(images) >= (min_images or 1)]
    if offered and not enough:
        largest = counted(max(map(len, of_identity.values())), "image")
        raise LeamError(
            f"No identity has {min_images} images, the most is {largest}: ask for a lower minimum."
        )
    chosen: list[int] = []
    for identity in sorted(enough, key=lambda name: _place(seed, name))[:max_identities]:
        line = sorted(
            of_identity[identity],
            key=lambda position: _place(
                seed, offered[position].identity, offered[position].path.name
            ),
        )
        chosen += line[:max_images]
    return [offered[position] for position in sorted(chosen)]


def _place(seed: int, *names: str) -> bytes:
    """Return a place in line: random, but always the same for the same seed and names."""
    return hashlib.blake2b("\0".join([str(seed), *names]).encode(), digest_size=16).digest()
