"""Explorer: a face and its map by layer and model, next to the face it is compared with."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import plotly.colors
import plotly.graph_objects as go
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from analyses.findings import in_words
from analyses.likeness import bhattacharyya, earth_movers_distance
from analyses.overlays import Drawing, blend, grey
from dashboards import faces, selections
from dashboards.charts import (
    DIFFERENCES,
    colour_scale,
    data_address,
    show_chart,
    show_pictures,
    show_table,
)
from dashboards.context import Context
from dashboards.faces import FRAME_NAMES, Face, FaceImage, choose_image, choose_person
from dashboards.page import Page, no_model_here, part
from leamstore.layers import Layer, normalise, take_top, top_pixels
from leamstore.poses import FRAMES, Frame
from leamstore.schema import FULL_THRESHOLD, GRID, TOP_PERCENTS

COLOUR_MAPS: Final = ("inferno", "viridis", "cividis", "magma", "plasma")
"""All perceptually uniform; cividis looks the same to all colour-blind people."""

_SIZE: Final = 448
_SMALL: Final = 192
_HOVER: Final = 128
_COMPARED: Final = 112
_SEEN_FROM: Final = 0.25
"""Relevance from which a map is as opaque as was asked for; below, the face shows through."""

_THRESHOLDS: Final = ("nothing", "most relevant", "above")
_MEAN: Final = "mean over all positives"


@dataclass(frozen=True)
class Chosen(FaceImage):
    """The image looked at, with the kept pair whose map is shown; None: the image's own map."""

    pair_id: int | None
    what: str


@dataclass(frozen=True)
class Style:
    """The style of a map over a face."""

    colours: str
    opacity: float
    drawing: Drawing


@dataclass(frozen=True)
class Threshold:
    """The pixels to count: the most relevant percent, or those above a relevance."""

    kind: str
    value: float = 0.0

    @property
    def said(self) -> str:
        """The threshold in words."""
        if self.kind == "above":
            return f"relevance above {self.value:g}"
        return f"the most relevant {self.value:g} %"

    def activated(self, gridded: NDArray[np.floating]) -> NDArray[np.bool_] | None:
        """Return the pixels (512, 512) that are counted; None where none are to be."""
        if self.kind == "nothing" or not gridded.any():
            return None
        if self.kind == "above":
            return gridded > self.value
        return top_pixels(gridded[None], self.value)[0]


def show(context: Context) -> None:
    """Draw the page."""
    layer = faces.selected_layer(context)
    if layer is None:
        no_model_here(context)
    chosen = _choose(context, layer.model)
    view = selections.either_of(
        "view", "Look at", ["one map", "all layers", "all models", "two images"]
    )
    if view == "one map":
        _show_one_map(context, layer, chosen)
    elif view == "all layers":
        _show_gallery(context, faces.layers_of(context, layer.model), chosen, "layers")
    elif view == "all models":
        _show_models(context, layer, chosen)
    else:
        _show_two_images(context, layer, chosen)


def _choose(context: Context, model: str) -> Chosen:
    with st.container(horizontal=True):
        image = choose_image(context, model, choose_person(context, model))
        pairs = context.ask(
            "SELECT pair_id, path, cosine FROM pairs JOIN images ON image_id = positive "
            "WHERE model = ? AND anchor = ? AND pair_id IS NOT NULL ORDER BY path",
            model,
            image.image_id,
        )
        names = {
            f"towards {PurePath(path).name}": (pair_id, cosine)
            for pair_id, path, cosine in pairs.iter_rows()
        }
        what = selections.one_of(
            "map", "Map", [_MEAN, *names], width=260,
            help="The mean of the maps towards all positives, or a kept pair's own.",
        )  # fmt: skip
    pair_id, cosine = names.get(what, (None, None))
    said = what if cosine is None else f"{what}, cosine {cosine:.3f}"
    return Chosen(**vars(image), pair_id=pair_id, what=said)


def _choose_style() -> Style:
    colours = selections.one_of("colours", "Colours", COLOUR_MAPS)
    opacity = selections.number("opacity", "Opacity", 0.0, 1.0, default=0.75, step=0.05)
    smooth = selections.switch(
        "smooth", "Smoothed", help="Bilinearly between cells; off shows the layer's own cells."
    )
    return Style(colours, opacity, "smooth" if smooth else "cells")


