"""Contact sheets (RQ1; the paper's Figures 3 to 7): maps on faces, by person, image and layer."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Final

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from analyses import overlays
from analyses.figures.picture import Picture
from analyses.figures.rendering import PAGE_INCHES
from analyses.figures.style import in_words, series_of, tidy
from analyses.overlays import Drawing
from analyses.sample import Faces, read_faces
from leamstore import geometry
from leamstore.lake import Lake
from leamstore.layers import CellGrid, Maps
from leamstore.poses import Poses
from leamstore.schema import GRID, REGION_NAMES

TILE: Final = 168
PERCENTS: Final = (1.0, 5.0, 10.0)

_DPI: Final = 120
_GAP: Final = 6
_LEFT: Final = 118
_TOP: Final = 34
_BOTTOM: Final = 62
_MARGIN: Final = 12
_POINTS: Final = 8.0
_CHARACTERS: Final = 15
"""Characters of a label in a line."""

_DRAWN_AS: Final = {
    "cells": "each cell as it is",
    "smooth": "bilinearly between the cells' centres",
}


@dataclass(frozen=True)
class _Drawn:
    """A layer's maps of the drawn faces: relevance (n, height, width), NaN where it wasn't run."""

    name: str
    grid: CellGrid
    maps: Maps


def pictures(lake: Lake, seed: int, drawing: Drawing = "cells") -> Iterator[Picture]:
    """Yield the contact sheets of each model of a lake, of people and images drawn by a seed.

    Parameters
    ----------
    drawing : str
        ``cells`` draws each cell as it is, ``smooth`` bilinearly between their centres.

    Raises
    ------
    LackingError
        If the lake holds no images, or no face crops.
    """
    faces = read_faces(lake, seed, TILE)
    for model, of_model in groupby(lake.layers(), key=lambda layer: layer.model):
        image_ids, poses = faces.images["image_id"], _read_poses(lake, model, faces.images)
        layers = [_Drawn(layer.name, layer.grid, layer.read(image_ids)) for layer in of_model]
        yield from _sheets_of_model(model, layers, faces, poses, drawing)


def _sheets_of_model(
    model: str, layers: Sequence[_Drawn], faces: Faces, poses: Poses, drawing: Drawing
) -> Iterator[Picture]:
    to_chip = poses.grid_to_chip("crop", faces.size, layers[0].grid.input_size)
    first = _first_of_each(faces.images)
    drawn_as = _DRAWN_AS[drawing]
    reading = (
        f"The face crop in grey, the map over it, {drawn_as}, where the layer's stride and offset "
        "put it. Colour is relevance on one scale for all sheets: 0 (clear) to 1, the most "
        "relevant cell of a pair's map; a map is the mean over the image's positives. Grey alone "
        "lies outside of what the network is shown, or isn't relevant."
    )
    drawn = {
        layer.name: overlays.overlay(
            faces.crops,
            overlays.draw_maps(
                np.nan_to_num(layer.maps), layer.grid, to_chip, faces.size, drawing
            ),
        )
        for layer in layers
    }  # fmt: skip
    yield Picture(
        f"overlays_{model}",
        f"Maps of {model}, layer by layer",
        f"{reading} Rows: people and one image of each, drawn by the seed; columns: layers from "
        "the input on. As the paper's Figures 3 and 4.",
        _sheet(
            np.stack([faces.crops[first], *(tiles[first] for tiles in drawn.values())], 1),
            _names(faces.images[first]),
            ["face", *drawn],
        ),
    )
    yield _relevance_curves(model, layers)
    yield _top_sheet(model, layers, faces, to_chip, drawing)
    if faces.images["identity"].is_duplicated().any():
        yield _aligned_sheet(model, layers, faces, poses, drawing)
    for layer in layers:
        yield Picture(
            f"overlays_{model}_{layer.name}",
            f"Maps of {model}, {layer.name}",
            f"{reading} Rows: people; columns: their images, drawn by the seed. Maps of one person "
            "that resemble each other more than those of different people would hint at a pattern "
            "of the person's; the questions below count it. As the paper's Figures 3 and 4.",
            _sheet(*_by_person(drawn[layer.name], faces.images)),
        )


def _relevance_curves(model: str, layers: Sequence[_Drawn]) -> Picture:
    """Draw how many cells reach which relevance: what the paper's Figure 5 shows by example."""
    levels = np.linspace(0.01, 1, 100)
    figure = Figure(figsize=(7.2, 3.8), layout="constrained")
    axes = figure.subplots()
    tidy(axes)
    looks = series_of([layer.name for layer in layers])
    for layer in layers:
        relevance = layer.maps[~np.isnan(layer.maps)]
        share = 100 * (relevance[:, None] >= levels).mean(0) if len(relevance) else levels * np.nan
        look = looks[layer.name]
        axes.plot(
            levels, np.where(share > 0, share, np.nan), color=look.colour, linestyle=look.line,
            marker=look.marker, markevery=10, markersize=4, linewidth=1.2, label=layer.name,
        )  # fmt: skip
    axes.axvline(0.1, color="#999999", linewidth=0.8)
    axes.axvline(0.5, color="#999999", linewidth=0.8)
    axes.set_yscale("log")
    axes.set_xlim(0, 1)
    axes.set_xlabel("relevance", fontsize=9)
    axes.set_ylabel("cells of at least that relevance, %", fontsize=9)
    for text in figure.legend(loc="outside right upper", frameon=False, fontsize=8).get_texts():
        text.set_parse_math(False)
    return Picture(
        f"relevance_{model}",
        f"How far relevance spreads, {model}",
        "Share of the cells that reach a relevance, over the drawn images (logarithmic axis). "
        "The lines at 0.1 and 0.5 are those of the paper's Figures 5 and 6: what catches the eye "
        "lies right of 0.5, while far more cells reach a tenth of the highest relevance.",
        figure,
    )


