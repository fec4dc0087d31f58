"""Estimates as columns of result tables: ratios by group with intervals, and adjusted p values.

The statistics are those of `analyses.statistics`: an observation is a person, and intervals redraw
identities.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import polars as pl

from analyses.cohort import number_people
from analyses.question import Settings
from analyses.statistics import Array, Interval, bootstrap_ratio, holm

COLUMNS: Final = ("estimate", "low", "high")
"""An estimate and the ends of its interval."""

_ALL: Final = pl.lit(True)
_PLACE: Final = "place of the group"


def grouped_ratio(
    frame: pl.DataFrame,
    by: Sequence[str],
    values: Sequence[str],
    weights: Sequence[str],
    settings: Settings,
    *,
    named: str = "measure",
    observations: str | None = None,
) -> pl.DataFrame:
    """Return the ratio of sums, value over weight, of each group and value.

    The intervals redraw all people of the frame together, whichever groups they are in.

    Parameters
    ----------
    frame : polars.DataFrame
        identity and the columns named below; any number of rows for a person in a group.
    by : sequence of str
        Columns that form the groups.
    values : sequence of str
        Columns of sums.
    weights : sequence of str
        The column by whose sum all values are divided, or one column for each value.
    settings : Settings
        The seed and the number of draws of the bootstrap.
    named : str
        Name of the column that says which of `values` a row is about.
    observations : str, optional
        Column that counts observations; the first of `weights` by default.

    Returns
    -------
    polars.DataFrame
        Columns `by`, `named`, estimate, low, high (NULL for a group of fewer than two people),
        identities, `observations`; a row for each group and value, groups in the order in which
        they first appear.
    """
    counted = observations or weights[0]
    counts = frame.group_by(by, maintain_order=True).agg(
        pl.col("identity").n_unique().cast(pl.Int32).alias("identities"), pl.col(counted).sum()
    )
    _, sums = sums_by_person(frame, by, [*values, *weights])
    over, under = np.split(sums, [len(values)], axis=-1)
    interval = bootstrap_ratio(over, under, seed=settings.seed, draws=settings.draws)
    rows = counts.join(pl.DataFrame({named: values}), how="cross", maintain_order="left_right")
    return rows.select(*by, named, **interval_columns(interval)).with_columns(
        rows["identities"], rows[counted]
    )


def sums_by_person(
    frame: pl.DataFrame, by: Sequence[str], columns: Sequence[str]
) -> tuple[pl.DataFrame, Array]:
    """Sum the rows of each person and group.

    Parameters
    ----------
    frame : polars.DataFrame
        identity, the columns `by` that form the groups, and the columns to be summed.

    Returns
    -------
    groups : polars.DataFrame
        The columns `by`: a row for each group, in the order in which they first appear.
    sums : (person, group, column) float64
        People in the order of their names; 0 for a person who has no row in a group.
    """
    groups = frame.select(by).unique(maintain_order=True)
    placed = frame.select(by).join(
        groups.with_row_index(_PLACE), on=by, nulls_equal=True, maintain_order="left"
    )
    person = number_people(frame["identity"])
    sums = np.zeros((person.max(initial=-1) + 1, groups.height, len(columns)))
    where = (person, placed[_PLACE].to_numpy())
    np.add.at(sums, where, np.column_stack([frame[name].to_numpy() for name in columns]))
    return groups, sums


def interval_columns(interval: Interval, names: Sequence[str] = COLUMNS) -> dict[str, pl.Series]:
    """Return the columns of an interval of arrays, flat; NULL for an end that isn't known."""
    estimate, *ends = (pl.Series(np.ravel(values)) for values in interval)
    return dict(zip(names, (estimate, *(end.fill_nan(None) for end in ends)), strict=True))


def interval_row(interval: Interval, names: Sequence[str] = COLUMNS) -> dict[str, float]:
    """Return the columns of an interval of single numbers; NaN for what isn't known."""
    return dict(zip(names, map(float, interval), strict=True))


def labelled(rows: pl.DataFrame, labels: Mapping[str, Any]) -> pl.DataFrame:
    """Return rows behind columns that say the same of each."""
    return rows.select(*(pl.lit(value).alias(name) for name, value in labels.items()), pl.all())


def with_holm(tests: pl.DataFrame, family: pl.Expr = _ALL) -> pl.DataFrame:
    """Insert p_holm after p: p adjusted by Holm over a family of tests, NULL for the others.

    Parameters
    ----------
    tests : polars.DataFrame
        With the column p, NULL or NaN where nothing was tested.
    family : polars.Expr
        True for rows of the family; all rows by default.
    """
    p_values = tests.select(pl.when(family).then("p").cast(pl.Float64)).to_series()
    adjusted = pl.Series("p_holm", holm(p_values.fill_null(float("nan")).to_numpy()))
    return tests.clone().insert_column(tests.columns.index("p") + 1, adjusted.fill_nan(None))
