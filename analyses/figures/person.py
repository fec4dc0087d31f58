"""Figures on whose the pattern is: the cost of hiding by map, and likeness by control."""

from collections.abc import Iterator, Mapping
from typing import Final

import numpy as np
import polars as pl
from matplotlib.figure import Figure

from analyses.figures import Picture, style
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
    on = ["model", "position"]
    layers = rows.select(*on, "layer").unique(maintain_order=True)
    layers = layers.join(verdicts.select(*on, "verdict"), on=on, maintain_order="left")
    looks = style.series_of(rows["fill"].unique(maintain_order=True).to_list())
    figure, grid = style.panels(
        [f"{model}, {layer}:\n{verdict}" for model, _, layer, verdict in layers.iter_rows()],
        width=3.6, height=2.4, columns=3, sharex=True, sharey=True,
        along=f"difference between the drops of the {MEASURE}",
    )  # fmt: skip
    for axes, (model, position, *_) in zip(grid, layers.iter_rows(), strict=True):
        own = rows.filter(model=model, position=position)
        style.draw_forest(axes, own, ("claim", list(CLAIMS)), "fill", looks)
    style.legend_of(figure, looks, rows)
    return figure


def _likeness(rows: pl.DataFrame) -> Figure:
    named = style.with_order(rows.with_columns(pl.col("control").fill_null(_MAPS)))
    looks = style.series_of(named["control"].unique(maintain_order=True).to_list())
    models = named["model"].unique(maintain_order=True).to_list()
    figure, grid = style.panels(
        models, width=4.2, height=3.0, along=style.LAYERS, up="AUC of one person's pairs"
    )
    lanes = np.linspace(-0.2, 0.2, len(looks))
    for axes, model in zip(grid, models, strict=True):
        for lane, (control, look) in zip(lanes, looks.items(), strict=True):
            own = named.filter(model=model, control=control)
            width = 1.8 if control == _MAPS else 0.8
            style.draw_points(axes, own["order"] + lane, own, "estimate", look, linewidth=width)
        axes.axhline(0.5, color="#555555", linewidth=0.8)
        axes.set_xticks(named.filter(model=model)["order"].unique())
    style.legend_of(figure, looks, rows)
    return figure
