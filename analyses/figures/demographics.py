"""Figures by gender, ethnicity and age: what occlusion costs, where models look, and the years."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.figures import Picture, style
from analyses.findings import in_words

_PERCENT: Final = 1.0
_MASK_LOOKS: Final = style.series_of(["own", "random", "none"])
_LANES: Final = {1: (0.0,), 2: (-0.19, 0.19)}
"""Horizontal offsets of the boxes of one percent."""


def pictures(tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield what the lake allows of drops by group, region shares by group, cosines by age."""
    drops = tables.get("demographics_occlusion", pl.DataFrame(schema=["attribute"]))
    for (attribute,), rows in drops.group_by("attribute", maintain_order=True):
        yield Picture(
            f"demographics_occlusion_{attribute}",
            f"What occlusion costs, by {attribute}",
            f"Drop of the cosine to the positives when {_PERCENT:g} % of the chip is hidden in "
            "black, by own maps and at random, with 95 % intervals over identities; a panel for "
            "each guiding and judging model. Crosses: the paper's Tables 22 and 23 where they are "
            "of the same models. A difference that random pixels show, too, is not one of the "
            "maps.",
            _bars(rows.filter(percent=_PERCENT)),
        )
    compared = ["model", "attribute", "groups"]
    shares = tables.get("demographics", pl.DataFrame(schema=compared))
    for (model, attribute, groups), rows in shares.group_by(compared, maintain_order=True):
        yield Picture(
            f"demographics_{model}_{attribute}_{str(groups).replace(' - ', '_')}",
            f"Region shares, {groups}, {model}",
            "Difference between two groups of people in the share of the most relevant 1 % that "
            "lies on each region, in percentage points, with 95 % intervals over identities; "
            "filled: p below 0.05 after Holm's correction. Upright strokes: the same difference "
            "of the region's area, which no model has a part in.",
            _forest(rows.drop_nulls(["difference"]), str(groups)),
        )
    ages = tables.get("demographics_ages", pl.DataFrame(schema=["guiding", "judged"]))
    for (guiding, judged), rows in ages.group_by("guiding", "judged", maintain_order=True):
        yield Picture(
            f"demographics_ages_{guiding}_{judged}",
            f"Cosine by age difference, {judged} by maps of {guiding}",
            "Mean cosine of pairs by the years between anchor and positive: faces as they are, "
            "and with the anchor's pixels hidden in black at random and by own maps; a panel for "
            "each hidden percent. Bars: 95 % intervals over identities. Crosses: the paper's "
            "Table 24. Few pairs are far apart, and then of few people.",
            _years(rows),
        )
    scores = tables.get("demographics_age_scores", pl.DataFrame(schema=["guiding", "judged"]))
    for (guiding, judged), rows in scores.group_by("guiding", "judged", maintain_order=True):
        yield Picture(
            f"demographics_age_scores_{guiding}_{judged}",
            f"Scores of pairs by hidden percent, {judged} by maps of {guiding}",
            "How the cosines of pairs are distributed: faces as they are (0 %), and with the "
            "anchor's pixels hidden in black at random and by own maps; a panel for each span of "
            "years between anchor and positive. Boxes: the middle half of the pairs, with their "
            "median; whiskers: the middle 90 %. As the paper's Figure 11, which shows how little "
            "a small percent takes from the highest scores.",
            _boxes(rows),
        )


def _bars(rows: pl.DataFrame) -> Figure:
    runs = rows.select("guiding", "judged").unique(maintain_order=True).rows()
    groups = rows["group"].unique().sort().to_list()
    looks = {mask: look for mask, look in _MASK_LOOKS.items() if mask in rows["mask"]}
    figure, grid = style.panels(
        [judged if guiding == judged else f"{judged}\nby maps of {guiding}"
         for guiding, judged in runs],
        width=max(2.6, 0.9 * len(groups)), height=2.8, up="drop of the cosine",
    )  # fmt: skip
    for axes, (guiding, judged) in zip(grid, runs, strict=True):
        for lane, (mask, look) in zip((-0.2, 0.2), looks.items(), strict=True):
            own = rows.filter(guiding=guiding, judged=judged, mask=mask)
            places = np.array([groups.index(group) for group in own["group"]]) + lane
            axes.bar(places, own["estimate"], width=0.36, color=look.colour, alpha=0.75)
            black = replace(look, colour="black")
            style.draw_points(axes, places, own, "estimate", black, marker="", linestyle="")
        axes.set_xticks(range(len(groups)), groups, fontsize=8, parse_math=False)
    style.legend_of(figure, looks, rows)
    return figure


