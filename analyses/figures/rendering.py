"""Rendering of figures as PNG, SVG or embedded SVG, with the brands drawn into them."""

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox
from PIL import Image

from analyses.figures import Picture
from leamstore.file_names import file_name

_DPI: Final = 160
PAGE_INCHES: Final = 10.0
"""Width up to which a page shows a figure in its own size."""
_MARGIN_INCHES: Final = 0.1
_BRAND_POINTS: Final = 8.0
_CHARACTER_POINTS: Final = 5.1
"""Mean width of a character of a brand."""


@dataclass(frozen=True)
class Rendered:
    """A figure as files.

    Attributes
    ----------
    name : str
        The picture's, as its files have it.
    embedded : bytes
        The image on a page: the SVG, or a WebP of photographs, which as PNG are ten times larger.
    media_type : str
        Of the image on a page.
    width : int
        Pixels of CSS at which the figure's text is as large as a page's.
    """

    name: str
    title: str
    caption: str
    png: bytes
    svg: bytes
    embedded: bytes
    media_type: Literal["image/svg+xml", "image/webp"]
    width: int


def render(picture: Picture, brands: Sequence[str]) -> Rendered:
    """Return a picture as files, with the brands under its drawing; the same bytes every time."""
    figure = picture.figure
    _draw_brands(figure, brands)
    photographs = _has_photographs(figure)
    dpi = figure.dpi if photographs else _DPI
    box = _lay_out(figure)
    svg, png = _saved(figure, "svg", dpi, box), _saved(figure, "png", dpi, box)
    return Rendered(
        name=file_name(picture.name),
        title=picture.title,
        caption=picture.caption,
        png=png,
        svg=svg,
        embedded=_as_webp(png) if photographs else svg,
        media_type="image/webp" if photographs else "image/svg+xml",
        width=round(figure.get_figwidth() * 96),
    )


def _draw_brands(figure: Figure, brands: Sequence[str]) -> None:
    """Write the brands below the figure's lower edge, independent of the figure's layout.

    Saving takes in all that is drawn, so that nothing has to make room.
    """
    # A figure wider than a page is shown smaller, and the text under it must stay legible.
    scale = max(1.0, figure.get_figwidth() / PAGE_INCHES)
    width = max(int(figure.get_figwidth() * 72 / _CHARACTER_POINTS / scale), 40)
    lines = [line for brand in brands for line in textwrap.wrap(brand, width)]
    if lines:
        figure.text(
            0.01, -0.1 / figure.get_figheight(), "\n".join(lines),
            va="top", ha="left", size=_BRAND_POINTS * scale, color="#8a4b00", weight="bold",
            linespacing=1.4, parse_math=False,
        ).set_gid("brands")  # fmt: skip


def _has_photographs(figure: Figure) -> bool:
    arrays = (image.get_array() for axes in figure.axes for image in axes.images)
    return any(array is not None and array.ndim == 3 for array in arrays)


def _lay_out(figure: Figure) -> Bbox:
    """Lay a figure out once for all its files; return the inches that its drawing takes."""
    figure.draw_without_rendering()
    figure.set_layout_engine(None)
    return figure.get_tightbbox().padded(_MARGIN_INCHES)


def _saved(figure: Figure, file_format: Literal["png", "svg"], dpi: float, box: Bbox) -> bytes:
    written = io.BytesIO()
    # Without the salt and the date, files of one drawing would differ from run to run.
    metadata = {"svg": {"Date": None}, "png": {"Software": None}}[file_format]
    with mpl.rc_context({"svg.hashsalt": "leam-lake"}):
        figure.savefig(
            written, format=file_format, dpi=dpi, bbox_inches=box, facecolor="white",
            metadata=metadata,
        )  # fmt: skip
    return written.getvalue()


def _as_webp(png: bytes) -> bytes:
    written = io.BytesIO()
    Image.open(io.BytesIO(png)).convert("RGB").save(written, "WEBP", quality=82)
    return written.getvalue()
