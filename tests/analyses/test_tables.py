import io

import polars as pl
import pytest
from rich.console import Console

from analyses.question import Layout
from analyses.tables import printed_tables

ROWS = pl.DataFrame({
    "model": ["A", "A", "B"],
    "percent": [0.1, 1.0, 1.0],
    "drop": [0.0042, 0.1148, None],
    "low": [0.0032, 0.1048, None],
    "high": [0.0052, 0.1248, None],
})  # fmt: skip
LAYOUT = Layout("Drop", ("model",), ("percent",), ("mask",), estimate="drop", decimals=4)


def printed(rows, layout, width=80):
    console = Console(width=width, record=True, file=io.StringIO())
    for title, table in printed_tables("drops", rows, layout, width):
        console.print(title)
        console.print(table)
    return console.export_text()


@pytest.fixture
def rows():
    return ROWS.with_columns(mask=pl.lit("own"))


def test_a_cell_is_an_estimate_and_half_its_interval(rows):
    text = printed(rows, LAYOUT)
    assert "0.0042 ±0.0010" in text
    assert "its ends are in result_drops" in text


def test_there_is_a_table_for_each_value_of_per(rows):
    assert [title.split(":")[0] for title, _ in printed_tables("x", rows, LAYOUT, 80)] == ["A", "B"]


def test_what_is_not_known_is_a_dash(rows):
    assert printed(rows.filter(model="B"), LAYOUT).split()[-1] == "-"


def test_without_columns_all_others_are_listed(rows):
    text = printed(rows, Layout("Drop", ("model",), ("percent",)))
    assert all(name in text for name in ("percent", "drop", "low", "high", "mask"))


def test_long_tables_say_how_much_is_left_out():
    long = pl.DataFrame({"number": range(60)})
    assert "the first 50 of 60 rows" in printed(long, None)
    layout = Layout("Long", ("a",), ("number",), ("b",), estimate="number")
    assert "... 10 more" in printed(long.with_columns(a=pl.lit("a"), b=pl.lit("b")), layout)
