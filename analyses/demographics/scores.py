"""Distributions of likeness by group: quantiles computed from histogram counts.

Counts of people add up over tasks and models, and redrawing people is a product with them.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.estimates import labelled, sums_by_person
from analyses.question import Settings
from analyses.statistics import ENDS, Array, identity_weights

STEP: Final = 0.002
"""Width of a bin of cosines, which is the resolution of the quantiles."""

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)


def bin_cosines(cosines: NDArray[np.float64]) -> NDArray[np.int32]:
    """Return the bin (n,) of each cosine (n,): bin 0 begins at -1."""
    return np.floor((cosines.clip(-1, 1) + 1) / STEP).astype(np.int32)


def find_quantiles(counts: pl.DataFrame, by: Sequence[str], settings: Settings) -> pl.DataFrame:
    """Return quantiles of scores with intervals over identities.

    Parameters
    ----------
    counts : polars.DataFrame
        Columns `by`, identity, bin (as `bin_cosines` gives it) and pairs (how many lie in it).
    by : sequence of str
        Columns that form the groups.

    Returns
    -------
    polars.DataFrame
        Columns `by`, quantile (0 to 1), estimate (the middle of the bin that it lies in), low,
        high (NULL of one identity), identities, pairs.
    """
    return pl.concat(
        labelled(_quantiles(part, settings), dict(zip(by, of, strict=True)))
        for of, part in counts.group_by(by, maintain_order=True)
    )


def _quantiles(part: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return one group's quantiles with their intervals, and of how many people and pairs."""
    bins, counted = sums_by_person(part.sort("bin"), ["bin"], ["pairs"])
    people, counted = len(counted), counted[..., 0]
    drawn = identity_weights(people, settings.draws, settings.seed)
    middles = (bins["bin"].to_numpy() + 0.5) * STEP - 1
    estimate, *samples = middles[_places(np.vstack([np.ones(people), drawn]) @ counted)]
    low, high = np.quantile(samples, ENDS, axis=0)
    known = pl.lit(people > 1)
    return pl.DataFrame({"quantile": QUANTILES}).with_columns(
        estimate=pl.Series(estimate),
        low=pl.when(known).then(pl.Series(low)),
        high=pl.when(known).then(pl.Series(high)),
        identities=pl.lit(people, pl.Int32),
        pairs=pl.lit(int(counted.sum()), pl.Int32),
    )


def _places(counts: Array) -> NDArray[np.int64]:
    """Return (draw, quantile) which bin of counts (draw, bin) each of `QUANTILES` lies in."""
    reached = counts.cumsum(1)
    wanted = np.array(QUANTILES) * reached[:, -1:]
    # Sums of weights are whole numbers; a sum that is less only by rounding counts as equal.
    return np.stack([(reached < one[:, None] - 1e-9).sum(1) for one in wanted.T], axis=1)
