"""Layouts of result tables for reading on a terminal, a report page or a dashboard.

A `Layout` pivots a result table: a table for each value of some columns, an estimate in each
cell, with the ends of its interval and the paper's number.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from analyses.question import Layout


@dataclass(frozen=True)
class Cell:
    """An estimate as text, with its interval and the paper's number; empty where there is none.

    Attributes
    ----------
    estimate : str
        A dash where it isn't known.
    half : str
        Half of its interval's length.
    low, high : str
        The ends of its interval.
    paper, difference : str
        The paper's number, and ours minus the paper's, with its sign.
    """

    estimate: str
    half: str = ""
    low: str = ""
    high: str = ""
    paper: str = ""
    difference: str = ""


@dataclass(frozen=True)
class Pivot:
    """A table with an estimate in each cell.

    Attributes
    ----------
    head : str
        Heading of the labels of the lines.
    lines : tuple of (str, tuple of Cell)
        Each line's label and its cells, one for each column.
    """

    title: str
    head: str
    columns: tuple[str, ...]
    lines: tuple[tuple[str, tuple[Cell, ...]], ...]
    has_intervals: bool


@dataclass(frozen=True)
class Listing:
    """A table whose rows are listed as they are: of a column, its name and if it holds numbers."""

    title: str
    columns: tuple[tuple[str, bool], ...]
    lines: tuple[tuple[str, ...], ...]


def lay_out(name: str, rows: pl.DataFrame, layout: Layout | None) -> Iterator[Pivot | Listing]:
    """Lay a result table out as one or several tables.

    Parameters
    ----------
    name : str
        The result table's name in the lake, without its prefix.
    rows : polars.DataFrame
    layout : Layout or None
        Without one, the rows are listed as they are.
    """
    if layout is None:
        yield listing(f"result_{name}", rows)
        return
    parts = rows.group_by(layout.per, maintain_order=True) if layout.per else [((), rows)]
    for values, part in parts:
        title = f"{', '.join(map(text, values))}: {layout.title}" if values else layout.title
        yield (
            _pivot(title, part, layout) if layout.columns else listing(title, part.drop(layout.per))
        )


def listing(title: str, rows: pl.DataFrame) -> Listing:
    """List rows as they are."""
    return Listing(
        title,
        tuple((column, kind.is_numeric()) for column, kind in rows.schema.items()),
        tuple(tuple(map(text, row)) for row in rows.iter_rows()),
    )


def text(value: object) -> str:
    """Return a value of a result table for reading: four digits, a dash for NULL."""
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _pivot(title: str, part: pl.DataFrame, layout: Layout) -> Pivot:
    labels, columns = (
        part.select(names).unique(maintain_order=True).rows()
        for names in (layout.rows, layout.columns)
    )
    places = zip(part.select(layout.rows).rows(), part.select(layout.columns).rows(), strict=True)
    cells = dict(zip(places, _cells(part, layout), strict=True))
    lines = tuple(
        (_joined(label), tuple(cells.get((label, column), Cell("-")) for column in columns))
        for label in labels
    )
    head, shown = " ".join(layout.rows), tuple(map(_joined, columns))
    return Pivot(title, head, shown, lines, "low" in part.columns)


def _cells(part: pl.DataFrame, layout: Layout) -> Iterator[Cell]:
    names = (layout.estimate, "low", "high", "paper", "difference")
    chosen = part.select(
        pl.col(name) if name in part.columns else pl.lit(None).alias(name) for name in names
    )
    spec = f".{layout.decimals}f"
    for estimate, low, high, paper, difference in chosen.iter_rows():
        cell = Cell("-" if estimate is None else f"{estimate:{spec}}")
        if estimate is not None and low is not None and high is not None:
            ends = {"half": (high - low) / 2, "low": low, "high": high}
            cell = replace(cell, **{name: f"{end:{spec}}" for name, end in ends.items()})
        if estimate is not None and paper is not None:
            cell = replace(cell, paper=f"{paper:{spec}}", difference=f"{difference:+{spec}}")
        yield cell


def _joined(values: tuple[object, ...]) -> str:
    return " ".join(map(text, values))
