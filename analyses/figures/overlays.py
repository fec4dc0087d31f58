"""Contact sheets (RQ1; the paper's Figures 3 to 7): maps on faces, by person, image and layer."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from typing import Any, Final, Literal

import numpy as np
import polars as pl
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from numpy.typing import NDArray

from analyses import overlays
from analyses.figures import Picture
from analyses.figures.rendering import PAGE_INCHES
from analyses.figures.style import legend_of, panels, series_of
from analyses.findings import in_words
from analyses.overlays import Drawing
from analyses.sample import Faces, read_faces
from leamstore import geometry
from leamstore.lake import Lake
from leamstore.layers import Layer, Maps
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
    image_ids = faces.images["image_id"]
    for model, of_model in groupby(lake.layers(), key=lambda layer: layer.model):
        layers = list(of_model)
        maps = {layer.name: layer.read(image_ids) for layer in layers}
        poses = _read_poses(lake, model, faces.images)
        yield from _Sheets(model, layers, maps, faces, poses, drawing).pictures()


@dataclass(frozen=True)
class _Sheets:
    """A model's sheets: its layers, and by layer the maps (n, height, width) of the drawn faces.

    Maps are NaN where the model wasn't run.
    """

    model: str
    layers: Sequence[Layer]
    maps: Mapping[str, Maps]
    faces: Faces
    poses: Poses
    drawing: Drawing

    @cached_property
    def first(self) -> NDArray[np.int64]:
        """Places of the first image of each person."""
        return np.flatnonzero(self.faces.images["identity"].is_first_distinct())

    @cached_property
    def names(self) -> list[str]:
        """The people's names in words, in the order of `first`."""
        return [in_words(name) for name in self.faces.images["identity"][self.first]]

    @cached_property
    def to_chip(self) -> NDArray[np.float64]:
        """The affines (n, 2, 3) from a picture of the crop to the model's chip."""
        return self.poses.grid_to_chip("crop", self.faces.size, self.layers[0].grid.input_size)

    def lay(
        self, layer: Layer, places: Any, to_chip: NDArray[np.float64], drawing: Drawing
    ) -> Maps:
        """Draw a layer's maps of faces on pictures (k, y, x)."""
        maps = np.nan_to_num(self.maps[layer.name][places])
        return overlays.draw_maps(maps, layer.grid, to_chip, self.faces.size, drawing)

    def pictures(self) -> Iterator[Picture]:
        """Yield the sheets of all layers, the curves of relevance, and a sheet of each layer."""
        crops, everyone = self.faces.crops, slice(None)
        reading = (
            f"The face crop in grey, the map over it, {_DRAWN_AS[self.drawing]}, where the layer's "
            "stride and offset put it. Colour is relevance on one scale for all sheets: 0 (clear) "
            "to 1, the most relevant cell of a pair's map; a map is the mean over the image's "
            "positives. Grey alone lies outside of what the network is shown, or isn't relevant."
        )
        drawn = {
            layer.name: overlays.overlay(
                crops, self.lay(layer, everyone, self.to_chip, self.drawing)
            )
            for layer in self.layers
        }
        tiles = [crops[self.first], *(tiles[self.first] for tiles in drawn.values())]
        yield Picture(
            f"overlays_{self.model}",
            f"Maps of {self.model}, layer by layer",
            f"{reading} Rows: people and one image of each, drawn by the seed; columns: layers "
            "from the input on. As the paper's Figures 3 and 4.",
            _sheet(np.stack(tiles, 1), self.names, ["face", *drawn]),
        )
        yield self.relevance_curves()
        yield self.top_sheet()
        if len(self.first) < len(crops):
            yield self.aligned_sheet()
        for name, of_layer in drawn.items():
            table = _by_person(of_layer, self.faces.images["identity"])
            images = [f"image {number}" for number in range(1, table.shape[1] + 1)]
            yield Picture(
                f"overlays_{self.model}_{name}",
                f"Maps of {self.model}, {name}",
                f"{reading} Rows: people; columns: their images, drawn by the seed. Maps of one "
                "person that resemble each other more than those of different people would hint "
                "at a pattern of the person's; the questions below count it. As the paper's "
                "Figures 3 and 4.",
                _sheet(table, self.names, images),
            )

    def relevance_curves(self) -> Picture:
        """Draw how many cells reach which relevance: what Figure 5 shows by example."""
        levels = np.linspace(0.01, 1, 100)
        figure, (axes,) = panels(
            [""], width=7.2, height=3.0, along="relevance", up="cells of at least that relevance, %"
        )
        looks = series_of(list(self.maps))
        for name, look in looks.items():
            relevance = self.maps[name][~np.isnan(self.maps[name])]
            share = 100 * (relevance[:, None] >= levels).sum(0) / max(len(relevance), 1)
            axes.plot(
                levels, np.where(share > 0, share, np.nan), color=look.colour, marker=look.marker,
                linestyle=look.line, markevery=10, markersize=4, linewidth=1.2,
            )  # fmt: skip
        axes.axvline(0.1, color="#999999", linewidth=0.8)
        axes.axvline(0.5, color="#999999", linewidth=0.8)
        axes.set_yscale("log")
        axes.set_xlim(0, 1)
        legend_of(figure, looks, pl.DataFrame())
        return Picture(
            f"relevance_{self.model}",
            f"How far relevance spreads, {self.model}",
            "Share of the cells that reach a relevance, over the drawn images (logarithmic axis). "
            "The lines at 0.1 and 0.5 are those of the paper's Figures 5 and 6: what catches the "
            "eye lies right of 0.5, while far more cells reach a tenth of the highest relevance.",
            figure,
        )

    def top_sheet(self) -> Picture:
        """Draw the most relevant pixels of one image of each person, and the regions."""
        first, to_chip = self.first, self.to_chip[self.first]
        crops, labels = self.faces.crops[first], self.faces.labels[first]
        grey = overlays.grey(crops)
        columns = [crops, overlays.blend(grey, overlays.tint_regions(labels))]
        for layer in self.layers:
            maps = np.nan_to_num(self.maps[layer.name][first])
            borders = overlays.top_borders(maps, layer.grid, PERCENTS)
            laid = self.lay(layer, first, to_chip, "smooth")
            columns.append(overlays.blend(grey, overlays.tint_top(laid, borders)))
        titles = ["face", "parser's regions", *self.maps]
        figure = _sheet(np.stack(columns, 1), self.names, titles, legend=False)
        bands = overlays.band_colours(len(PERCENTS))
        _draw_patches(
            figure, bands, [f"most relevant {percent:g} %" for percent in PERCENTS], "lower left"
        )
        seen = np.unique(labels[labels < len(REGION_NAMES)])
        _draw_patches(
            figure, overlays.tint_regions(seen), [in_words(REGION_NAMES[n]) for n in seen],
            "lower right",
        )  # fmt: skip
        return Picture(
            f"top_percent_{self.model}",
            f"The most relevant pixels of {self.model}",
            "The most relevant 1, 5 and 10 % of the pixels that the network is shown, on the grid "
            "on which the lake counts them by region, and the parser's regions. Rows: people and "
            "one image of each, drawn by the seed; columns: layers. As the paper's Figure 6.",
            figure,
        )

    def aligned_sheet(self) -> Picture:
        """Warp one image's map to another image of the person, as similarity compares them."""
        identities = self.faces.images["identity"]
        number = self.faces.images.select(pl.int_range(pl.len()).over("identity")).to_series()
        second = np.flatnonzero(number == 1)
        first = self.first[np.isin(identities[self.first], identities[second])]
        layer = self.layers[len(self.layers) // 2]
        # From crop pixels of the one to crop pixels of the other, through the person's frame.
        to_identity = self.poses.crop_to_identity
        first_to_second = geometry.compose(geometry.invert(to_identity[second]), to_identity[first])
        crop_to_chip = geometry.compose(self.poses.crop_to("chip")[second], first_to_second)
        picture_to_chip = geometry.compose(crop_to_chip, geometry.scaling(self.faces.size, GRID))
        columns = {}
        for letter, places in (("A", first), ("B", second)):
            crops = self.faces.crops[places]
            laid = self.lay(layer, places, self.to_chip[places], self.drawing)
            columns[f"image {letter}"] = crops
            columns[f"{letter}'s map on {letter}"] = overlays.overlay(crops, laid)
        columns["B's map on A"] = overlays.overlay(
            columns["image A"], self.lay(layer, second, picture_to_chip, self.drawing)
        )
        names = [in_words(name) for name in identities[first]]
        return Picture(
            f"aligned_{self.model}",
            f"Maps carried from image to image, {self.model}, {layer.name}",
            "Two images of one person, their maps, and the map of B warped to A by the landmarks "
            "(through the person's reference frame), as the question of similarity compares them. "
            "Where faces move otherwise than heads do (mouths, above all), a map misses the part "
            "that it marked. As the paper's Figure 7.",
            _sheet(np.stack(list(columns.values()), 1), names, list(columns)),
        )


def _sheet(
    tiles: NDArray[np.uint8], rows: Sequence[str], columns: Sequence[str], legend: bool = True
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
    if legend:
        _draw_relevance_legend(figure, _box(left, 0.56 * bottom, 2 * TILE, 14, whole), points)
    return figure


def _label(axis: Any, places: NDArray[np.float64], names: Sequence[str], points: float) -> None:
    wrapped = ["\n".join(textwrap.wrap(name, _CHARACTERS)) for name in names]
    axis.set_ticks(places, wrapped, fontsize=points, parse_math=False)


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


def _draw_patches(
    figure: Figure,
    colours: NDArray[np.uint8],
    labels: Sequence[str],
    corner: Literal["lower left", "lower right"],
) -> None:
    handles = [
        Patch(facecolor=colour, label=label)
        for colour, label in zip(colours / 255, labels, strict=True)
    ]
    figure.legend(
        handles=handles, loc=corner, bbox_to_anchor=(0.005 if "left" in corner else 0.995, 0.0),
        fontsize=_POINTS * max(1.0, figure.get_figwidth() / PAGE_INCHES), frameon=False,
        ncols=3 if len(handles) <= 3 else min(-(-len(handles) // 2), 10), handlelength=1.2,
        columnspacing=1.0,
    )  # fmt: skip


def _box(
    left: float, bottom: float, width: float, height: float, whole: NDArray[np.float64]
) -> tuple[float, float, float, float]:
    return left / whole[0], bottom / whole[1], width / whole[0], height / whole[1]


def _by_person(tiles: NDArray[np.uint8], identities: pl.Series) -> NDArray[np.uint8]:
    """Return tiles (person, image, y, x, 3), white where a person has fewer images."""
    people = identities.unique(maintain_order=True).to_list()
    row = np.array([people.index(name) for name in identities])
    column = np.array([int((row[:place] == row[place]).sum()) for place in range(len(row))])
    table = np.full((len(people), column.max() + 1, *tiles.shape[1:]), 255, np.uint8)
    table[row, column] = tiles
    return table


def _read_poses(lake: Lake, model: str, images: pl.DataFrame) -> Poses:
    """Return the poses of images; a model's chip of those that it wasn't run on is the crop."""
    stored = lake.sql("SELECT image_id, chip_to_crop FROM embeddings WHERE model = ?", [model])
    joined = images.join(stored, on="image_id", how="left", maintain_order="left")
    crop = pl.lit(np.eye(2, 3).tolist(), stored.schema["chip_to_crop"])
    return Poses.of(joined.with_columns(pl.col("chip_to_crop").fill_null(crop)))
