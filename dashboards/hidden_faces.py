"""A face with pixels hidden, as the analyses hide them, by reading single chunks of the lake.

The orders, strangers and fills are drawn by the functions of the analyses. In a lake of up to
`STRANGERS` images the strangers are the very ones that the analyses draw by seed 0; of a larger
lake whole people are drawn among whom they are sought, and everybody's mean map and mean colour
are of a part of it.
"""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Final

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from analyses.cohort import draw_identities
from analyses.rerun.fills import FILLS, hide
from analyses.rerun.masks import (
    Order,
    cut_masks,
    draw_sources,
    mirror,
    order_pixels,
    random_order,
)
from dashboards import faces, selections
from dashboards.charts import show_pictures
from dashboards.context import HASHES, Context
from dashboards.faces import FaceImage
from leamstore import arrays
from leamstore.layers import Layer
from leamstore.poses import carry

STRANGERS: Final = 2000
"""Number of images among which strangers are sought."""

MEAN_OF: Final = 8
"""Shards from which the mean map is computed: reading a map takes as long as reading its shard."""

COLOUR_OF: Final = 16
"""Number of images from whose chips the mean colour is computed."""

_SEED: Final = 0
_PICTURE: Final = 256


def sources_of(context: Context, model: str, face: FaceImage) -> dict[str, FaceImage]:
    """Return the images whose maps hide a face, by mask, as `masks.draw_sources` draws them.

    Only the own one where the person has no other image, or where there is nobody else.
    """
    images, drawn = _drawn_sources(context, model, face.identity)
    place = images["image_id"].index_of(face.image_id)
    if place is None:
        return {"own": face}
    return {"own": face} | {
        mask: FaceImage(image_id, identity, PurePath(path).name)
        for mask, places in drawn.items()
        for image_id, identity, path, _ in [images.row(int(places[place]))]
        if mask != "own"
    }


@st.cache_data(show_spinner=False, max_entries=200, hash_funcs=HASHES)
def orders_of(context: Context, layer: Layer, face: FaceImage) -> dict[str, Order]:
    """Return the orders (1, y, x) in which masks hide a face's chip, by the mask's name."""
    size = layer.grid.input_size
    orders = {
        mask: _order(faces.read_relevance(context, layer, image.image_id), layer)
        for mask, image in sources_of(context, layer.model, face).items()
    }
    return orders | {
        "mean map": _order(mean_map(context, layer), layer),
        "mirrored": mirror(orders["own"]),
        "random": random_order([face.image_id], size, _SEED, 0),
    }


def choose_hidden(
    context: Context, model: str, percents: Sequence[float], default: float
) -> tuple[FaceImage, tuple[float, str]]:
    """Show selections of a face and of what is hidden: the percent of the chip, and the fill."""
    with st.container(horizontal=True):
        face = faces.choose_image(context, model, faces.choose_person(context, model))
        fill = selections.either_of("fill", "Fill", list(FILLS))
        percent = selections.step_of(
            "hidden", "Hidden, % of the chip", list(map(float, percents)), default=default,
            width=300,
        )  # fmt: skip
    return face, (percent, fill)


def show_hidden(
    context: Context,
    layer: Layer,
    face: FaceImage,
    masks: list[str],
    hidden: tuple[float, str],
    titles: dict[str, str],
    name: str,
) -> None:
    """Show a face hidden by each mask, side by side, and the sources of the maps.

    Parameters
    ----------
    masks : list of str
        Names of masks; those that can't be had for this face are left out.
    hidden : (float, str)
        Hidden percent of the chip, and the fill.
    titles : dict of str to str
        Text under a mask's picture; by default the mask's name.
    """
    orders = orders_of(context, layer, face)
    shown = [mask for mask in masks if mask in orders]
    whole = faces.read_face(context, layer, face.image_id, "chip", layer.grid.input_size).pixels
    hidden_pixels = (hide_pixels(context, layer, whole, orders[mask], *hidden) for mask in shown)
    show_pictures(
        [_enlarge(picture) for picture in (whole, *hidden_pixels)],
        ["as it is", *(titles.get(mask, mask) for mask in shown)],
        name,
    )
    sources = sources_of(context, layer.model, face)
    listed = "; ".join(
        f"{mask}: {sources[mask].name}" for mask in shown if mask in sources and mask != "own"
    )
    st.caption(
        f"{face.name} on the chip of {layer.model}; maps of {layer.name}. "
        + (f"Maps of other images: {listed}. " if listed else "")
        + f"Everybody's mean map and mean colour are of up to {MEAN_OF * arrays.SHARD_IMAGES} and "
        f"{COLOUR_OF} images."
    )
    if not context.lake.settings.crops:
        st.caption("This lake holds no crops, so that the face itself can't be shown.")
    if len(sources) < len(("own", "same person", "matched stranger", "swap")):
        st.caption("This person has no other image, or the lake no strangers, for the other masks.")


