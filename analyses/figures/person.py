"""Figures on whose the pattern is: the cost of hiding by map, and likeness by control."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.figures.picture import Picture
from analyses.figures.style import Series, interval_lengths, legend_of, panels, series_of, tidy
from analyses.person.evidence import AUC, MEASURE, PERCENT
from analyses.person.verdict import AS_WELL, CLAIMS

_MAPS: Final = "the model's maps"


def pictures(tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield the claims by occlusion and fill, and the AUCs of maps and controls by layer."""
    evidence = tables["person_evidence"]
    occluded = evidence.filter(pl.col("claim").is_in(list(CLAIMS)))
    if len(occluded):
        yield Picture(
            "person_occlusion",
            "Does a map fit the person, the image, or any face?",
            f"What hiding {PERCENT:g} % of the chip costs in {MEASURE} to the positives, as the "
            "difference between masks: own map minus random (finds sensitive pixels), own minus a "
            f"stranger's (fits its image), a stranger's minus {AS_WELL:.0%} of the own beyond "
            "random (any face's does as well), the same person's other image minus a stranger in "
            "the same pose (fits its person). Above 0 a claim holds. Bars: 95 % intervals over "
            "identities. In each title: the verdict.",
            _occlusion(occluded, tables["person"]),
        )
    aucs = evidence.filter(claim=AUC)
    if len(aucs):
        yield Picture(
            "person_likeness",
            "Do maps tell people apart better than the controls do?",
            "AUC of one person's pairs of maps against strangers' matched in pose: whole maps, "
            "everybody's mean map subtracted, canonical frame; by layer from the input. Controls: "
            "maps that don't ask about the person (norm, impostor), of random weights, and the "
            "image's own edges and pixels. 0.5 is chance. Bars: 95 % intervals over identities.",
            _likeness(aucs),
        )


def _occlusion(rows: pl.DataFrame, verdicts: pl.DataFrame) -> Figure:
    layers = rows.select("model", "position", "layer").unique(maintain_order=True).to_dicts()
    looks = series_of(rows["fill"].unique(maintain_order=True).to_list())
    columns = min(len(layers), 3)
    lines = -(-len(layers) // columns)
    figure = Figure(figsize=(3.1 * columns + 1.6, 2.4 * lines + 0.8), layout="constrained")
    grid = figure.subplots(lines, columns, squeeze=False, sharey=True, sharex=True).ravel()
    for axes in grid[len(layers) :]:
        axes.set_axis_off()
    for axes, layer in zip(grid, layers, strict=False):
        verdict = verdicts.filter(model=layer["model"], position=layer["position"])["verdict"][0]
        axes.set_title(
            f"{layer['model']}, {layer['layer']}:\n{verdict}", fontsize=8, loc="left",
            parse_math=False,
        )  # fmt: skip
        _draw_claims(axes, rows.filter(model=layer["model"], position=layer["position"]), looks)
    figure.supxlabel(f"difference between the drops of the {MEASURE}", fontsize=9)
    legend_of(figure, looks, paper=False)
    return figure


def _draw_claims(axes: Axes, rows: pl.DataFrame, looks: Mapping[str, Series]) -> None:
    tidy(axes)
    places = {claim: place for place, claim in enumerate(CLAIMS)}
    lanes = np.linspace(-0.22, 0.22, len(looks))
    for lane, (fill, look) in zip(lanes, looks.items(), strict=True):
        own = rows.filter(fill=fill)
        heights = np.array([places[claim] for claim in own["claim"]]) + lane
        axes.errorbar(
            own["estimate"], heights, xerr=interval_lengths(own, "estimate"), color=look.colour,
            marker=look.marker, markersize=4, linestyle="", elinewidth=1.2, capsize=2,
        )  # fmt: skip
    axes.axvline(0, color="#555555", linewidth=0.8)
    axes.set_yticks(range(len(places)), list(places), fontsize=8)
    axes.set_ylim(len(places) - 0.5, -0.5)


def _likeness(rows: pl.DataFrame) -> Figure:
    named = rows.with_columns(pl.col("control").fill_null(_MAPS))
    looks = series_of(named["control"].unique(maintain_order=True).to_list())
    models = named["model"].unique(maintain_order=True).to_list()
    figure, grid = panels(len(models), width=4.2, height=3.0)
    lanes = np.linspace(-0.2, 0.2, len(looks))
    for axes, model in zip(grid, models, strict=True):
        own = named.filter(model=model).with_columns(
            order=pl.col("position").rank("dense").cast(pl.Int64)
        )
        for lane, (control, look) in zip(lanes, looks.items(), strict=True):
            part = own.filter(control=control)
            axes.errorbar(
                part["order"] + lane, part["estimate"], yerr=interval_lengths(part, "estimate"),
                color=look.colour, marker=look.marker, linestyle=look.line, markersize=4,
                linewidth=1.8 if control == _MAPS else 0.8, elinewidth=0.8, capsize=1.5,
            )  # fmt: skip
        axes.axhline(0.5, color="#555555", linewidth=0.8)
        axes.set_xticks(range(1, own["order"].to_numpy().max() + 1))
        axes.set_title(model, fontsize=9, loc="left", parse_math=False)
    figure.supxlabel("layer, counted from the input", fontsize=9)
    figure.supylabel("AUC of one person's pairs", fontsize=9)
    legend_of(figure, looks, paper=False)
    return figure
