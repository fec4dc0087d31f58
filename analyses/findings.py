"""Findings: sentences on what a result table supports, with numbers, intervals and limits."""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

FEWEST_IDENTITIES: Final = 10
"""Identities below which nothing is said of people in general."""


def with_interval(
    row: Mapping[str, Any], spec: str, name: str = "estimate", scale: float = 1, unit: str = ""
) -> str:
    """Return a row's number with its interval, if it has one, as a format has it.

    ``.2f`` gives ``0.61 [0.58, 0.64]``, or ``0.61`` alone.
    """
    value, *ends = (row[key] for key in (name, "low", "high"))
    shown = f"{scale * value:{spec}}{unit}"
    if any(end is None for end in ends):
        return shown
    low, high = (f"{scale * end:{spec}}" for end in ends)
    return f"{shown} [{low}, {high}]"


def extent(values: pl.Series, spec: str = ".3g") -> str:
    """Return the range of the known values in a number format: ``0.61 to 0.93``."""
    known = values.drop_nulls().to_numpy()
    if not len(known):
        return "unknown"
    low, high = (f"{end:{spec}}" for end in (known.min(), known.max()))
    return low if low == high else f"{low} to {high}"


def limits(rows: pl.DataFrame) -> list[str]:
    """Return the sentence without which few people would be taken for many, if they are few.

    Parameters
    ----------
    rows : polars.DataFrame
        With the column identities.
    """
    identities = max(rows["identities"].drop_nulls().to_list(), default=0)
    if identities >= FEWEST_IDENTITIES:
        return []
    people = "1 identity" if identities == 1 else f"{identities} identities"
    return [
        f"This is {people}, fewer than {FEWEST_IDENTITIES}: it supports no statement about people "
        "in general, whatever the numbers below say."
    ]


def against_paper(rows: pl.DataFrame) -> list[str]:
    """Compare our shares with the paper's, where the paper has any.

    Parameters
    ----------
    rows : polars.DataFrame
        With the columns share, low, high, paper and difference, in %.
    """
    compared = rows.drop_nulls(["share", "paper"])
    if compared.is_empty():
        return [
            "The paper has no numbers to compare these with: the lake holds none of the models and "
            "layers that it prints, or its regions are not those of the paper's parser, FaRL."
        ]
    within = compared.filter(pl.col("paper").is_between(pl.col("low"), pl.col("high"))).height
    distance = compared["difference"].abs().to_numpy()
    return [
        f"Of {compared.height} numbers that the paper prints, too, {within} lie within our "
        f"intervals; ours differ by {distance.mean():.1f} points on average and by "
        f"{distance.max():.1f} at most. The data set and the parser differ as well as the models' "
        "weights may, so that a difference isn't an error of either."
    ]


def in_words(name: str) -> str:
    """Return a region's name as a sentence has it."""
    return name.replace("_", " ")
