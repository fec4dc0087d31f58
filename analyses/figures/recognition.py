"""Figures of recognition: cosines of genuine and impostor pairs, AUCs, and other inputs."""

from collections.abc import Iterator, Mapping

import polars as pl
from matplotlib.figure import Figure

from analyses.figures import Picture
from analyses.figures.style import draw_forest, interval_lengths, legend_of, panels, series_of, tidy
from analyses.recognition.probe import OWN, SEPARATION
from analyses.recognition.scores import AUC, THRESHOLD

_KINDS = ("genuine", "impostor")


def pictures(tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield the cosines with their thresholds, the AUCs, and the probe of the input."""
    measures, probe = tables["recognition"], tables["recognition_probe"]
    yield Picture(
        "recognition_scores",
        "Are two images of one person more alike to a model than two people's?",
        "Share of the genuine pairs (two images of one person) and of the impostor pairs (of two "
        "people) in each bin of cosines. Bands: 95 % intervals over identities. Dashed: the "
        "threshold of equal errors. The less the two overlap, the better the model recognises.",
        _scores(tables["recognition_scores"], measures),
    )
    yield Picture(
        "recognition_auc",
        "How well do models tell people apart?",
        "AUC: the probability that two images of one person are more alike than two people's. "
        "Dotted: chance. Bars: 95 % intervals over identities. Random weights are controls.",
        _areas(measures.filter(measure=AUC)),
    )
    others = probe.filter(pl.col("variant") != OWN, measure=SEPARATION)
    if len(others):
        yield Picture(
            "recognition_probe",
            "Does another input tell people apart better than the one the entry states?",
            "Separation (d') with one thing changed, minus that of the entry's own input, on the "
            "same images and draws. Right of 0 the other input is better, and the entry probably "
            "wrong. Bars: 95 % intervals over identities.",
            _inputs(others),
        )


def _scores(scores: pl.DataFrame, measures: pl.DataFrame) -> Figure:
    models = scores["model"].unique(maintain_order=True).to_list()
    looks = series_of(_KINDS)
    figure, grid = panels(models, width=3.2, height=2.3, columns=3, along="cosine", up="% of pairs")
    thresholds = dict(measures.filter(measure=THRESHOLD).select("model", "estimate").iter_rows())
    for axes, model in zip(grid, models, strict=True):
        for kind, look in looks.items():
            own = scores.filter(model=model, comparison=kind)
            axes.step(own["cosine"], own["share"], where="mid", color=look.colour, lw=1.2)
            ends = own.drop_nulls(["low", "high"])
            axes.fill_between(
                ends["cosine"], ends["low"], ends["high"], step="mid", color=look.colour,
                alpha=0.2, lw=0,
            )  # fmt: skip
        axes.axvline(thresholds[model], color="#555555", linestyle="--", linewidth=0.9)
        axes.set_ylim(bottom=0)
    legend_of(figure, looks, scores)
    return figure


def _areas(rows: pl.DataFrame) -> Figure:
    figure = Figure(figsize=(6, 1.3 + 0.35 * rows.height), layout="constrained")
    axes = figure.subplots()
    tidy(axes)
    axes.grid(axis="x", color="#dddddd", linewidth=0.6)
    for place, (control, look) in enumerate(series_of(("model", "control")).items()):
        own = rows.with_row_index("line").filter(pl.col("control").is_not_null() == bool(place))
        axes.errorbar(
            own["estimate"], own["line"], xerr=interval_lengths(own, "estimate"),
            color=look.colour, marker=look.marker, linestyle="", elinewidth=1.2, capsize=2,
            label=control,
        )  # fmt: skip
    axes.axvline(0.5, color="#555555", linestyle=":", linewidth=0.9)
    axes.set_yticks(range(rows.height), rows["model"].to_list(), fontsize=8, parse_math=False)
    axes.set_ylim(rows.height - 0.5, -0.5)
    axes.set_xlabel("AUC", fontsize=9)
    return figure


def _inputs(rows: pl.DataFrame) -> Figure:
    named = rows.with_columns(input=pl.format("{}: {}", "changed", "variant"))
    models = named["model"].unique(maintain_order=True).to_list()
    figure, grid = panels(
        models, width=4.4, height=3.0, columns=2, along="separation minus that of the entry's input"
    )
    for axes, model in zip(grid, models, strict=True):
        own = named.filter(model=model).select(
            "model", "input", estimate="difference", low="difference_low", high="difference_high"
        )
        labels = own["input"].to_list()
        draw_forest(axes, own, ("input", labels), "model", series_of([model]))
    return figure
