"""Means of drops and of differences between them, with intervals over identities."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import wilcoxon

from analyses.occlusion.drops import KEYS
from analyses.occlusion.experiment import CONTRASTS, PAPERS_GUIDE
from analyses.occlusion.verification import MEASURES
from analyses.paper import read_table
from analyses.question import Settings
from analyses.statistics import bootstrap_ratio, holm

_TOGETHER: Final = ("guiding", "judged", "layer", "chips")
"""Columns whose rows are averaged in one go: they have the same people."""


def average(drops: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return each condition's mean drop over images with its interval over identities.

    Parameters
    ----------
    drops : polars.DataFrame
        As `measure_drops` or `measure_people` gives it.

    Returns
    -------
    polars.DataFrame
        guiding, judged, layer, percent, mask, fill, chips, measure, estimate, low, high,
        identities, images.
    """
    return _estimate(drops, KEYS, settings)


def contrast(drops: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return the differences between the drops of masks, image by image, of `CONTRASTS`.

    Returns
    -------
    polars.DataFrame
        As `average`, with contrast ("first - second") for mask, p of a two-sided Wilcoxon
        signed-rank test of the identities' means, and p_holm, adjusted over the whole table.
    """
    on = [key for key in KEYS if key != "mask"]
    of = [name for name in ("image_id", "identity", "images") if name in drops.columns]
    tables = []
    for first, second in CONTRASTS:
        firsts, seconds = (drops.filter(mask=mask).drop("mask") for mask in (first, second))
        both = firsts.join(seconds, on=[*on, *of], how="inner", maintain_order="left")
        differences = both.with_columns(
            pl.col(measure) - pl.col(f"{measure}_right") for measure in MEASURES
        ).with_columns(contrast=pl.lit(f"{first} - {second}"))
        if differences.is_empty():
            continue
        by = [*on, "contrast"]
        estimates, tests = _estimate(differences, by, settings), _test(differences, by)
        tables.append(estimates.join(tests, on=[*by, "measure"], maintain_order="left"))
    table = pl.concat(tables)
    adjusted = pl.Series("p_holm", holm(table["p"].fill_null(float("nan")).to_numpy()))
    return table.with_columns(adjusted.fill_nan(None))


def _estimate(drops: pl.DataFrame, by: Sequence[str], settings: Settings) -> pl.DataFrame:
    """Return a row for each condition and measure: the mean and its interval."""
    apart = [key for key in by if key not in _TOGETHER]
    tables = []
    for _, part in drops.group_by(_TOGETHER, maintain_order=True):
        conditions = part.select(by).unique(maintain_order=True)
        sums, images = sum_people(part, conditions.select(apart))
        interval = bootstrap_ratio(sums, images, seed=settings.seed, draws=settings.draws)
        counts = {"identities": (images > 0).sum(0).ravel(), "images": images.sum(0).ravel()}
        rows = conditions.with_columns(
            pl.Series(name, values, dtype=pl.Int32) for name, values in counts.items()
        ).join(pl.DataFrame({"measure": MEASURES}), how="cross", maintain_order="left_right")
        ends = {name: values.ravel() for name, values in interval._asdict().items()}
        tables.append(rows.with_columns(**ends))
    columns = [*by, "measure", "estimate", "low", "high", "identities", "images"]
    return pl.concat(tables).select(columns).with_columns(pl.col("low", "high").fill_nan(None))


def _test(drops: pl.DataFrame, by: Sequence[str]) -> pl.DataFrame:
    """Return p of a signed-rank test for each condition and measure; NULL where nobody differs."""
    tables = []
    for _, part in drops.group_by(_TOGETHER, maintain_order=True):
        conditions = part.select(by).unique(maintain_order=True)
        sums, images = sum_people(part, conditions)
        means = (sums / images).reshape(len(sums), -1)
        p_values = np.array([wilcoxon(mean).pvalue if mean.any() else np.nan for mean in means.T])
        rows = conditions.join(
            pl.DataFrame({"measure": MEASURES}), how="cross", maintain_order="left_right"
        )
        tables.append(rows.with_columns(p=p_values))
    return pl.concat(tables).with_columns(pl.col("p").fill_nan(None))


def over_models(rows: pl.DataFrame, sums: Sequence[str]) -> pl.DataFrame:
    """Return what `PAPERS_GUIDE` guides, over all the paper's models that judge it.

    Parameters
    ----------
    rows : polars.DataFrame
        guiding, judged, identity and other columns.
    sums : sequence of str
        The columns that add up.

    Returns
    -------
    polars.DataFrame
        The same columns; judged says of how many models it is the mean. Empty for fewer than two.
    """
    papers = read_table(21)["column"].unique()
    judged = rows.filter(
        pl.col("guiding") == PAPERS_GUIDE, pl.col("judged").is_in(papers.implode())
    )
    models = judged["judged"].n_unique()
    if models < 2:
        return rows.clear()
    by = [column for column in rows.columns if column not in ("judged", *sums)]
    summed = judged.group_by(by, maintain_order=True).agg(pl.col(sums).sum())
    return summed.with_columns(judged=pl.lit(mean_of(models))).select(rows.columns)


def mean_of(models: int) -> str:
    """Return the name under which the mean of several judged models stands."""
    return f"mean of {models} models"


def sum_people(
    drops: pl.DataFrame, conditions: pl.DataFrame, columns: Sequence[str] = MEASURES
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Sum rows by person and condition.

    Parameters
    ----------
    drops : polars.DataFrame
        identity, images, the columns of `conditions` and those to be summed.
    conditions : polars.DataFrame
        The conditions, each once.

    Returns
    -------
    sums : (person, condition, column) float64
    images : (person, condition, 1) float64
    """
    people = drops["identity"].unique().sort()
    placed = drops.join(
        conditions.with_row_index("condition"), on=conditions.columns, maintain_order="left"
    ).join(people.to_frame().with_row_index("person"), on="identity", maintain_order="left")
    where = (placed["person"].to_numpy(), placed["condition"].to_numpy())
    sums = np.zeros((len(people), conditions.height, len(columns)))
    images = np.zeros((len(people), conditions.height, 1))
    np.add.at(sums, where, placed.select(columns).to_numpy())
    np.add.at(images, where, placed.select("images").to_numpy().astype(np.float64))
    return sums, images
