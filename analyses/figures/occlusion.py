"""Figures of occlusion: drops by percent, contrasts by fill, deletion and insertion, transfer."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from analyses.figures.picture import Picture
from analyses.figures.style import (
    PAPER_MARK,
    Series,
    interval_lengths,
    legend_of,
    panels,
    series_of,
    tidy,
)
from analyses.paper import read_table
from analyses.rerun.verification import MEASURES

_PERCENT: Final = 1.0
_TICKS: Final = (0.01, 0.1, 1.0, 10.0)
_LOOKS: Final = series_of(["own", "random", "swap", "mean map"])
_FILL_LOOKS: Final = series_of(["black", "mean colour", "blur"])
_RUN: Final = ("guiding", "judged")
_UNITS: Final = {
    "cosine": "cosine", "centred cosine": "centred cosine", "euclidean": "Euclidean distance",
    "true accepts": "share of true accepts",
}  # fmt: skip


def pictures(tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield the drops by percent and, of maps guiding for their own model, all else."""
    drops = tables["occlusion"]
    for (guide,), rows in drops.group_by("guiding", maintain_order=True):
        yield Picture(
            f"occlusion_{guide}",
            f"What hiding pixels by maps of {guide} costs",
            "Drop of the cosine to the positives against the percent of the chip that is hidden "
            "in black (both axes logarithmic), a panel for each judging model: own maps and "
            "random pixels, and the controls at 1 %. Bands and bars: 95 % intervals over "
            "identities. Crosses: the paper's Tables 9 and 21 where they are of the same models; "
            "dotted: elsewhere the paper's mean of nine models (Table 9), for its shape.",
            _by_percent(rows.filter(fill="black", measure="cosine")),
        )
    for run, rows in _own(tables["occlusion_contrasts"]):
        yield Picture(
            f"occlusion_contrasts_{run}",
            f"Masks compared, {run}",
            f"Difference between the drops of two masks at {_PERCENT:g} % hidden, by fill, for "
            "each measure of likeness, with 95 % intervals over identities. Right of zero: the "
            "first mask hides more of what makes the face like its positives. The third contrast "
            "is the one that would show a pattern of the person's.",
            _forest(rows.filter(percent=_PERCENT)),
        )
    for run, rows in _own(tables["occlusion_curves"]):
        yield Picture(
            f"occlusion_curves_{run}",
            f"Deletion and insertion, {run}",
            "Likeness to the positives as a share of the whole face's, while the most relevant "
            "pixels are hidden first (deletion) or revealed first on a blurred face (insertion), "
            "by own maps and by controls. Bands: 95 % intervals over identities. Own maps are "
            "better where their deletion lies lower and their insertion higher.",
            _steps(rows),
        )
    if drops.select(_RUN).n_unique() > 1:
        yield Picture(
            "occlusion_transfer",
            "Whose maps hide faces from whom",
            f"Drop of the cosine by own maps minus that by random pixels, {_PERCENT:g} % hidden "
            "in black: guiding model by row, judging model by column. An asterisk: the 95 % "
            "interval over identities is clear of zero. Empty: not tried (--all-guides tries all).",
            _transfer(tables["occlusion_contrasts"]),
        )


def _own(rows: pl.DataFrame) -> Iterator[tuple[str, pl.DataFrame]]:
    own = rows.filter(pl.col("guiding") == pl.col("judged"))
    for (model,), part in own.group_by("judged", maintain_order=True):
        yield str(model), part


def _by_percent(rows: pl.DataFrame) -> Figure:
    judges = rows["judged"].unique(maintain_order=True).to_list()
    figure, grid = panels(len(judges), width=4.0, height=3.2)
    for axes, judge in zip(grid, judges, strict=True):
        own = rows.filter(judged=judge)
        axes.set_title(f"judged by {judge}", fontsize=9, loc="left", parse_math=False)
        axes.set_xscale("log")
        axes.set_yscale("log", nonpositive="clip")
        for mask, look in _LOOKS.items():
            drawn = own.filter(pl.col("mask") == mask, pl.col("estimate") > 0).sort("percent")
            if drawn.height > 1:
                _band(axes, drawn, "estimate", look)
                _papers(axes, drawn, mask)
            else:
                axes.errorbar(
                    drawn["percent"], drawn["estimate"], yerr=interval_lengths(drawn, "estimate"),
                    color=look.colour, marker=look.marker, markersize=5, elinewidth=1, capsize=2,
                )  # fmt: skip
        axes.xaxis.set_major_locator(FixedLocator(_TICKS))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    figure.supxlabel("hidden, % of the chip", fontsize=9)
    figure.supylabel("drop of the cosine", fontsize=9)
    legend_of(figure, _chosen(_LOOKS, rows["mask"]), bool(rows["paper"].is_not_null().any()))
    return figure


def _papers(axes: Axes, rows: pl.DataFrame, mask: str) -> None:
    """Draw the paper's numbers next to ours, or its mean where it has none of these models."""
    colour = _LOOKS[mask].colour
    if rows["paper"].is_not_null().any():
        axes.plot(rows["percent"], rows["paper"], color=colour, linestyle="", **PAPER_MARK)
        return
    name = {"own": "LEAM Occluded", "random": "Randomly Occluded"}[mask]
    mean = read_table(9).filter(column=name).with_columns(pl.col("row").cast(pl.Float64))
    axes.plot(mean["row"], mean["value"], color=colour, linestyle=":", linewidth=1)


