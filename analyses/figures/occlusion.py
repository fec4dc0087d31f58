"""Figures of occlusion: drops by percent, contrasts by fill, deletion and insertion, transfer."""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.figures import Picture, style
from analyses.paper import read_table
from analyses.rerun.verification import IN_WORDS, MEASURES

_PERCENT: Final = 1.0
_LOOKS: Final = style.series_of(["own", "random", "swap", "mean map"])
_FILL_LOOKS: Final = style.series_of(["black", "mean colour", "blur"])
_RUN: Final = ("guiding", "judged")


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
    figure, grid = style.panels(
        [f"judged by {judge}" for judge in judges], width=4.0, height=3.2,
        along="hidden, % of the chip", up="drop of the cosine",
    )  # fmt: skip
    for axes, judge in zip(grid, judges, strict=True):
        own = rows.filter(judged=judge)
        style.scale_percents(axes)
        axes.set_yscale("log", nonpositive="clip")
        for mask, look in _LOOKS.items():
            drawn = own.filter(pl.col("mask") == mask, pl.col("estimate") > 0).sort("percent")
            if drawn.height > 1:
                style.draw_band(axes, drawn, "estimate", look)
                if drawn["paper"].is_null().all():
                    _draw_papers_mean(axes, mask)
            else:
                style.draw_points(axes, drawn["percent"], drawn, "estimate", look, markersize=5)
    style.legend_of(figure, _chosen(_LOOKS, rows["mask"]), rows)
    return figure


def _draw_papers_mean(axes: Axes, mask: str) -> None:
    name = {"own": "LEAM Occluded", "random": "Randomly Occluded"}[mask]
    mean = read_table(9).filter(column=name).with_columns(pl.col("row").cast(pl.Float64))
    axes.plot(mean["row"], mean["value"], color=_LOOKS[mask].colour, linestyle=":", linewidth=1)


def _forest(rows: pl.DataFrame) -> Figure:
    contrasts = rows["contrast"].unique(maintain_order=True).to_list()
    looks = _chosen(_FILL_LOOKS, rows["fill"])
    figure, grid = style.panels(
        [IN_WORDS[measure] for measure in MEASURES], width=2.6, height=0.1 + 0.75 * len(contrasts),
        along="difference of the drops", sharey=True,
    )  # fmt: skip
    for axes, measure in zip(grid, MEASURES, strict=True):
        own = rows.filter(measure=measure)
        style.draw_forest(axes, own, ("contrast", contrasts), "fill", looks)
        axes.locator_params(axis="x", nbins=4)
    grid[0].set_yticks(range(len(contrasts)), [one.replace(" - ", "\n- ") for one in contrasts])
    style.legend_of(figure, looks, rows)
    return figure


def _steps(rows: pl.DataFrame) -> Figure:
    measures = rows["measure"].unique(maintain_order=True).to_list()
    curves = rows.select("curve", "fill").unique(maintain_order=True).rows()
    looks = _chosen(_LOOKS, rows["mask"])
    shown = list(product(measures, curves))
    figure, grid = style.panels(
        [f"{curve} ({fill}), {measure}" for measure, (curve, fill) in shown],
        width=4.0, height=2.7, columns=len(curves), sharex=True,
        along="hidden (deletion) or revealed (insertion), % of the chip",
        up="likeness to the positives, share of the whole face's",
    )  # fmt: skip
    for axes, (measure, (curve, _)) in zip(grid, shown, strict=True):
        for mask, look in looks.items():
            own = rows.filter(measure=measure, curve=curve, mask=mask).sort("percent")
            style.draw_band(axes, own, "share", look)
    style.legend_of(figure, looks, rows)
    return figure


def _transfer(contrasts: pl.DataFrame) -> Figure:
    rows = contrasts.filter(
        contrast="own - random", percent=_PERCENT, fill="black", measure="cosine"
    )
    models = sorted({*rows["guiding"], *rows["judged"]})
    side = 1.6 + 0.62 * len(models)
    figure = Figure(figsize=(side + 1.2, side), layout="constrained")
    axes = figure.subplots()
    values = np.full((len(models), len(models)), np.nan)
    for row in rows.to_dicts():
        values[models.index(row["guiding"]), models.index(row["judged"])] = row["estimate"]
    top = np.nanmax(np.abs(values))
    image = axes.imshow(values, cmap="PuOr_r", vmin=-top, vmax=top)
    for row in rows.to_dicts():
        clear = row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
        axes.text(
            models.index(row["judged"]), models.index(row["guiding"]),
            f"{row['estimate']:.3f}{'*' if clear else ''}", ha="center", va="center", fontsize=7,
            color="white" if abs(row["estimate"]) > 0.6 * top else "black",
        )  # fmt: skip
    axes.set_xticks(range(len(models)), models, rotation=45, ha="right", fontsize=8)
    axes.set_yticks(range(len(models)), models, fontsize=8)
    axes.set_xlabel("judging model", fontsize=9)
    axes.set_ylabel("guiding model", fontsize=9)
    figure.colorbar(image, ax=axes, shrink=0.8, label="own - random, cosine")
    return figure


def _chosen(looks: Mapping[str, style.Series], names: pl.Series) -> dict[str, style.Series]:
    return {name: look for name, look in looks.items() if name in names}