@part
def _show_one_map(context: Context, layer: Layer, chosen: Chosen) -> None:
    controls, picture = st.columns([1, 2])
    with controls:
        style = _choose_style()
        outlined = selections.switch("outlines", "Region outlines")
        frame = _choose_frame("frame", FRAMES)
        threshold = _choose_threshold()
    poses = faces.poses_of(context, layer.model, chosen.image_id)
    relevance = faces.read_relevance(context, layer, chosen.image_id, chosen.pair_id)
    activated = threshold.activated(faces.on_grid(relevance, layer))
    with picture:
        face = faces.read_face(context, layer, chosen.image_id, frame, _SIZE)
        drawn = _draw(context, layer, chosen, frame, _SIZE, style.drawing)
        alpha: NDArray[Any] = _seen(drawn)
        if activated is not None:
            alpha = faces.in_frame(activated, poses, frame, layer.grid, _SIZE)
        pixels = _overlay(face, drawn, alpha, style)
        if outlined:
            pixels = np.where(faces.outlines(face.labels)[..., None], np.uint8(255), pixels)
        hovered = _draw(context, layer, chosen, frame, _HOVER, style.drawing)
        show_chart(_overlay_figure(pixels, hovered, style.colours), "overlay")
        st.caption(
            f"{chosen.identity}, {chosen.name}, {chosen.what}: {layer.model}, {layer.name} "
            f"({layer.grid.height} x {layer.grid.width} cells), on {FRAME_NAMES[frame]}."
            + ("" if activated is None else f" In colour: {threshold.said}.")
        )
    if not relevance.any():
        st.info("This map is zero everywhere: it has no most relevant pixels.")
    elif activated is not None:
        chip = faces.read_face(context, layer, chosen.image_id, "chip", GRID)
        _show_counts(faces.count_regions(activated, chip.labels), int(activated.sum()))


def _choose_frame(name: str, frames: Sequence[Frame]) -> Frame:
    return selections.one_of(
        name, "Frame", frames, format_func=FRAME_NAMES.__getitem__,
        help="The model's chip is what it saw, and where pixels are counted.",
    )  # fmt: skip


def _choose_threshold() -> Threshold:
    kind = selections.either_of("threshold", "Count", list(_THRESHOLDS), default="most relevant")
    if kind == "most relevant":
        percent = selections.step_of("percent", "% of all pixels", TOP_PERCENTS, default=1.0)
        return Threshold(kind, float(percent))
    if kind == "above":
        least = selections.number("least", "Relevance", 0.0, 1.0, default=FULL_THRESHOLD, step=0.01)
        return Threshold(kind, least)
    return Threshold(kind)


def _show_counts(counts: pl.DataFrame, activated: int) -> None:
    counts = counts.sort("pixels", descending=True)
    shown = counts.filter(pl.col("pixels") > 0)
    st.markdown(f"**{activated:,}** of {GRID * GRID:,} pixels of the chip are counted.")
    names = [in_words(region) for region in shown["region"]]
    figure = go.Figure()
    for column, name in (("relative_percent", "of the counted"), ("area_percent", "of the chip")):
        figure.add_bar(y=names, x=shown[column].to_list(), name=name, orientation="h")
    figure.update_layout(barmode="group", xaxis_title="% of pixels", height=120 + 30 * len(names))
    figure.update_yaxes(autorange="reversed")
    show_chart(figure, "regions", counts)
    show_table(counts, "region-counts")


@part
def _show_gallery(context: Context, layers: Sequence[Layer], chosen: Chosen, name: str) -> None:
    """Show one image's map in several layers, or models; each on the chip of its own model."""
    with st.container(horizontal=True):
        style = _choose_style()
    tiles, titles = [], []
    for layer in layers:
        face = faces.read_face(context, layer, chosen.image_id, "chip", _SMALL)
        own = layer.model == context.filters.model
        of = chosen if own else replace(chosen, pair_id=None)
        drawn = _draw(context, layer, of, "chip", _SMALL, style.drawing)
        tiles.append(_overlay(face, drawn, _seen(drawn), style))
        titles.append(layer.name if name == "layers" else f"{layer.model}, {layer.name}")
    show_pictures(tiles, titles, name)


def _show_models(context: Context, layer: Layer, chosen: Chosen) -> None:
    models = context.ask(
        "SELECT model FROM embeddings WHERE image_id = ? ORDER BY model", chosen.image_id
    )["model"]
    same_place = [
        one
        for model in models
        for one in faces.layers_of(context, model)
        if one.position == layer.position
    ]
    if chosen.pair_id is not None:
        st.caption(f"{layer.model} shows the kept pair, other models the mean over all positives.")
    _show_gallery(context, same_place, chosen, "models")


def _show_two_images(context: Context, layer: Layer, chosen: Chosen) -> None:
    with st.container(horizontal=True):
        person = choose_person(context, layer.model, "other", "Other person")
        image = choose_image(
            context, layer.model, person, "other-image", "Other image", unlike=chosen.image_id
        )
    frames: list[Frame] = ["canonical", "crop", "chip"]
    if person == chosen.identity:
        frames = ["identity", *frames]
    second = Chosen(**vars(image), pair_id=None, what=_MEAN)
    _show_comparison(context, layer, chosen, second, frames)