def _band(
    axes: Axes, rows: pl.DataFrame, estimate: str, look: Series, label: str | None = None
) -> None:
    axes.plot(
        rows["percent"], rows[estimate], color=look.colour, marker=look.marker,
        linestyle=look.line, markersize=3.5, linewidth=1.2, label=label,
    )  # fmt: skip
    ends = rows.drop_nulls(["low", "high"])
    axes.fill_between(
        ends["percent"], ends["low"], ends["high"], color=look.colour, alpha=0.2, lw=0
    )


def _forest(rows: pl.DataFrame) -> Figure:
    contrasts = rows["contrast"].unique(maintain_order=True).to_list()
    fills = [fill for fill in _FILL_LOOKS if fill in rows["fill"]]
    lanes = dict(zip(fills, np.linspace(-0.25, 0.25, len(fills)), strict=True))
    figure = Figure(figsize=(10.5, 0.9 + 0.75 * len(contrasts)), layout="constrained")
    grid = figure.subplots(1, len(MEASURES), sharey=True, squeeze=False)[0]
    for axes, measure in zip(grid, MEASURES, strict=True):
        tidy(axes)
        axes.grid(axis="x", color="#dddddd", linewidth=0.6)
        axes.axvline(0, color="#555555", linewidth=1)
        axes.locator_params(axis="x", nbins=4)
        for fill in fills:
            own = rows.filter(measure=measure, fill=fill)
            heights = np.array([contrasts.index(one) for one in own["contrast"]]) + lanes[fill]
            look = _FILL_LOOKS[fill]
            axes.errorbar(
                own["estimate"], heights, xerr=interval_lengths(own, "estimate"), linestyle="",
                color=look.colour, marker=look.marker, markersize=5, elinewidth=1.3, capsize=2,
            )  # fmt: skip
        axes.set_xlabel(f"difference, {_UNITS[measure]}", fontsize=8)
    grid[0].set_yticks(range(len(contrasts)), [one.replace(" - ", "\n- ") for one in contrasts])
    grid[0].set_ylim(len(contrasts) - 0.5, -0.5)
    legend_of(figure, _chosen(_FILL_LOOKS, fills), paper=False)
    return figure


def _steps(rows: pl.DataFrame) -> Figure:
    measures = rows["measure"].unique(maintain_order=True).to_list()
    curves = rows.select("curve", "fill").unique(maintain_order=True).rows()
    looks = _chosen(_LOOKS, rows["mask"])
    figure = Figure(figsize=(4.0 * len(curves), 2.7 * len(measures) + 0.6), layout="constrained")
    grid = figure.subplots(len(measures), len(curves), squeeze=False, sharex=True)
    for line, measure in zip(grid, measures, strict=True):
        for axes, (curve, fill) in zip(line, curves, strict=True):
            tidy(axes)
            done = "hidden" if curve == "deletion" else "revealed"
            axes.set_title(f"{curve} ({fill}), {measure}", fontsize=9, loc="left")
            for mask, look in looks.items():
                own = rows.filter(measure=measure, curve=curve, mask=mask).sort("percent")
                _band(axes, own, "share", look)
            if measure == measures[-1]:
                axes.set_xlabel(f"{done}, % of the chip", fontsize=9)
    figure.supylabel("likeness to the positives, share of the whole face's", fontsize=9)
    legend_of(figure, looks, paper=False)
    return figure


def _transfer(contrasts: pl.DataFrame) -> Figure:
    rows = contrasts.filter(
        contrast="own - random", percent=_PERCENT, fill="black", measure="cosine"
    )
    models = sorted({*rows["guiding"], *rows["judged"]})
    values = np.full((len(models), len(models)), np.nan)
    side = 1.6 + 0.62 * len(models)
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axes = figure.subplots()
    for row in rows.to_dicts():
        place = models.index(row["guiding"]), models.index(row["judged"])
        values[place] = row["estimate"]
    top = np.nanmax(np.abs(values))
    image = axes.imshow(values, cmap="PuOr_r", vmin=-top, vmax=top)
    for row in rows.to_dicts():
        clear = row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
        y, x = models.index(row["guiding"]), models.index(row["judged"])
        dark = abs(row["estimate"]) > 0.6 * top
        axes.text(
            x, y, f"{row['estimate']:.3f}{'*' if clear else ''}", ha="center", va="center",
            fontsize=7, color="white" if dark else "black",
        )  # fmt: skip
    axes.set_xticks(range(len(models)), models, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(models)), models, fontsize=8)
    axes.set_xlabel("judging model", fontsize=9)
    axes.set_ylabel("guiding model", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.8, label="own - random, cosine")
    return figure


def _chosen(looks: Mapping[str, Series], names: Sequence[str] | pl.Series) -> dict[str, Series]:
    present = set(names)
    return {name: look for name, look in looks.items() if name in present}
