"""Means of drops and of differences between them, with intervals over identities."""

from collections.abc import Sequence

import polars as pl

from analyses.estimates import grouped_ratio, sums_by_person, with_holm
from analyses.question import Settings
from analyses.rerun.drops import KEYS
from analyses.rerun.experiment import CONTRASTS
from analyses.rerun.verification import MEASURES
from analyses.statistics import signed_rank


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
    return pl.concat(
        grouped_ratio(run, KEYS, MEASURES, ["images"], settings) for run in runs(drops)
    )


def contrast(drops: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return the differences between the drops of masks, image by image, of `CONTRASTS`.

    Returns
    -------
    polars.DataFrame
        As `average`, with contrast ("first - second") for mask, p of a two-sided Wilcoxon
        signed-rank test of the identities' means, and p_holm, adjusted over the whole table.
    """
    by = [*(key for key in KEYS if key != "mask"), "contrast"]
    tables = []
    for masks in CONTRASTS:
        differences = subtract_masks(drops, *masks, MEASURES).rename({"mask": "contrast"})
        for run in runs(differences):
            _, sums = sums_by_person(run, by, [*MEASURES, "images"])
            p = signed_rank(sums[..., :-1] / sums[..., -1:])
            estimates = grouped_ratio(run, by, MEASURES, ["images"], settings)
            tables.append(estimates.with_columns(p=pl.Series(p.ravel()).fill_nan(None)))
    return with_holm(pl.concat(tables))


def runs(rows: pl.DataFrame) -> list[pl.DataFrame]:
    """Split rows by guiding and judging model: people are redrawn within a run."""
    return rows.partition_by("guiding", "judged", "layer", "chips", maintain_order=True)


def subtract_masks(
    rows: pl.DataFrame, first: str, second: str, columns: Sequence[str]
) -> pl.DataFrame:
    """Return `columns` under one mask minus those under another; mask says "first - second".

    Parameters
    ----------
    rows : polars.DataFrame
        mask, `columns`, and other columns that tell which rows belong together.
    """
    firsts, seconds = (rows.filter(mask=mask).drop("mask") for mask in (first, second))
    on = [name for name in firsts.columns if name not in columns]
    both = firsts.join(seconds, on=on, maintain_order="left")
    return both.select(
        *on,
        *(pl.col(name) - pl.col(f"{name}_right") for name in columns),
        mask=pl.lit(f"{first} - {second}"),
    )