def hide_pixels(
    context: Context,
    layer: Layer,
    pixels: NDArray[np.uint8],
    order: Order,
    percent: float,
    fill: str,
) -> NDArray[np.uint8]:
    """Return a chip (y, x, 3) with the first percent of an order's pixels under a fill."""
    chips = pixels[None].astype(np.float32)
    # The others don't ask for it, and it takes many crops to read.
    colour = mean_colour(context, layer) if fill == "mean colour" else np.zeros(3)
    filling = FILLS[fill](chips, colour)
    return hide(chips, cut_masks(order, percent), filling)[0].round().astype(np.uint8)


@st.cache_data(show_spinner=False, max_entries=100, hash_funcs=HASHES)
def mean_map(context: Context, layer: Layer) -> NDArray[np.float64]:
    """Return the mean map (y, x) of the images of `MEAN_OF` shards, drawn."""
    drawn = context.ask(
        "SELECT image_id FROM embeddings WHERE model = ? "
        "QUALIFY dense_rank() OVER (ORDER BY md5(concat(image_id // ?, '-', ?))) <= ? "
        "ORDER BY image_id",
        layer.model,
        arrays.SHARD_IMAGES,
        _SEED,
        MEAN_OF,
    )["image_id"]
    return layer.mean_map(drawn)


@st.cache_data(show_spinner=False, max_entries=8, hash_funcs=HASHES)
def mean_colour(context: Context, layer: Layer) -> NDArray[np.float64]:
    """Return the mean colour (3,) of `COLOUR_OF` chips, drawn; grey if the lake holds no crops."""
    if not context.lake.settings.crops:
        return np.full(3, 128.0)
    drawn = context.ask(
        "SELECT image_id FROM embeddings WHERE model = ? "
        "ORDER BY md5(concat(image_id, '-', ?)) LIMIT ?",
        layer.model,
        _SEED,
        COLOUR_OF,
    )["image_id"].sort()
    size = layer.grid.input_size
    chips = (faces.read_face(context, layer, one, "chip", size).pixels for one in drawn)
    return np.mean([chip.mean((0, 1)) for chip in chips], axis=0)


@st.cache_data(show_spinner=False, max_entries=50, hash_funcs=HASHES)
def _drawn_sources(
    context: Context, model: str, identity: str
) -> tuple[pl.DataFrame, dict[str, NDArray[np.int64]]]:
    """Return a person's images and those of the people drawn, and whose map hides each by mask.

    Nobody has one image only; both are empty where there are not two such people.
    """
    run = context.ask(
        "SELECT image_id, identity FROM images JOIN embeddings USING (image_id) "
        "WHERE model = ? AND status = 'kept' "
        "QUALIFY count(*) OVER (PARTITION BY identity) > 1 ORDER BY image_id",
        model,
    )
    drawn = draw_identities(run, STRANGERS, _SEED)["image_id"]
    run = run.filter((pl.col("identity") == identity) | pl.col("image_id").is_in(drawn.implode()))
    if run["identity"].n_unique() < 2:
        return run.clear(), {}
    images = context.ask(
        "SELECT image_id, identity, path, landmarks FROM images "
        "WHERE image_id IN (SELECT unnest(?)) ORDER BY image_id",
        run["image_id"].to_list(),
    )
    landmarks = images["landmarks"].to_numpy()
    return images, draw_sources(images["identity"].to_numpy(), landmarks, _SEED)


def _order(relevance: NDArray[np.floating], layer: Layer) -> Order:
    grid, unmoved = layer.grid, np.eye(2, 3)
    return order_pixels(
        carry(relevance[None], grid, unmoved, grid.input_size, beyond="nearest", dtype=np.float64)
    )


def _enlarge(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = (_PICTURE, _PICTURE)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
