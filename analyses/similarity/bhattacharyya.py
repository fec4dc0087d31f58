"""The Bhattacharyya coefficient of maps: how much of two distributions lies on the same pixels.

BC(P, Q) = sum of sqrt(P Q) over pixels (Bhattacharyya 1946; paper, equation 6): 1 for equal
maps, 0 for maps without a common pixel. It is an inner product of square roots, so many pairs are
few matrix products. An all-zero map has BC 0 with everything, as the sum says.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

_BLOCK: Final = 512
"""Maps whose coefficients with all others are held at a time."""


def of_pairs(distributions: NDArray[np.float64], pairs: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the coefficients (k,) of chosen pairs (k, 2) of maps (n, ...) that sum to 1.

    Needs memory for `_BLOCK` rows of the matrix of all pairs, and not for the matrix.
    """
    return products_of_pairs(roots(distributions), pairs)


def products_of_pairs(
    vectors: NDArray[np.float32], pairs: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the inner products (k,) of chosen pairs (k, 2) of vectors (n, m)."""
    products = np.empty(len(pairs))
    for start in range(0, len(vectors), _BLOCK):
        chosen = np.flatnonzero(pairs[:, 0] // _BLOCK == start // _BLOCK)
        rows = vectors[start : start + _BLOCK] @ vectors.T
        products[chosen] = rows[pairs[chosen, 0] - start, pairs[chosen, 1]]
    return products


def roots(distributions: NDArray[np.float64]) -> NDArray[np.float32]:
    """Return the vectors (n, m) whose inner products are the coefficients of maps (n, ...)."""
    return np.sqrt(distributions.reshape(len(distributions), -1)).astype(np.float32)
