"""Charts and tables in the project's style, each with its downloads.

Kinds are coloured by Okabe and Ito's palette and amounts by cividis, both made for
colour-blind eyes; text and background follow Streamlit's theme, so that a chart reads in the dark
and in the light, and a downloaded picture looks as it did on the page.
"""

import base64
import html
import io
from collections.abc import Sequence
from functools import partial
from typing import Any, Final

import numpy as np
import plotly.colors
import plotly.graph_objects as go
import polars as pl
import streamlit as st
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from polars import selectors

from analyses.findings import in_words
from leamstore.file_names import file_name

OKABE_ITO: Final = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#B7A100", "#7F7F7F",
)  # fmt: skip
"""Okabe and Ito's colours, legible on white and on black: their yellow is darkened, and grey
stands in for their black."""

PAPER_COLOUR: Final = OKABE_ITO[3]
"""The colour of the paper's own numbers, on every chart."""

AMOUNTS: Final = "cividis"
"""The colour map of amounts: perceptually uniform, and the same to all colour-blind people."""

DIFFERENCES: Final = [[0.0, "#0072B2"], [0.5, "#F0F0F0"], [1.0, "#D55E00"]]
"""The colour map of differences: blue below zero, grey at it, vermilion above."""

_HEADINGS: Final = {
    "absolute_percent": "% of the chip",
    "relative_percent": "% of the counted",
    "area_percent": "region's % of the chip",
    "auc": "AUC",
    "bc": "Bhattacharyya coefficient",
    "emd": "earth mover's distance, pixels",
    "low": "95 % from",
    "high": "95 % to",
    "identities": "people",
    "identity": "person",
    "individual": "person",
    "p_holm": "p after Holm",
    "std": "standard deviation",
    "cv": "standard deviation, % of the mean",
    "min": "least",
    "max": "most",
    "paper": "the paper's",
    "points": "points apart",
    "most_in": "most in",
    "deviations": "standard deviations",
}
"""Columns' names that a reader needs in other words."""

_OF_REGIONS: Final = selectors.by_name("region", "most_in", "most_apart", require_all=False)
"""Columns of regions' names."""

_PICTURE_SCALE: Final = 2
_SHEET_COLUMNS: Final = 3
_TITLE: Final = 24
_GAP: Final = 8

_PICTURE_BUTTONS: Final = st.components.v2.component(
    "leam_picture_buttons",
    html='<button data-format="png">PNG</button><button data-format="svg">SVG</button>',
    css="""
    :host { display: inline-block; }
    button { font: inherit; font-size: 0.875rem; padding: 0.25rem 0.75rem; margin-right: 0.5rem;
        min-height: 2.5rem; color: var(--st-text-color); background: transparent; cursor: pointer;
        border: 1px solid var(--st-border-color); border-radius: var(--st-button-radius, 0.5rem); }
    button:hover, button:focus-visible {
        color: var(--st-primary-color); border-color: var(--st-primary-color); }
    """,
    # The chart's own camera draws the picture, in the browser: nothing is sent anywhere.
    js="""
    export default function ({ parentElement, data }) {
        for (const button of parentElement.querySelectorAll("button")) {
            button.setAttribute("aria-label",
                `Download the chart ${data.name} as ${button.textContent}`);
            button.onclick = () => {
                const chart = document.querySelector(`.st-key-${data.chart} .js-plotly-plot`);
                const camera = chart.querySelector('[data-title^="Download"]');
                chart._context.toImageButtonOptions = {
                    format: button.dataset.format, filename: data.name, scale: data.scale };
                camera.click();
            };
        }
    }
    """,
)


def show_chart(
    figure: go.Figure, name: str, table: pl.DataFrame | None = None, **look: Any
) -> None:
    """Show a chart, and under it its downloads as a picture and as the numbers behind it.

    Parameters
    ----------
    figure : plotly.graph_objects.Figure
    name : str
        Stem of the downloads' names (through `file_name`), unique on the page.
    table : polars.DataFrame, optional
        The numbers drawn.
    look : Any
        Passed on to ``st.plotly_chart``, under the key ``chart-<file name>``.
    """
    name = file_name(name)
    figure.update_layout(
        colorway=OKABE_ITO,
        margin={"l": 8, "r": 8, "t": 36 if figure.layout.title.text else 12, "b": 8},
        legend={"orientation": "h", "yanchor": "bottom", "y": 1.0, "x": 0.0},
        dragmode=False,
    )
    key = f"chart-{name}"
    options = {"displaylogo": False, "modeBarButtonsToRemove": ["select2d", "lasso2d"]}
    st.plotly_chart(figure, key=key, theme="streamlit", width="stretch", config=options, **look)
    with st.container(horizontal=True, gap="small", key=f"downloads-{name}"):
        _PICTURE_BUTTONS(
            key=f"picture-{name}",
            data={"chart": key, "name": name, "scale": _PICTURE_SCALE},
            width="content",
        )
        if table is not None:
            _show_table_buttons(table, name)


def show_table(table: pl.DataFrame, name: str, **look: Any) -> None:
    """Show a table for reading, and under it its downloads as SQL has them.

    Columns and regions are named in words, and numbers have four decimals. `look` is passed on to
    ``st.dataframe``; ``column_config=None`` shows everything as it is.
    """
    name, shown = file_name(name), table
    if "column_config" not in look:
        look["column_config"] = {column: heading(column) for column in table.columns}
        regions = _OF_REGIONS.str.replace_all("_", " ")
        shown = table.with_columns(regions, pl.col(pl.Float64).round(4))
    st.dataframe(shown, key=f"table-{name}", hide_index=True, **look)
    with st.container(horizontal=True, gap="small", key=f"downloads-{name}"):
        _show_table_buttons(table, name)


