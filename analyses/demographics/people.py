"""Differences between groups of people, with one observation per person."""

from collections.abc import Sequence
from itertools import combinations
from typing import Final

import polars as pl

from analyses.question import Settings
from analyses.statistics import bootstrap_difference, mann_whitney

ATTRIBUTES: Final = ("gender", "ethnicity")
SMALLEST_GROUP: Final = 2
"""Identities below which a group isn't compared."""


def groups_of_people(images: pl.DataFrame) -> pl.DataFrame:
    """Return attribute, identity and group of all people whose images agree on it.

    Only groups of `SMALLEST_GROUP` identities or more, and only where there are two of them.
    """
    stated = images.unpivot(
        ATTRIBUTES, index="identity", variable_name="attribute", value_name="group"
    ).drop_nulls("group")
    agreed = stated.unique().filter(pl.len().over("attribute", "identity") == 1)
    large = agreed.filter(pl.len().over("attribute", "group") >= SMALLEST_GROUP)
    several = large.filter(pl.col("group").n_unique().over("attribute") > 1)
    return several.select("attribute", "group", "identity").sort(pl.all())


def compare_groups(
    people: pl.DataFrame, columns: Sequence[str], settings: Settings, name: str
) -> pl.DataFrame:
    """Compare the groups of people two by two.

    Parameters
    ----------
    people : polars.DataFrame
        group and the columns to be compared; a row an identity.
    columns : sequence of str
    name : str
        Name of the new column that says which of `columns` a row is about.

    Returns
    -------
    polars.DataFrame
        groups ("first - second"), the column `name`, identities (of both), first_identities and
        second_identities (of each), first and second (the groups' means), difference with low
        and high, effect (Cliff's delta), and p of a two-sided Mann-Whitney U.
    """
    values = {
        str(group): part.select(columns).to_numpy()
        for (group,), part in people.sort("group").group_by("group", maintain_order=True)
    }
    return pl.concat(
        pl.DataFrame({
            name: columns,
            "first": values[first].mean(0),
            "second": values[second].mean(0),
            **bootstrap_difference(
                values[first], values[second], seed=settings.seed, draws=settings.draws
            )._asdict(),
            **mann_whitney(values[first], values[second])._asdict(),
        }).select(
            pl.lit(f"{first} - {second}").alias("groups"),
            name,
            pl.lit(len(values[first]) + len(values[second])).alias("identities"),
            pl.lit(len(values[first])).alias("first_identities"),
            pl.lit(len(values[second])).alias("second_identities"),
            "first",
            "second",
            pl.col("estimate").alias("difference"),
            pl.col("low", "high", "effect", "p").fill_nan(None),
        )
        for first, second in combinations(values, 2)
    )  # fmt: skip
