"""Targets: the score of an embedding that LEAM differentiates.

A score looks at the anchor's embedding, at a counterpart (the embedding of a positive, or the
mean of all positives) and at a reference (a constant per image, made once from the embeddings
of the whole data set). The paper (arXiv 2509.17457) knows `cosine` alone. The other targets ask
its question differently; the controls `norm`, `impostor` and `impostor-random` ask nothing about
the person, so a pattern that they show as well isn't the person's.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from leamstore.errors import LeamError

_SHORTEST: Final = 1e-12
"""Length below which `torch.nn.functional.normalize` doesn't bring a vector to length 1."""

Score = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From anchors (b, n), counterparts (b, n) and references (b, c) to scores (b,)."""

References = Callable[[Tensor, Sequence[str], int], Tensor]
"""From embeddings (image, n), identities (image,) and a seed to references (image, c).

Those that compare with other people raise `LeamError` if there is only one identity.
"""


def no_references(embeddings: Tensor, _identities: Sequence[str], _seed: int = 0) -> Tensor:
    """Return (image, 0): the score needs nothing else."""
    return embeddings.new_empty(len(embeddings), 0)


@dataclass(frozen=True)
class Target:
    """A score, and the inputs that it needs.

    Attributes
    ----------
    name : str
        Its name on the command line and in the lake.
    score : Score
        The number whose gradient is followed.
    references : References
        Makes the constants that the score needs besides anchor and counterpart.
    uses_counterpart : bool
        If False, all pairs of an anchor have the same map: one backward pass per image is enough.
    """

    name: str
    score: Score
    references: References = no_references
    uses_counterpart: bool = True

    @property
    def needs_references(self) -> bool:
        """Whether the whole data set must be embedded before the first map."""
        return self.references is not no_references


def find_target(name: str) -> Target:
    """Return the target of this name.

    Raises
    ------
    LeamError
        If there is none; the message names those that are.
    """
    if name not in TARGETS:
        raise LeamError(f"There is no target {name!r}: choose one of {', '.join(TARGETS)}.")
    return TARGETS[name]


def cosine(anchor: Tensor, counterpart: Tensor, _reference: Tensor) -> Tensor:
    """Cosine of anchor and counterpart.

    Written as 1 - |a - c|^2 / 2 of the unit vectors a and c: the same number, but its gradient
    is exactly zero for an image paired with itself, where the quotient of a product by two
    lengths leaves rounding noise that scaling to maximum 1 would turn into a map.
    """
    difference = F.normalize(anchor, dim=1) - F.normalize(counterpart, dim=1)
    return 1 - difference.square().sum(1) / 2


def dot(anchor: Tensor, counterpart: Tensor, _reference: Tensor) -> Tensor:
    """Inner product of anchor and counterpart."""
    return (anchor * counterpart).sum(1)


def centred_cosine(anchor: Tensor, counterpart: Tensor, mean: Tensor) -> Tensor:
    """Cosine of anchor and counterpart after subtraction of the data set's mean."""
    return cosine(anchor - mean, counterpart - mean, mean)


def euclidean(anchor: Tensor, counterpart: Tensor, _reference: Tensor) -> Tensor:
    """Minus the distance between anchor and counterpart; its gradient at distance 0 is 0."""
    return -torch.linalg.vector_norm(anchor - counterpart, dim=1)


def contrastive(anchor: Tensor, counterpart: Tensor, others: Tensor) -> Tensor:
    """Cosine of anchor and counterpart minus the mean cosine of the anchor and others.

    That mean is one inner product with the mean of the others' unit vectors.
    """
    return cosine(anchor, counterpart, others) - dot(F.normalize(anchor, dim=1), others, others)


def norm(anchor: Tensor, _counterpart: Tensor, _reference: Tensor) -> Tensor:
    """Length of the anchor; meaningless for a network that scales its embeddings to length 1."""
    return torch.linalg.vector_norm(anchor, dim=1)


def impostor(anchor: Tensor, _counterpart: Tensor, stranger: Tensor) -> Tensor:
    """Cosine of anchor and stranger."""
    return cosine(anchor, stranger, stranger)


def mean_of_all(embeddings: Tensor, _identities: Sequence[str], _seed: int = 0) -> Tensor:
    """Return (image, n): for every image the mean of all embeddings."""
    return embeddings.mean(0).expand_as(embeddings)


def mean_of_others(embeddings: Tensor, identities: Sequence[str], _seed: int = 0) -> Tensor:
    """Return (image, n): for every image the mean unit vector of other people's images."""
    people = _People.of(identities, embeddings.device)
    units = F.normalize(embeddings, dim=1)
    return (units.sum(0) - people.sums(units)) / people.strangers[:, None]


