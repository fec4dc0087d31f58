"""Selection of a part of a data set that stays the same while the data set grows."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final, Protocol, TypeVar

from ingest.photographs.datasets.sentences import counted
from leamstore.errors import LeamError


class _OfIdentity(Protocol):
    """Interface of selectable things: an image file of an identity."""

    @property
    def path(self) -> Path: ...

    @property
    def identity(self) -> str: ...


_Item = TypeVar("_Item", bound=_OfIdentity)


@dataclass(frozen=True)
class Limits:
    """Limits on the size of a data set.

    Attributes
    ----------
    max_images : int, optional
        Most images of an identity; the rest is left out.
    min_images : int, optional
        Identities with fewer images are left out; counted before `max_images` takes any away.
    max_identities : int, optional
        Most identities, among those with enough images.
    seed : int
        Draws the images and identities that are taken.
    """

    max_images: int | None = None
    min_images: int | None = None
    max_identities: int | None = None
    seed: int = 0


NO_LIMITS: Final = Limits()


def select(photographs: Iterable[_Item], limits: Limits) -> list[_Item]:
    """Take as many images of as many identities as the limits allow, drawn by their seed.

    Each identity and each image has a place in line that depends on nothing but the seed, the
    identity and the file's name: other identities and images, their order and the folder don't
    matter, so a data set that grows keeps what was chosen unless a newcomer is before it in line.

    Parameters
    ----------
    photographs : iterable
        Photographs, or anything else with a path and an identity.
    limits : Limits

    Returns
    -------
    list
        The chosen ones, in the order in which they came.

    Raises
    ------
    LeamError
        If a limit is below 1, or nothing is left.
    """
    most = (limits.max_images, limits.min_images, limits.max_identities)
    if any(limit is not None and limit < 1 for limit in most):
        raise LeamError("A limit on images or identities must be 1 or more.")

    def place_of(one: _Item) -> bytes:
        return _place(limits.seed, one.identity, one.path.name)

    offered = list(photographs)
    of_identity: dict[str, list[int]] = defaultdict(list)
    for position, photograph in enumerate(offered):
        of_identity[photograph.identity].append(position)
    least = limits.min_images or 1
    enough = [name for name, images in of_identity.items() if len(images) >= least]
    if offered and not enough:
        largest = counted(max(map(len, of_identity.values())), "image")
        raise LeamError(
            f"No identity has {least} images, the most is {largest}: ask for a lower minimum."
        )
    chosen: list[int] = []
    for identity in sorted(enough, key=partial(_place, limits.seed))[: limits.max_identities]:
        line = sorted(of_identity[identity], key=lambda position: place_of(offered[position]))
        chosen += line[: limits.max_images]
    return [offered[position] for position in sorted(chosen)]


def _place(seed: int, *names: str) -> bytes:
    """Return a place in line: random, but always the same for the same seed and names."""
    return hashlib.blake2b("\0".join([str(seed), *names]).encode(), digest_size=16).digest()
