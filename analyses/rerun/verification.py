"""Likeness of images to their positives, and verification at a threshold."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial.distance import cdist

from leamstore.verification import Embeddings, ScoreCounts, cosines

MEASURES: Final = ("cosine", "centred cosine", "euclidean", "true accepts")
"""Likenesses of an anchor to its positives: the more, the more alike."""

IN_WORDS: Final = {
    "cosine": "cosine", "centred cosine": "centred cosine", "euclidean": "Euclidean distance",
    "true accepts": "share of true accepts",
}  # fmt: skip
"""The measures as axes of figures name them."""

COMPARED: Final = 500
"""Images with which each image is compared in search of the threshold, drawn if there are more."""


@dataclass(frozen=True)
class Judge:
    """The data on which a model's judgement of likeness is based.

    Attributes
    ----------
    centre : (n,) float64
        The data set's mean embedding.
    threshold : float
        Cosine from which two images count as one person's: the threshold of equal errors.
    """

    centre: NDArray[np.float64]
    threshold: float


def make_judge(embeddings: Embeddings, identities: ArrayLike, seed: int) -> Judge:
    """Return the judge of a data set, from its unoccluded embeddings."""
    identities = np.asarray(identities)
    images = len(embeddings)
    drawn = np.random.default_rng(seed).permutation(images)[:COMPARED]
    scores = cosines(embeddings, embeddings[drawn])
    same = identities[:, None] == identities[drawn]
    itself = np.arange(images)[:, None] == drawn
    threshold, _ = ScoreCounts.of(scores[same & ~itself], scores[~same]).equal_errors()
    return Judge(embeddings.mean(0), float(threshold))


def likeness(
    anchors: Embeddings, gallery: Embeddings, positives: NDArray[np.bool_], judge: Judge
) -> NDArray[np.float64]:
    """Return the likeness of anchors to their positives, by each of `MEASURES`.

    Parameters
    ----------
    anchors : (anchor, n)
    gallery : (image, n)
        Embeddings among which the positives are.
    positives : (anchor, image) bool
        Mask of an anchor's positives; each has at least one.

    Returns
    -------
    (anchor, measure) float64
        Means over the positives of the cosine, of the cosine with the data set's mean embedding
        subtracted, of minus the Euclidean distance, and the share of positives accepted.
    """
    plain = cosines(anchors, gallery)
    centred = cosines(anchors - judge.centre, gallery - judge.centre)
    distances = cdist(anchors, gallery)
    measured = np.stack([plain, centred, -distances, plain >= judge.threshold], axis=-1)
    sums = (measured * positives[..., None]).sum(1)
    return sums / positives.sum(1)[:, None]
