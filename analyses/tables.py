"""Result tables on a terminal: ours, half its interval, the paper's and the difference, by cell."""

from collections.abc import Iterator
from typing import Any, Final

import polars as pl
from rich import box
from rich.console import Console
from rich.table import Table

from analyses.paper import paper_tables
from analyses.question import Layout
from analyses.results import Answer

_CELL_WIDTH: Final = 12
_GAP: Final = 3
_LINES: Final = 50

_STATES: Final = {
    "answered": "answered",
    "kept": "nothing has changed since it was answered",
    "lacking": "not answered",
}


def show_answer(answer: Answer, brands: list[str], console: Console) -> None:
    """Print a question and its tables, the lake's brands under every one."""
    question = answer.question
    console.print(f"[bold]{question.name}[/]  {question.asks}  [dim]({_STATES[answer.state]})[/]")
    if answer.state == "lacking":
        console.print(answer.why, style="yellow", markup=False)
    for name, rows in answer.tables.items():
        layout = question.layouts.get(name)
        for title, table in printed_tables(name, rows, layout, console.width):
            console.print(f"\n{title}", style="italic", markup=False)
            console.print(table)
            for brand in brands:
                console.print(brand, style="yellow", markup=False)
    for note in _notes(answer):
        console.print(note, style="dim", markup=False)
    console.print()


def _notes(answer: Answer) -> list[str]:
    """Return what a reader of the tables has to know, of the paper's where they are compared."""
    notes = list(answer.question.notes if answer.tables else ())
    compared = any(
        "paper" in rows.columns and rows["paper"].is_not_null().any()
        for rows in answer.tables.values()
    )
    if compared:
        notes += [
            f"The paper's Table {table.number}: {table.note}"
            for table in paper_tables()
            if table.number in answer.question.papers_tables and table.note
        ]
    return notes


def show_overview(answers: list[Answer], console: Console) -> None:
    """Print what was answered and where it stands, and what was not, and why."""
    table = Table(title="Questions", title_justify="left", box=box.SIMPLE_HEAD)
    for column in ("question", "tables of the paper", "state", "result or reason"):
        table.add_column(column, overflow="fold")
    for answer in answers:
        numbers = ", ".join(map(str, answer.question.papers_tables)) or "-"
        written = ", ".join(f"result_{name}" for name in answer.tables)
        table.add_row(answer.question.name, numbers, _STATES[answer.state], written or answer.why)
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
    if layout is None:
        yield from _listed(f"result_{name}", rows)
        return
    for values, part in rows.group_by(layout.per, maintain_order=True):
        title = f"{', '.join(map(_text, values))}: {layout.title}"
        if not layout.columns:
            yield from _listed(title, part.drop(layout.per))
            continue
        if "low" in rows.columns:
            title += f" (± half the 95 % interval; its ends are in result_{name})"
        columns = part.select(layout.columns).unique(maintain_order=True).rows()
        for some in _fitting(part, layout, columns, width):
            yield title, _pivoted(part, layout, some)


def _fitting(
    part: pl.DataFrame, layout: Layout, columns: list[tuple[Any, ...]], width: int
) -> Iterator[list[tuple[Any, ...]]]:
    """Split columns into runs that fit beside the labels of the rows."""
    labels = max(len(_joined(label)) for label in part.select(layout.rows).unique().iter_rows())
    run: list[tuple[Any, ...]] = []
    left = width - labels - _GAP
    for column in columns:
        needs = max(_CELL_WIDTH, len(_joined(column))) + _GAP
        if run and needs > left:
            yield run
            run, left = [], width - labels - _GAP
        run.append(column)
        left -= needs
    yield run


def _pivoted(part: pl.DataFrame, layout: Layout, columns: list[tuple[Any, ...]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column(" ".join(layout.rows), no_wrap=True)
    for column in columns:
        table.add_column(_joined(column), justify="right", no_wrap=True)
    cells = {
        (tuple(row[name] for name in layout.rows), tuple(row[name] for name in layout.columns)): row
        for row in part.iter_rows(named=True)
    }
    labels = part.select(layout.rows).unique(maintain_order=True).rows()
    for label in labels[:_LINES]:
        shown = (_cell(cells.get((label, column)), layout) for column in columns)
        table.add_row(_joined(label), *shown)
    if len(labels) > _LINES:
        table.add_row(f"... {len(labels) - _LINES} more")
    return table


def _cell(row: dict[str, Any] | None, layout: Layout) -> str:
    if row is None or row[layout.estimate] is None:
        return "-"
    text = f"{row[layout.estimate]:.{layout.decimals}f}"
    if row.get("low") is not None and row.get("high") is not None:
        text += f" ±{(row['high'] - row['low']) / 2:.{layout.decimals}f}"
    if row.get("paper") is not None:
        text += f"\npaper {row['paper']:.{layout.decimals}f}"
        text += f"\n{row['difference']:+.{layout.decimals}f}"
    return text


def _listed(title: str, rows: pl.DataFrame) -> Iterator[tuple[str, Table]]:
    table = Table(box=box.SIMPLE_HEAD)
    for column, kind in rows.schema.items():
        table.add_column(column, justify="right" if kind.is_numeric() else "left", overflow="fold")
    for row in rows.head(_LINES).iter_rows():
        table.add_row(*map(_text, row))
    if rows.height > _LINES:
        title += f" (the first {_LINES} of {rows.height} rows)"
    yield title, table


def _joined(values: tuple[Any, ...]) -> str:
    return " ".join(map(_text, values))


def _text(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
