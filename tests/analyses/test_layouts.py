import polars as pl

from analyses.layouts import Cell, lay_out
from analyses.question import Layout

ROWS = pl.DataFrame({
    "model": ["A", "A", "B"],
    "region": ["nose", "hair", "nose"],
    "layer": ["conv1", "conv1", "conv2"],
    "share": [20.0, None, 5.5],
    "low": [18.0, None, None],
    "high": [23.0, None, None],
    "paper": [19.5, None, None],
    "difference": [0.5, None, None],
})  # fmt: skip
LAYOUT = Layout("Shares", ("model",), ("region",), ("layer",), estimate="share", decimals=1)


def test_a_cell_holds_the_estimate_the_interval_and_the_papers_number():
    first = next(lay_out("shares", ROWS, LAYOUT))
    assert first.title == "A: Shares"
    assert first.lines[0] == ("nose", (Cell("20.0", "2.5", "18.0", "23.0", "19.5", "+0.5"),))


def test_what_is_not_known_is_a_dash_and_nothing_stands_around_it():
    first, second = lay_out("shares", ROWS, LAYOUT)
    assert first.lines[1] == ("hair", (Cell("-"),))
    assert second.lines == (("nose", (Cell("5.5"),)),)


def test_a_cell_that_no_row_fills_is_a_dash():
    whole = Layout("Shares", (), ("model", "region"), ("layer",), estimate="share")
    (table,) = lay_out("shares", ROWS, whole)
    assert table.title == "Shares"
    assert table.columns == ("conv1", "conv2")
    assert table.lines[0][1][1] == Cell("-")


def test_without_a_layout_rows_are_listed_as_they_are():
    (table,) = lay_out("shares", ROWS, None)
    assert table.title == "result_shares"
    assert table.columns[3] == ("share", True)
    assert table.lines[2][:4] == ("B", "nose", "conv2", "5.5")