def _top_sheet(
    model: str,
    layers: Sequence[_Drawn],
    faces: Faces,
    to_chip: NDArray[np.float64],
    drawing: Drawing,
) -> Picture:
    first = _first_of_each(faces.images)
    grey = overlays.grey(faces.crops[first])
    columns = [faces.crops[first], overlays.blend(grey, overlays.tint_regions(faces.labels[first]))]
    for layer in layers:
        maps = np.nan_to_num(layer.maps[first])
        laid = overlays.draw_maps(maps, layer.grid, to_chip[first], faces.size, "smooth")
        borders = overlays.top_borders(maps, layer.grid, PERCENTS)
        columns.append(overlays.blend(grey, overlays.tint_top(laid, borders)))
    seen = [name for label, name in enumerate(REGION_NAMES) if (faces.labels[first] == label).any()]
    figure = _sheet(
        np.stack(columns, 1),
        _names(faces.images[first]),
        ["face", "parser's regions", *(layer.name for layer in layers)],
        legend="bands",
    )
    _draw_region_legend(figure, seen)
    return Picture(
        f"top_percent_{model}",
        f"The most relevant pixels of {model}",
        "The most relevant 1, 5 and 10 % of the pixels that the network is shown, on the grid on "
        "which the lake counts them by region, and the parser's regions. Rows: people and one "
        "image of each, drawn by the seed; columns: layers. As the paper's Figure 6.",
        figure,
    )


def _aligned_sheet(
    model: str, layers: Sequence[_Drawn], faces: Faces, poses: Poses, drawing: Drawing
) -> Picture:
    """Warp one image's map to another image of the person, as similarity compares them."""
    first = _first_of_each(faces.images)
    second = _second_of_each(faces.images)
    kept = np.isin(faces.images["identity"][first], faces.images["identity"][second])
    first = first[kept]
    layer = layers[len(layers) // 2]
    own = poses.grid_to_chip("crop", faces.size, layer.grid.input_size)
    # From crop pixels of the one to crop pixels of the other, through the person's frame.
    first_to_second = geometry.compose(
        geometry.invert(poses.crop_to_identity[second]), poses.crop_to_identity[first]
    )
    crop_to_chip = geometry.compose(poses.crop_to("chip")[second], first_to_second)
    picture_to_chip = geometry.compose(crop_to_chip, geometry.scaling(faces.size, GRID))

    def laid(of: NDArray[np.int64], to_chip: NDArray[np.float64]) -> NDArray[np.float32]:
        maps = np.nan_to_num(layer.maps[of])
        return overlays.draw_maps(maps, layer.grid, to_chip, faces.size, drawing)

    tiles = np.stack(
        [
            faces.crops[first],
            overlays.overlay(faces.crops[first], laid(first, own[first])),
            faces.crops[second],
            overlays.overlay(faces.crops[second], laid(second, own[second])),
            overlays.overlay(faces.crops[first], laid(second, picture_to_chip)),
        ],
        1,
    )
    titles = ["image A", "A's map on A", "image B", "B's map on B", "B's map on A"]
    return Picture(
        f"aligned_{model}",
        f"Maps carried from image to image, {model}, {layer.name}",
        "Two images of one person, their maps, and the map of B warped to A by the landmarks "
        "(through the person's reference frame), as the question of similarity compares them. "
        "Where faces move otherwise than heads do (mouths, above all), a map misses the part "
        "that it marked. As the paper's Figure 7.",
        _sheet(tiles, _names(faces.images[first]), titles),
    )


def _sheet(
    tiles: NDArray[np.uint8], rows: Sequence[str], columns: Sequence[str], legend: str = "relevance"
) -> Figure:
    """Lay tiles (rows, columns, y, x, 3) out with their labels; a pixel is a pixel of the PNG."""
    picture = overlays.mosaic(tiles, _GAP)
    height, width = picture.shape[:2]
    wide = max(width, 4 * TILE)
    # A sheet wider than a page is shown smaller, and its labels must still be read.
    scale = max(1.0, wide / _DPI / PAGE_INCHES)
    left, bottom, points = _LEFT * scale, _BOTTOM * scale, _POINTS * scale
    whole = np.array([left + wide + _MARGIN, _TOP * scale + height + bottom])
    figure = Figure(figsize=(whole[0] / _DPI, whole[1] / _DPI), dpi=_DPI)
    axes = figure.add_axes(_box(left, bottom, width, height, whole))
    axes.imshow(picture, interpolation="none", extent=(0, width, height, 0))
    axes.spines[:].set_visible(False)
    step = tiles.shape[2] + _GAP
    _label(axes.xaxis, np.arange(len(columns)) * step + tiles.shape[3] / 2, columns, points)
    _label(axes.yaxis, np.arange(len(rows)) * step + tiles.shape[2] / 2, rows, points)
    axes.xaxis.tick_top()
    axes.tick_params(length=0)
    if legend == "relevance":
        _draw_relevance_legend(figure, _box(left, 0.56 * bottom, 2 * TILE, 14, whole), points)
    else:
        _draw_band_legend(figure, points)
    return figure


def _label(axis: Any, places: NDArray[np.float64], names: Sequence[str], points: float) -> None:
    wrapped = ["\n".join(textwrap.wrap(name, _CHARACTERS)) for name in names]
    axis.set_ticks(places, wrapped, fontsize=points)
    for text in axis.get_ticklabels():
        text.set_parse_math(False)


def _draw_relevance_legend(
    figure: Figure, box: tuple[float, float, float, float], points: float
) -> None:
    axes = figure.add_axes(box)
    axes.imshow(overlays.legend(256), aspect="auto", extent=(0, 1, 0, 1))
    axes.set_yticks([])
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1])
    axes.tick_params(labelsize=points, length=2, pad=2)
    axes.spines[:].set_linewidth(0.5)
    axes.text(1.03, 0.5, "relevance", va="center", fontsize=points, transform=axes.transAxes)