def _forest(rows: pl.DataFrame, groups: str) -> Figure:
    look = style.series_of(["share in the top 1 %"])["share in the top 1 %"]
    figure, (axes,) = style.panels(
        [""], width=6.4, height=0.3 + 0.27 * rows.height, along=f"{groups}, percentage points"
    )
    axes.axvline(0, color="#555555", linewidth=1)
    for place, row in enumerate(rows.to_dicts()):
        found = row["p_holm"] is not None and row["p_holm"] < 0.05
        one = rows[place : place + 1]
        axes.errorbar(
            one["difference"], [place], xerr=style.interval_lengths(one, "difference"),
            linestyle="", color=look.colour, marker=look.marker, markersize=5, elinewidth=1.3,
            capsize=2, markerfacecolor=look.colour if found else "white",
        )  # fmt: skip
    area = axes.plot(
        rows["area_difference"], range(rows.height), color="#D55E00", label="area", marker="|",
        markersize=11, markeredgewidth=1.6, linestyle="",
    )  # fmt: skip
    axes.legend(handles=area, loc="best", fontsize=8, frameon=False)
    axes.set_yticks(range(rows.height), [in_words(region) for region in rows["region"]])
    axes.set_ylim(rows.height - 0.5, -0.5)
    return figure


def _years(rows: pl.DataFrame) -> Figure:
    percents = sorted(set(rows.filter(pl.col("percent") > 0)["percent"]))
    figure, grid = style.panels(
        [f"{percent:g} % hidden" for percent in percents], width=4.0, height=3.2,
        along="years between anchor and positive", up="cosine",
    )  # fmt: skip
    for axes, percent in zip(grid, percents, strict=True):
        for mask, look in _MASK_LOOKS.items():
            own = rows.filter(mask=mask, percent=0.0 if mask == "none" else percent).sort("years")
            style.draw_points(axes, own["years"], own, "estimate", look)
    style.legend_of(figure, _MASK_LOOKS, rows)
    return figure


def _boxes(rows: pl.DataFrame) -> Figure:
    spans = rows["years"].unique(maintain_order=True).to_list()
    percents = sorted(rows["percent"].unique())
    parts = [rows.filter(years=span) for span in spans]
    figure, grid = style.panels(
        [f"{span} years, {own['pairs'][0]:,} pairs of {own['identities'][0]} people"
         for span, own in zip(spans, parts, strict=True)],
        width=4.4, height=3.4, along="hidden, % of the chip", up="cosine", sharey=True,
    )  # fmt: skip
    for axes, own in zip(grid, parts, strict=True):
        for place, percent in enumerate(percents):
            drawn = own.filter(percent=percent)
            masks = [mask for mask in _MASK_LOOKS if mask in drawn["mask"]]
            for lane, mask in zip(_LANES[len(masks)], masks, strict=True):
                _box(axes, drawn.filter(mask=mask), place + lane, _MASK_LOOKS[mask])
        axes.set_xticks(range(len(percents)), [f"{percent:g}" for percent in percents])
    style.legend_of(figure, _MASK_LOOKS, rows)
    return figure


def _box(axes: Axes, rows: pl.DataFrame, place: float, look: style.Series) -> None:
    names = ("whislo", "q1", "med", "q3", "whishi")
    box = dict(zip(names, rows.sort("quantile")["estimate"], strict=True))
    axes.bxp(
        [box], positions=[place], widths=0.32, showfliers=False, manage_ticks=False,
        patch_artist=True, boxprops={"facecolor": look.colour, "alpha": 0.6},
        medianprops={"color": "black"}, whiskerprops={"color": look.colour},
        capprops={"color": look.colour},
    )  # fmt: skip