def stranger_of_person(embeddings: Tensor, identities: Sequence[str], seed: int = 0) -> Tensor:
    """Return (image, n): an image of someone else, one and the same for all images of a person."""
    people = _People.of(identities, embeddings.device)
    draws = torch.from_numpy(np.random.default_rng(seed).random(len(people.counts)))
    return embeddings[people.draw_stranger(draws.to(embeddings.device)[people.codes])]


def stranger_of_image(embeddings: Tensor, identities: Sequence[str], seed: int = 0) -> Tensor:
    """Return (image, n): an image of someone else, drawn anew for every image."""
    people = _People.of(identities, embeddings.device)
    draws = torch.from_numpy(np.random.default_rng(seed).random(len(people.codes)))
    return embeddings[people.draw_stranger(draws.to(embeddings.device))]


TARGETS: Final = {
    target.name: target
    for target in (
        Target("cosine", cosine),  # the paper's
        Target("dot", dot),
        Target("centred-cosine", centred_cosine, mean_of_all),
        Target("euclidean", euclidean),
        Target("contrastive", contrastive, mean_of_others),
        Target("norm", norm, uses_counterpart=False),
        Target("impostor", impostor, stranger_of_person, uses_counterpart=False),
        Target("impostor-random", impostor, stranger_of_image, uses_counterpart=False),
    )
}
"""The targets by name."""


def has_direction(embeddings: Tensor) -> Tensor:
    """Return whether each embedding (image, n) has a direction, so that cosines are defined.

    One that is zero, or holds NaN or infinite numbers, has none; nor has one that is so short or
    long that float32 can't tell its length, which torch's normalisation takes for zero.

    Returns
    -------
    Tensor
        (image,) bool.
    """
    lengths = torch.linalg.vector_norm(embeddings.float(), dim=1)
    return lengths.isfinite() & (lengths > _SHORTEST)


def references_of(
    target: Target, embeddings: Tensor, identities: Sequence[str], seed: int
) -> Tensor:
    """Return a target's references for each image, made from the images that have a direction.

    Parameters
    ----------
    embeddings : Tensor
        (image, n).
    identities : sequence of str
        Whose face each image shows.

    Returns
    -------
    Tensor
        (image, c); NaN for an image without a direction.
    """
    directed = has_direction(embeddings)
    places = directed.nonzero().squeeze(1)
    made = target.references(embeddings[places], [identities[place] for place in places], seed)
    return made.new_full((len(embeddings), *made.shape[1:]), torch.nan).index_copy(0, places, made)


def mean_of_positives(embeddings: Tensor, identities: Sequence[str]) -> Tensor:
    """Return for every image the mean embedding of the other images of its identity.

    As counterparts they make one map an image instead of one a pair.

    Parameters
    ----------
    embeddings : Tensor
        (image, n).
    identities : sequence of str
        Whose face each image shows.

    Returns
    -------
    Tensor
        (image, n).

    Raises
    ------
    LeamError
        If an identity has a single image.
    """
    people = _People.of(identities, embeddings.device)
    if (people.counts == 1).any():
        raise LeamError("An image without a positive has no counterpart: leave lone images out.")
    positives = people.counts[people.codes] - 1
    return (people.sums(embeddings) - embeddings) / positives[:, None]


@dataclass(frozen=True)
class _People:
    """Identities as numbers: `codes` (image,) names each image's person, of `counts` images."""

    codes: Tensor
    counts: Tensor

    @classmethod
    def of(cls, identities: Sequence[str], device: torch.device) -> "_People":
        _, codes, counts = np.unique(
            np.asarray(identities), return_inverse=True, return_counts=True
        )
        return cls(torch.from_numpy(codes).to(device), torch.from_numpy(counts).to(device))

    @property
    def strangers(self) -> Tensor:
        """Number of images that show other people, for every image (image,)."""
        if len(self.counts) < 2:
            raise LeamError("This target compares with other people: give at least two identities.")
        return len(self.codes) - self.counts[self.codes]

    def sums(self, vectors: Tensor) -> Tensor:
        """Sum of the vectors of each image's person, the image itself included (image, n)."""
        totals = vectors.new_zeros(len(self.counts), vectors.shape[1])
        return totals.index_add(0, self.codes, vectors)[self.codes]

    def draw_stranger(self, draws: Tensor) -> Tensor:
        """Turn uniform draws in [0, 1) (image,) into indices of images of someone else."""
        by_person = torch.argsort(self.codes, stable=True)
        first = (self.counts.cumsum(0) - self.counts)[self.codes]
        place = (draws * self.strangers).long()
        beyond_own = torch.where(place >= first, self.counts[self.codes], 0)
        return by_person[place + beyond_own]
