"""Result tables on a terminal: our value, half its interval, the paper's, and the difference."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analyses.layouts import Cell, Listing, Pivot, lay_out
from analyses.paper import has_paper, paper_tables
from analyses.question import Layout
from analyses.results import Answer

_GAP: Final = 3
_EDGES: Final = 2
_LINES: Final = 50

STATES: Final = {
    "answered": "answered",
    "kept": "nothing has changed since it was answered",
    "lacking": "not answered",
}
"""The outcomes of a question, in words."""


def show_answer(answer: Answer, brands: Sequence[str], console: Console) -> None:
    """Print a question, its tables with the lake's brands under each, its findings and notes."""
    question = answer.question
    console.print(f"[bold]{question.name}[/]  {question.asks}  [dim]({STATES[answer.state]})[/]")
    if answer.state == "lacking":
        console.print(answer.why, style="yellow", markup=False)
    for name, rows in answer.tables.items():
        layout = question.layouts.get(name)
        for title, table in printed_tables(name, rows, layout, console.width):
            console.print(f"\n{title}", style="italic", markup=False)
            console.print(table)
            for brand in brands:
                console.print(brand, style="yellow", markup=False)
    for finding in findings_of(answer):
        console.print(f"- {finding}", markup=False, highlight=False)
    for note in notes_of(answer):
        console.print(note, style="dim", markup=False)
    console.print()


def findings_of(answer: Answer) -> list[str]:
    """Return the findings of an answer's tables; none without tables."""
    return answer.question.findings(answer.tables) if answer.tables else []


def notes_of(answer: Answer) -> list[str]:
    """Return the notes on the tables, and on the paper's where they are compared."""
    notes = list(answer.question.notes if answer.tables else ())
    if any(map(has_paper, answer.tables.values())):
        notes += [
            f"The paper's Table {number}: {note}"
            for number, note in paper_tables().select("number", "note").iter_rows()
            if number in answer.question.papers_tables and note
        ]
    return notes


def show_overview(answers: Sequence[Answer], console: Console) -> None:
    """Print which questions were answered and into which tables, and which were not, and why."""
    table = Table(title="Questions", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("question", "tables of the paper", "state", "result or reason"):
        table.add_column(column, overflow="fold")
    for answer in answers:
        numbers = ", ".join(map(str, answer.question.papers_tables)) or "-"
        written = ", ".join(f"result_{name}" for name in answer.tables)
        table.add_row(answer.question.name, numbers, STATES[answer.state], written or answer.why)
    console.print(table)


def printed_tables(
    name: str, rows: pl.DataFrame, layout: Layout | None, width: int
) -> Iterator[tuple[str, Table]]:
    """Lay a result table out as titled tables no wider than a terminal.

    Parameters
    ----------
    name : str
        The result table's name in the lake, without its prefix.
    rows : polars.DataFrame
    layout : Layout or None
        Without one, the rows are printed as they are, up to a screenful.
    width : int
        Characters of the terminal.
    """
    for laid_out in lay_out(name, rows, layout):
        if isinstance(laid_out, Listing):
            yield _listed(laid_out)
            continue
        title = laid_out.title
        if laid_out.has_intervals:
            title += f" (± half the 95 % interval; its ends are in result_{name})"
        for part in _fitting(laid_out, width):
            yield title, _pivoted(part)


def _fitting(pivot: Pivot, width: int) -> Iterator[Pivot]:
    """Split a table into tables of as many columns as fit next to the labels of the lines."""
    labels = max(len(pivot.head), *(len(label) for label, _ in pivot.lines))
    room = width - labels - _GAP - _EDGES
    start, left = 0, room
    for place, column in enumerate(pivot.columns):
        cells = (_cell(cells[place]) for _, cells in pivot.lines)
        longest = max(len(line) for cell in cells for line in cell.splitlines())
        needs = max(len(column), longest) + _GAP
        if place > start and needs > left:
            yield _columns(pivot, slice(start, place))
            start, left = place, room
        left -= needs
    yield _columns(pivot, slice(start, None))


def _columns(pivot: Pivot, chosen: slice) -> Pivot:
    lines = tuple((label, cells[chosen]) for label, cells in pivot.lines)
    return replace(pivot, columns=pivot.columns[chosen], lines=lines)


def _pivoted(pivot: Pivot) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(pivot.head, no_wrap=True)
    for column in pivot.columns:
        table.add_column(Text(column), justify="right", no_wrap=True)
    for label, cells in pivot.lines[:_LINES]:
        table.add_row(Text(label), *map(_cell, cells))
    if len(pivot.lines) > _LINES:
        table.add_row(f"... {len(pivot.lines) - _LINES} more")
    return table


def _cell(cell: Cell) -> str:
    text = f"{cell.estimate} ±{cell.half}" if cell.half else cell.estimate
    return f"{text}\npaper {cell.paper}\n{cell.difference}" if cell.paper else text


def _listed(listing: Listing) -> tuple[str, Table]:
    table = Table(box=box.SIMPLE_HEAD)
    for column, is_number in listing.columns:
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for line in listing.lines[:_LINES]:
        table.add_row(*map(Text, line))
    count = len(listing.lines)
    title = listing.title
    return (f"{title} (the first {_LINES} of {count} rows)" if count > _LINES else title), table
