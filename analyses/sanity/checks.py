"""Checks of a layer's maps against maps that they must differ from.

Each check compares an image's map with something that it should not be: with the map under
random weights, with where faces are (a centred Gaussian, everybody else's mean map), and with
the image's own edges. One rule holds for all: a check passes if the interval of its estimate
lies below `LIMIT`, fails if it lies above, and is unclear in between. Each is compared with the
same number for a control. The last check counts maps whose peak lies in the outermost ring
of the layer's cells, where padding has more effect than the face: in a layer that fails, single
pixels mean little.

Rank correlations are taken over the layer's own cells, the overlap of the most relevant percent
on a grid of `SIZE` over the chip.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import rankdata

from analyses.estimates import interval_row
from analyses.likeness import unit_vectors
from analyses.person.controls import RANDOM
from analyses.question import Settings
from analyses.similarity.canonical import SIZE
from analyses.statistics import Interval, bootstrap_mean
from leamstore.layers import CellGrid, Maps, take_top

LIMIT: Final = 0.5
"""Limit of an estimate: halfway between unrelated and identical maps, or half of the peaks."""

TOP_PERCENT: Final = 1.0

SPREAD: Final = 1 / 6
"""Standard deviation of the centred Gaussian, in sides of the chip."""

EDGES: Final = "edges"
CENTRE: Final = "centred Gaussian"
MEAN_MAP: Final = "others' mean map"
RING: Final = "peak in the outer ring"

RANKS: Final = "rank correlation"
OVERLAP: Final = "overlap of the top 1 %"
SHARE: Final = "share of maps"


@dataclass(frozen=True)
class Compared:
    """A layer's maps and the maps to compare them with, all at the layer's own resolution.

    Attributes
    ----------
    grid : CellGrid
        Positions of the layer's cells.
    maps, edges : (n, y, x)
        Of n images: the model's maps, and the edges of the chips.
    random_maps : (n, y, x) or None
        Under random weights, if the lake holds them.
    people : (n,)
        Number of each image's identity, from 0.
    strangers : (n,)
        Position of an image of someone else, for each.
    """

    grid: CellGrid
    maps: Maps
    edges: Maps
    random_maps: Maps | None
    people: NDArray[np.int64]
    strangers: NDArray[np.int64]


def check(layer: Compared, settings: Settings) -> pl.DataFrame:
    """Return all checks of a layer's maps.

    Returns
    -------
    polars.DataFrame
        check, measure, estimate, low, high, outcome (passed, failed or unclear), control,
        control_estimate, difference, difference_low, difference_high, images, identities. A
        control that is chance has no interval.
    """
    others = mean_of_others(layer.maps, layer.people)
    gaussian = np.broadcast_to(centred_gaussian(layer), layer.maps.shape)
    stranger = layer.strangers
    compared: list[tuple[str, Maps, str, Maps | None]] = [
        (CENTRE, gaussian, "chance", None),
        (MEAN_MAP, others, "chance", None),
        (EDGES, layer.edges, "another person's edges", layer.edges[stranger]),
    ]
    if layer.random_maps is not None:
        foreign = layer.random_maps[stranger]
        compared.insert(0, (RANDOM, layer.random_maps, "another person's map", foreign))
    rows = []
    for name, values, control, control_values in compared:
        for measure, compare in ((RANKS, rank_correlations), (OVERLAP, layer_overlaps)):
            found = compare(layer, values)
            if control_values is not None:
                beside = compare(layer, control_values)
            else:
                beside = np.full(len(found), 0.0 if measure == RANKS else TOP_PERCENT / 100)
            facts = {"check": name, "measure": measure, "control": control}
            rows.append(facts | _weigh(found, beside, layer.people, settings))
    peaks = peaks_in_ring(layer.maps)
    facts = {"check": RING, "measure": SHARE, "control": "chance"}
    by_chance = np.full(len(peaks), ring_share(layer.maps))
    rows.append(facts | _weigh(peaks, by_chance, layer.people, settings))
    return pl.DataFrame(rows, infer_schema_length=None).select(
        "check", "measure", "estimate", "low", "high", "outcome", "control", "control_estimate",
        "difference", "difference_low", "difference_high", "images", "identities",
    ).with_columns(pl.col(pl.Float64).fill_nan(None))  # fmt: skip


def rank_correlations(layer: Compared, values: Maps) -> NDArray[np.float64]:
    """Return (image,) Spearman's rank correlation of each map with values of the same cells.

    NaN where either is the same everywhere.
    """
    ranks = [rankdata(maps.reshape(len(maps), -1), axis=1) for maps in (layer.maps, values)]
    first, second = (unit_vectors(rank - rank.mean(1, keepdims=True)) for rank in ranks)
    return np.where(first.any(1) & second.any(1), (first * second).sum(1), np.nan)


def layer_overlaps(layer: Compared, values: Maps) -> NDArray[np.float64]:
    """Return (image,) which share of a map's top 1 % is also that of the values, on the grid.

    NaN where either is zero everywhere.
    """
    on_grid = (layer.grid.resample(maps.astype(np.float64), SIZE) for maps in (layer.maps, values))
    first, second = (take_top(maps.astype(np.float32), TOP_PERCENT) > 0 for maps in on_grid)
    counts = np.minimum(first.sum((1, 2)), second.sum((1, 2)))
    both = (first & second).sum((1, 2))
    return np.divide(both, counts, out=np.full(len(both), np.nan), where=counts > 0)


def peaks_in_ring(maps: Maps) -> NDArray[np.float64]:
    """Return (image,) 1 where a map's largest value lies in the outermost cells, 0 elsewhere.

    The first of equal values counts; NaN for a map that is zero everywhere.
    """
    _, height, width = maps.shape
    y, x = np.divmod(maps.reshape(len(maps), -1).argmax(1), width)
    in_ring = np.isin(y, (0, height - 1)) | np.isin(x, (0, width - 1))
    return np.where(maps.any((1, 2)), in_ring, np.nan)


def ring_share(maps: Maps) -> float:
    """Return the share of cells that are outermost, which is the value expected by chance."""
    _, height, width = maps.shape
    return 1 - max(height - 2, 0) * max(width - 2, 0) / (height * width)


def mean_of_others(maps: Maps, people: NDArray[np.int64]) -> Maps:
    """Return for each image the mean map of all other people, each of whom counts the same."""
    counts = np.bincount(people)
    sums = np.zeros((len(counts), *maps.shape[1:]))
    np.add.at(sums, people, maps)
    means = sums / counts[:, None, None]
    return ((means.sum(0) - means[people]) / (len(counts) - 1)).astype(np.float32)


def centred_gaussian(layer: Compared) -> Maps:
    """Return (y, x) a Gaussian about the middle of the chip, at the layer's cells."""
    steps = (np.arange(SIZE) - (SIZE - 1) / 2) / (SPREAD * SIZE)
    profile = np.exp(-(steps**2) / 2)
    rows, columns = (pool(weights) @ profile for weights in layer.grid.weights(SIZE))
    return np.outer(rows, columns).astype(np.float32)


def _weigh(
    values: NDArray[np.float64],
    control: NDArray[np.float64],
    people: NDArray[np.int64],
    settings: Settings,
) -> dict[str, Any]:
    columns = np.stack([values, control, values - control], 1)
    interval = bootstrap_mean(columns, people, seed=settings.seed, draws=settings.draws)
    found, beside, difference = (Interval(*(end[i] for end in interval)) for i in range(3))
    known = ~np.isnan(values)
    return {
        **interval_row(found),
        "outcome": outcome(float(found.low), float(found.high)),
        "control_estimate": float(beside.estimate),
        **interval_row(difference, ("difference", "difference_low", "difference_high")),
        "images": int(known.sum()),
        "identities": len(np.unique(people[known])),
    }


def outcome(low: float, high: float) -> str:
    """Return whether an interval lies below the limit (passed), above it (failed), or on it."""
    if high < LIMIT:
        return "passed"
    return "failed" if low > LIMIT else "unclear"


def pool(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return (cells, size): the means over the pixels to which each cell goes up.

    A cell between whose neighbours no pixel lies takes nothing.
    """
    total = weights.sum(0)[:, None]
    return np.divide(weights.T, total, out=np.zeros(weights.T.shape), where=total > 0)
