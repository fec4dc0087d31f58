import io

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from analyses.figures import Picture, pictures_of
from analyses.figures.rendering import render

BRAND = "Demo set: variations of a few photographs, not a sample of people."


def picture(layout=None, photograph=False):
    figure = Figure(figsize=(4, 3), layout=layout)
    axes = figure.subplots()
    if photograph:
        axes.imshow(np.zeros((8, 8, 3), np.uint8))
    else:
        axes.plot([0, 1], [0, 1])
    return Picture("name", "Title", "Caption", figure)


def size(png):
    return Image.open(io.BytesIO(png)).size


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
def test_brands_are_drawn_below_the_figure_whatever_lays_it_out(layout):
    plain, branded = render(picture(layout), []), render(picture(layout), [BRAND])
    assert b'id="brands"' in branded.svg
    assert b'id="brands"' not in plain.svg
    assert size(branded.png)[1] > size(plain.png)[1]


def test_the_same_drawing_is_the_same_file():
    first, second = render(picture(), [BRAND]), render(picture(), [BRAND])
    assert (first.svg, first.png) == (second.svg, second.png)


def test_a_page_shows_photographs_as_pixels_and_drawings_as_lines():
    assert render(picture(photograph=True), []).media_type == "image/webp"
    drawing = render(picture(), [])
    assert drawing.media_type == "image/svg+xml"
    assert drawing.embedded == drawing.svg


def test_a_question_without_figures_has_none():
    assert list(pictures_of("no_such_question", {"table": None})) == []