def heading(column: str) -> str:
    """Return a column's name as a heading has it: ``p_holm`` is ``p after Holm``."""
    return _HEADINGS.get(column, in_words(column))


def heat_map(values: Any, x: Sequence[Any], y: Sequence[Any], line: int, **look: Any) -> go.Figure:
    """Return amounts (y, x) by two categories as colours, the first line at the top.

    Parameters
    ----------
    values : (y, x)
    x, y : sequence
        Labels of the columns and of the lines.
    line : int
        Height of a line, in pixels.
    look : Any
        Passed on to ``go.Heatmap``.
    """
    figure = go.Figure(go.Heatmap(z=values, x=x, y=y, xgap=1, ygap=1, **look))
    figure.update_xaxes(type="category", tickangle=-45)
    figure.update_yaxes(type="category", autorange="reversed", automargin=True)
    return figure.update_layout(height=160 + line * len(y))


def show_pictures(pictures: Sequence[NDArray[np.uint8]], titles: Sequence[str], name: str) -> None:
    """Show square pictures (size, size, 3) side by side, as many as fit, and their downloads."""
    name = file_name(name)
    size = len(pictures[0])
    with st.container(horizontal=True):
        for picture, title in zip(pictures, titles, strict=True):
            st.image(picture, caption=title, width=size)
    with st.container(horizontal=True, gap="small", key=f"downloads-{name}"):
        sheet = partial(contact_sheet, pictures, titles)
        _download("PNG", lambda: png_bytes(sheet()), f"{name}.png", "image/png")
        _download("SVG", lambda: svg_bytes(pictures, titles), f"{name}.svg", "image/svg+xml")


def contact_sheet(
    pictures: Sequence[NDArray[np.uint8]], titles: Sequence[str]
) -> NDArray[np.uint8]:
    """Return square pictures in rows, their titles under them, as one picture on white."""
    size = len(pictures[0])
    places, width, height = _sheet(len(pictures), size)
    sheet = Image.new("RGB", (width, height), "white")
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(_TITLE * 0.7)
    for (x, y), picture, title in zip(places, pictures, titles, strict=True):
        sheet.paste(Image.fromarray(picture), (x, y))
        draw.text((x + size / 2, y + size + 2), title, "black", font, anchor="ma")
    return np.asarray(sheet)


def svg_bytes(pictures: Sequence[NDArray[np.uint8]], titles: Sequence[str]) -> bytes:
    """Return square pictures in rows as an SVG file, their titles as text."""
    size = len(pictures[0])
    places, width, height = _sheet(len(pictures), size)
    tiles = "".join(
        f'<image x="{x}" y="{y}" width="{size}" height="{size}" href="data:image/png;base64,'
        f'{base64.b64encode(png_bytes(picture)).decode()}"/><text x="{x + size / 2}" '
        f'y="{y + size + _TITLE * 0.7}" text-anchor="middle">{html.escape(title)}</text>'
        for (x, y), picture, title in zip(places, pictures, titles, strict=True)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" font-family="sans-serif" font-size="{_TITLE * 0.6}">'
        f'<rect width="100%" height="100%" fill="white"/>{tiles}</svg>'
    ).encode()


def _sheet(count: int, size: int) -> tuple[list[tuple[int, int]], int, int]:
    """Return the places of tiles on a sheet, and the sheet's width and height."""
    columns = min(count, _SHEET_COLUMNS)
    cell = (size + _GAP, size + _TITLE + _GAP)
    places = [(n % columns * cell[0], n // columns * cell[1]) for n in range(count)]
    return places, columns * cell[0] - _GAP, -(-count // columns) * cell[1] - _GAP


def png_bytes(pixels: NDArray[np.uint8]) -> bytes:
    """Return pixels (y, x, 3) as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG", compress_level=1)
    return file.getvalue()


def data_address(pixels: NDArray[np.uint8]) -> str:
    """Return pixels (y, x, 3) as a JPEG in a ``data:`` address, for a chart's background."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=88)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()


def colour_scale(name: str) -> list[tuple[float, str]]:
    """Return one of Plotly's colour maps for a chart.

    As written in rgb(), since Streamlit's theme takes the darkest hexadecimal colours, such as
    inferno's first, for places to put its own into.
    """
    shares = np.linspace(0, 1, 33)
    colours = plotly.colors.sample_colorscale(name, shares)
    return list(zip(shares.tolist(), colours, strict=True))


def csv_bytes(table: pl.DataFrame) -> bytes:
    """Return a table as a csv file; lists and structs, which csv has not, as JSON."""
    nested = [name for name, kind in table.schema.items() if kind.is_nested()]
    as_json = [
        pl.col(name).map_elements(lambda cell: str(cell.to_list()), return_dtype=pl.String)
        if table.schema[name] != pl.Struct
        else pl.col(name).struct.json_encode()
        for name in nested
    ]
    return table.with_columns(as_json).write_csv().encode()


def parquet_bytes(table: pl.DataFrame) -> bytes:
    """Return a table as a Parquet file."""
    file = io.BytesIO()
    table.write_parquet(file)
    return file.getvalue()


def _show_table_buttons(table: pl.DataFrame, name: str) -> None:
    _download("CSV", lambda: csv_bytes(table), f"{name}.csv", "text/csv")
    _download(
        "Parquet", lambda: parquet_bytes(table), f"{name}.parquet", "application/vnd.apache.parquet"
    )


def _download(label: str, data: Any, file: str, kind: str) -> None:
    st.download_button(
        label, data, file, kind, key=f"download-{file}", on_click="ignore",
        help=f"Download {file}",
    )  # fmt: skip