def _draw_band_legend(figure: Figure, points: float) -> None:
    colours = overlays.band_colours(len(PERCENTS)) / 255
    handles = [
        Patch(facecolor=colour, label=f"most relevant {percent:g} %")
        for colour, percent in zip(colours, PERCENTS, strict=True)
    ]
    figure.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(0.005, 0.0), ncols=len(handles),
        fontsize=points, frameon=False,
    )  # fmt: skip


def _draw_region_legend(figure: Figure, regions: Sequence[str]) -> None:
    points = _POINTS * max(1.0, figure.get_figwidth() / PAGE_INCHES)
    labels = np.array([[REGION_NAMES.index(name) for name in regions]], np.uint8)
    colours = overlays.tint_regions(labels)[0] / 255
    handles = [
        Patch(facecolor=colour, label=in_words(name))
        for colour, name in zip(colours, regions, strict=True)
    ]
    if handles:
        figure.legend(
            handles=handles, loc="lower right", bbox_to_anchor=(0.995, 0.0), fontsize=points,
            ncols=min(-(-len(handles) // 2), 10), frameon=False, handlelength=1.2,
            columnspacing=1.0,
        )  # fmt: skip


def _box(
    left: float, bottom: float, width: float, height: float, whole: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    return left / whole[0], bottom / whole[1], width / whole[0], height / whole[1]


def _by_person(
    tiles: NDArray[np.uint8], images: pl.DataFrame
) -> tuple[NDArray[np.uint8], list[str], list[str]]:
    """Return tiles (person, image, y, x, 3), white where a person has fewer, and the labels."""
    people = images["identity"].unique(maintain_order=True).to_list()
    row = np.array([people.index(name) for name in images["identity"]])
    column = np.array([int((row[:place] == row[place]).sum()) for place in range(len(row))])
    table = np.full((len(people), column.max() + 1, *tiles.shape[1:]), 255, np.uint8)
    table[row, column] = tiles
    numbers = [f"image {number}" for number in range(1, table.shape[1] + 1)]
    return table, _names(images[_first_of_each(images)]), numbers


def _first_of_each(images: pl.DataFrame) -> NDArray[np.int64]:
    return np.flatnonzero(images["identity"].is_first_distinct())


def _second_of_each(images: pl.DataFrame) -> NDArray[np.int64]:
    later = ~images["identity"].is_first_distinct()
    places = np.flatnonzero(later)
    return places[images["identity"].filter(later).is_first_distinct().to_numpy()]


def _names(images: pl.DataFrame) -> list[str]:
    return [in_words(name) for name in images["identity"]]


def _read_poses(lake: Lake, model: str, images: pl.DataFrame) -> Poses:
    """Return the poses of images; a model's chip of those that it wasn't run on is the crop."""
    stored = lake.sql("SELECT image_id, chip_to_crop FROM embeddings WHERE model = ?", [model])
    joined = images.join(stored, on="image_id", how="left", maintain_order="left")
    crop = pl.lit(np.eye(2, 3).tolist(), stored.schema["chip_to_crop"])
    return Poses.of(joined.with_columns(pl.col("chip_to_crop").fill_null(crop)))