@part
def _show_comparison(
    context: Context, layer: Layer, first: Chosen, second: Chosen, frames: Sequence[Frame]
) -> None:
    with st.container(horizontal=True):
        frame = _choose_frame("common-frame", frames)
        style = _choose_style()
    maps = []
    columns = st.columns(3)
    for one, column, name in zip((first, second), columns, ("first", "second"), strict=False):
        face = faces.read_face(context, layer, one.image_id, frame, _SIZE)
        drawn = _draw(context, layer, one, frame, _SIZE, style.drawing)
        maps.append(_draw(context, layer, one, frame, _COMPARED, "smooth"))
        hovered = _draw(context, layer, one, frame, _HOVER, style.drawing)
        with column:
            st.caption(f"{one.name}, {one.what}")
            pixels = _overlay(face, drawn, _seen(drawn), style)
            show_chart(_overlay_figure(pixels, hovered, style.colours), name)
    with columns[2]:
        st.caption("First minus second")
        show_chart(_difference_figure(maps[0] - maps[1]), "difference")
    likeness = _likeness(np.stack(maps))
    show_table(likeness, "likeness")
    st.caption(
        f"On a grid of {_COMPARED} x {_COMPARED} pixels in this frame; bc: 1 for equal maps, 0 for "
        "maps without a common pixel; emd: in grid pixels. Two images alone say nothing about "
        "people: the question `similarity` compares groups."
    )


def _draw(
    context: Context, layer: Layer, chosen: Chosen, frame: Frame, size: int, drawing: Drawing
) -> NDArray[np.float32]:
    return faces.draw_map(context, layer, chosen.image_id, chosen.pair_id, frame, size, drawing)


def _likeness(maps: NDArray[np.float32]) -> pl.DataFrame:
    pair = np.array([[0, 1]])
    top = normalise(take_top(maps, 1.0))
    return pl.DataFrame(
        {
            "of": ["top 1 %", "whole maps"],
            "bc": [float(bhattacharyya(d, pair)[0]) for d in (top, normalise(maps))],
            "emd": [float(earth_movers_distance(top, pair)[0]), None],
        }
    )


def _overlay(
    face: Face, relevance: NDArray[np.float32], alpha: NDArray[Any], style: Style
) -> NDArray[np.uint8]:
    """Return a face in grey under its map, as opaque as `alpha` (0 to 1) times the style's."""
    opacity = 255 * style.opacity * alpha[..., None]
    tint = np.concatenate([_colours(style.colours)[_level(relevance)], opacity], -1)
    return blend(grey(face.pixels), tint.round().astype(np.uint8))


def _seen(relevance: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return how opaque a map is by itself: the face shows where there is little relevance."""
    return np.clip(relevance / _SEEN_FROM, 0, 1)


def _level(relevance: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.clip(np.round(relevance * 255), 0, 255).astype(np.int64)


@lru_cache
def _colours(name: str) -> NDArray[np.float64]:
    """Return the 256 colours of one of Plotly's colour maps."""
    shares = np.linspace(0, 1, 256)
    sampled = plotly.colors.sample_colorscale(name, shares, colortype="tuple")
    return 255 * np.array(sampled)


def _overlay_figure(
    pixels: NDArray[np.uint8], hovered: NDArray[np.float32], colours: str
) -> go.Figure:
    """Return the picture under an invisible heat map that provides the hover values and scale."""
    figure = _map_figure(
        hovered, "relevance", zmin=0, zmax=1, colorscale=colour_scale(colours), opacity=0,
        hovertemplate="relevance %{z:.3f}<extra></extra>",
    )  # fmt: skip
    return figure.add_layout_image(
        source=data_address(pixels), xref="x", yref="y", x=-0.5, y=-0.5,
        sizex=_HOVER, sizey=_HOVER, sizing="stretch", layer="below",
    )  # fmt: skip


def _difference_figure(difference: NDArray[np.float32]) -> go.Figure:
    most = float(np.abs(difference).max()) or 1.0
    return _map_figure(
        difference, "difference", zmin=-most, zmax=most, colorscale=DIFFERENCES,
        hovertemplate="%{z:+.3f}<extra></extra>",
    )  # fmt: skip


def _map_figure(values: NDArray[np.float32], title: str, **look: Any) -> go.Figure:
    """Return a square map (size, size) over a colour bar."""
    bar = {
        "title": {"text": title, "side": "top"}, "orientation": "h", "thickness": 10,
        "y": 0, "yanchor": "top", "len": 0.8, "outlinewidth": 0,
    }  # fmt: skip
    figure = go.Figure(go.Heatmap(z=values, colorbar=bar, **look))
    span = [-0.5, len(values) - 0.5]
    figure.update_xaxes(range=span, visible=False, constrain="domain")
    figure.update_yaxes(range=span[::-1], visible=False, constrain="domain", scaleanchor="x")
    return figure.update_layout(height=460)


PAGE = Page(
    title="Explorer",
    address="explorer",
    icon=":material/face_retouching_natural:",
    about="One face and where a model looks: by layer, by model, and next to another face.",
    show=show,
    filters=("model", "layer"),
)
