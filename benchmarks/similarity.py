"""Likeness of maps: all Bhattacharyya coefficients, and earth mover's distances."""

import os
from collections.abc import Iterator
from functools import partial
from itertools import combinations
from typing import Final

import numpy as np
import ot
from numpy.typing import NDArray

from analyses import likeness
from benchmarks.benchmark import Measured, Settings
from benchmarks.material import demo_lake, pair_maps
from benchmarks.timing import medians
from leamstore.layers import CellGrid, normalise, take_top

Distributions = NDArray[np.float64]

_GRID: Final = 112
_LAYER: Final = "conv1"


def bhattacharyya_of_all_pairs(settings: Settings) -> Iterator[Measured]:
    """Measure all coefficients; the loop's time is that of a sample of its pairs, scaled up."""
    maps = settings.size(1000, 40)
    sample = settings.size(20_000, 100)
    distributions = drawn_distributions(maps, _GRID, settings.seed)
    roots = np.sqrt(distributions.reshape(maps, -1)).astype(np.float32)
    every = np.array(list(combinations(range(maps), 2)))
    pairs = every[:sample]
    seconds = medians(
        {
            "ours": partial(likeness.bhattacharyya, distributions, every),
            "product": lambda: roots @ roots.T,
            "loop": partial(_loop_over_pairs, distributions, pairs),
        },
        settings.repeats,
    )
    loop = seconds["loop"] / len(pairs) * len(every)
    note = f"{maps} maps of {_GRID} x {_GRID}: ours {seconds['ours']:.2f} s"
    yield Measured("numpy loop", loop / seconds["ours"], f"{note}, loop {loop:.1f} s")
    yield Measured(
        "matrix product",
        seconds["ours"] / seconds["product"],
        f"{note}, product {seconds['product']:.2f} s",
    )


def earth_movers_distance(settings: Settings) -> Iterator[Measured]:
    """Measure distances of LEAM's own maps: pair maps of the demo set, by dlib's network."""
    maps = pair_maps(demo_lake(settings), _LAYER).astype(np.float64)
    random = np.random.default_rng(settings.seed)
    top = normalise(take_top(_on_grid(maps, _GRID).astype(np.float32), 1.0))
    full = normalise(_on_grid(maps, 28).astype(np.float32))
    for case, difference, distributions, count in (
        ("top 1 % of 112 x 112", "top 1 %, largest difference", top, settings.size(300, 2)),
        ("full maps of 28 x 28", "full maps, largest difference", full, settings.size(16, 1)),
    ):
        pairs = drawn_pairs(len(distributions), count, random)
        workers = len(os.sched_getaffinity(0))
        ours = partial(likeness.earth_movers_distance, distributions, pairs, workers)
        theirs = partial(distances_one_by_one, distributions, pairs)
        seconds = medians({"ours": ours, "theirs": theirs}, min(settings.repeats, 3))
        note = (
            f"{count} pairs: {1e3 * seconds['ours'] / count:.2f} ms a pair on {workers} threads, "
            f"{1e3 * seconds['theirs'] / count:.2f} ms"
        )
        yield Measured(case, seconds["theirs"] / seconds["ours"], note)
        yield Measured(difference, float(np.abs(ours() - theirs()).max()), "absolute")


def distances_one_by_one(distributions: Distributions, pairs: NDArray[np.int64]) -> Distributions:
    """Return what a user would write: support, cost matrix and `ot.emd2` for each pair."""
    return np.array([_distance(*distributions[pair]) for pair in pairs])


def drawn_distributions(maps: int, size: int, seed: int) -> Distributions:
    """Return maps (n, size, size) of independent numbers that sum to 1."""
    drawn = np.random.default_rng(seed).random((maps, size, size)) ** 4
    return drawn / drawn.sum((1, 2), keepdims=True)


def drawn_pairs(maps: int, count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return pairs (count, 2) of different maps."""
    first = random.integers(0, maps, count)
    return np.stack([first, (first + random.integers(1, maps, count)) % maps], axis=1)


def _distance(first: Distributions, second: Distributions) -> float:
    sources, sinks = np.argwhere(first > 0), np.argwhere(second > 0)
    costs = ot.dist(sources.astype(float), sinks.astype(float), metric="euclidean")
    return float(ot.emd2(first[first > 0], second[second > 0], costs, numItermax=10_000_000))


def _loop_over_pairs(distributions: Distributions, pairs: NDArray[np.int64]) -> list[float]:
    return [float(np.sqrt(distributions[i] * distributions[j]).sum()) for i, j in pairs]


def _on_grid(maps: NDArray[np.float64], size: int) -> NDArray[np.floating]:
    cells = maps.shape[1]
    return CellGrid(cells, cells, size / cells, (size / cells - 1) / 2, size).resample(maps, size)
