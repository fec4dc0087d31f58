"""Charts of estimates with intervals, by category or along an axis, with the paper's values.

Series differ by colour, symbol and line, so that no single one of them is needed to distinguish
them. A figure is made in one call: plotly checks all of it again for each later addition.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
import polars as pl

from analyses.findings import with_interval
from analyses.paper import has_paper
from dashboards.charts import OKABE_ITO, PAPER_COLOUR

REFERENCE: Final = "#7F7F7F"
"""The colour of reference lines at zero or at chance."""

_COLOURS: Final = tuple(colour for colour in OKABE_ITO if colour != PAPER_COLOUR)
_SYMBOLS: Final = ("circle", "square", "triangle-up", "x", "triangle-down", "star", "cross")
_DASHES: Final = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot", "5px 2px")
_DECADES: Final = (0.01, 0.1, 1, 10, 100)
_LABEL: Final = 16
_TITLE: Final = 36
"""Letters that a narrow screen has room for next to a chart, and under it."""


@dataclass(frozen=True)
class Look:
    """The look of a series."""

    colour: str
    symbol: str
    dash: str


def looks_of(names: Sequence[str]) -> dict[str, Look]:
    """Return a look for each of a few series, the same for the same order of names."""
    looks = [Look(*look) for look in zip(_COLOURS, _SYMBOLS, _DASHES, strict=True)]
    return {name: looks[place % len(looks)] for place, name in enumerate(names)}


def forest(
    rows: pl.DataFrame,
    label: str,
    series: str,
    unit: str,
    *,
    estimate: str = "estimate",
) -> go.Figure:
    """Return estimates as points with intervals, a line for each label, and a line at zero.

    Parameters
    ----------
    rows : polars.DataFrame
        With the columns `label`, `series`, `estimate`, low and high; paper where there is one.
    unit : str
        Title of the axis.
    """
    labels = rows[label].unique(maintain_order=True).to_list()
    looks = looks_of(rows[series].unique(maintain_order=True).to_list())
    lanes = np.linspace(-0.25, 0.25, len(looks)) if len(looks) > 1 else [0.0]
    traces = []
    for lane, (name, look) in zip(lanes, looks.items(), strict=True):
        own = rows.filter(pl.col(series) == name)
        heights = [labels.index(one) + lane for one in own[label]]
        points = _points(own, (label, estimate), name, look, "x")
        traces.append({**points, "y": heights, "mode": "markers"})
    layout = {
        "shapes": [{
            "type": "line", "x0": 0, "x1": 0, "y0": 0, "y1": 1, "yref": "y domain",
            "line": {"color": REFERENCE, "width": 1},
        }],
        "yaxis": {
            "tickvals": list(range(len(labels))),
            "ticktext": [wrapped(str(one)) for one in labels],
            "range": [len(labels) - 0.5, -0.5], "zeroline": False, "automargin": True,
        },
        "xaxis": {"title": {"text": wrapped(unit, _TITLE)}, "nticks": 6, "zeroline": False},
        "height": 150 + 16 * max(2, len(looks)) * len(labels),
        "showlegend": len(looks) > 1,
    }  # fmt: skip
    if has_paper(rows):
        printed = rows.drop_nulls("paper")
        traces.append({
            "type": "scatter", "x": printed["paper"].to_list(),
            "y": [labels.index(one) for one in printed[label]],
            "name": "the paper", "mode": "markers", "marker": _diamond(PAPER_COLOUR),
        })  # fmt: skip
    return go.Figure(traces, layout)


def curves(
    rows: pl.DataFrame,
    along: str,
    series: str,
    titles: tuple[str, str],
    *,
    estimate: str = "estimate",
    log: bool = False,
) -> go.Figure:
    """Return estimates as lines with intervals along an axis, the paper's as open diamonds.

    Parameters
    ----------
    rows : polars.DataFrame
        With the columns `along`, `series`, `estimate`, low and high; paper where there is one.
        In the order in which categories are to stand.
    titles : (str, str)
        Of the axes.
    log : bool
        Whether the axis is logarithmic; values at 0 aren't drawn then.
    """
    if log:
        rows = rows.filter(pl.col(along) > 0)
    looks = looks_of(rows[series].unique(maintain_order=True).to_list())
    is_text = rows.schema[along] == pl.String
    traces = []
    for name, look in looks.items():
        own = rows.filter(pl.col(series) == name)
        own = own if is_text else own.sort(along)
        places = own[along].to_list()
        traces.append({**_points(own, (along, estimate), name, look, "y"), "x": places})
        if has_paper(own):
            traces.append({
                "type": "scatter", "x": places, "y": own["paper"].to_list(), "mode": "markers",
                "name": f"{name}, the paper", "marker": _diamond(look.colour),
                "hovertemplate": f"{name}, the paper: %{{y:.4g}}<extra></extra>",
            })  # fmt: skip
    decades = {"tickvals": _DECADES, "ticktext": [f"{decade:g}" for decade in _DECADES]}
    layout = {
        "xaxis": {
            "title": {"text": wrapped(titles[0], _TITLE)},
            "type": "category" if is_text else "log" if log else "linear",
            "tickangle": -45 if is_text else 0, "automargin": True, **(decades if log else {}),
        },
        "yaxis": {"title": {"text": titles[1]}, "zeroline": False, "automargin": True},
        "height": 400,
        "showlegend": True,
    }  # fmt: skip
    return go.Figure(traces, layout)


def most(counts: pl.Series) -> int:
    """Return the largest of some counts; 0 if there are none."""
    return int(counts.drop_nulls().to_numpy().max(initial=0))


def wrapped(words: str, letters: int = _LABEL) -> str:
    """Return words broken into lines of so many letters, as a narrow screen has room for."""
    lines = textwrap.wrap(words, letters, break_long_words=False, break_on_hyphens=False)
    return "<br>".join(lines)


def _points(
    rows: pl.DataFrame, columns: tuple[str, str], name: str, look: Look, axis: str
) -> dict[str, Any]:
    """Return the trace of a series, its estimates with their intervals along `axis`."""
    label, estimate = columns
    texts = [
        f"{row[label]}, {name}: {with_interval(row, '.4g', estimate)}"
        for row in rows.iter_rows(named=True)
    ]
    return {
        "type": "scatter", axis: rows[estimate].to_list(), "name": name, "mode": "lines+markers",
        "text": texts, "hovertemplate": "%{text}<extra></extra>",
        "marker": {"color": look.colour, "symbol": look.symbol, "size": 8},
        "line": {"color": look.colour, "dash": look.dash, "width": 1.5},
        f"error_{axis}": {
            "type": "data", "symmetric": False, "thickness": 1.5, "width": 3,
            "array": (rows["high"] - rows[estimate]).fill_null(0).to_list(),
            "arrayminus": (rows[estimate] - rows["low"]).fill_null(0).to_list(),
        },
    }  # fmt: skip


def _diamond(colour: str) -> dict[str, Any]:
    return {"symbol": "diamond-open", "size": 11, "color": colour, "line": {"width": 2}}
