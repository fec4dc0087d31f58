"""Style shared by figures: colour-blind safe colours, panels, intervals, the paper's mark."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from math import ceil
from typing import Any, Final, Literal, get_args

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

Line = Literal["-", "--", ":"]

OKABE_ITO: Final = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000", "#E69F00", "#56B4E9")
"""Colours that colour-blind readers can distinguish (Okabe and Ito 2008), without yellow."""

MARKERS: Final = ("o", "s", "^", "D", "v", "P", "X")
"""A marker for each colour, so that series differ by more than colour."""

PAPER_MARK: Final[dict[str, Any]] = {"marker": "x", "markersize": 6, "markeredgewidth": 1.3}
"""Style of the paper's numbers, which take the colour of the series they belong to."""


@dataclass(frozen=True)
class Series:
    """The style of a series: colour, marker and line."""

    colour: str
    marker: str
    line: Line


def series_of(names: Sequence[str]) -> dict[str, Series]:
    """Return a style for each of a few names, the same for the same order of names."""
    looks = [
        Series(colour, marker, line)
        for line, (colour, marker) in product(get_args(Line), zip(OKABE_ITO, MARKERS, strict=True))
    ]
    return {name: looks[place % len(looks)] for place, name in enumerate(names)}


def panels(count: int, width: float = 2.5, height: float = 2.1) -> tuple[Figure, list[Axes]]:
    """Return a figure of `count` panels, at most four in a row."""
    columns = min(count, 4)
    rows = ceil(count / columns)
    figure = Figure(figsize=(max(width * columns, 5.0), height * rows + 0.8), layout="constrained")
    grid = figure.subplots(rows, columns, squeeze=False)
    axes = [grid[place // columns, place % columns] for place in range(rows * columns)]
    for unused in axes[count:]:
        unused.set_axis_off()
    for axis in axes[:count]:
        tidy(axis)
    return figure, axes[:count]


def tidy(axes: Axes) -> None:
    """Remove the upper and right edge of an axes' frame, and add a faint grid."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis="y", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(labelsize=8)


def interval_lengths(rows: pl.DataFrame, estimate: str) -> np.ndarray:
    """Return how far the interval reaches below and above the estimate, (2, n); NaN unknown."""
    ends = rows.select(
        below=pl.col(estimate) - pl.col("low"), above=pl.col("high") - pl.col(estimate)
    )
    return ends.cast(pl.Float64).to_numpy().T.clip(0)


def legend_of(figure: Figure, looks: dict[str, Series], paper: bool, **kwargs: Any) -> None:
    """Draw a legend of series above the panels, with the paper's mark if it is drawn there."""
    handles = [
        Line2D([], [], color=look.colour, marker=look.marker, linestyle=look.line, label=name)
        for name, look in looks.items()
    ]
    if paper:
        handles.append(
            Line2D([], [], color="#555555", linestyle="", label="the paper's", **PAPER_MARK)
        )
    legend = figure.legend(
        handles=handles, loc="outside upper left", ncols=min(len(handles), 5), frameon=False,
        fontsize=9, **kwargs,
    )  # fmt: skip
    for text in legend.get_texts():
        text.set_parse_math(False)


def in_words(name: str) -> str:
    """Return a region's or measure's name as a label."""
    return name.replace("_", " ")
