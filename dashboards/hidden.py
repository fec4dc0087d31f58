"""A face with pixels hidden, as the analyses hide them, by reading single chunks of the lake.

The rules are those of `analyses.occlusion.masks`: the most relevant pixels of somebody's map go
first. The other image, the strangers and the mean map are drawn here, for the face that is looked
at, from a part of the lake; so they need not be the very images that an analysis has drawn.
"""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from analyses.occlusion.fills import FILLS, hide
from analyses.occlusion.masks import (
    Order,
    cut_masks,
    mirror,
    order_pixels,
    random_order,
)
from dashboards import faces, selections
from dashboards.charts import show_pictures
from dashboards.page import nothing_here
from dashboards.room import HASHES, Room
from leamstore import arrays
from leamstore.layers import Layer
from leamstore.poses import carry, on_mean_face

STRANGERS: Final = 2000
"""Images among which strangers are sought."""

MEAN_OF: Final = 8
"""Shards whose maps make everybody's mean map: to read a map takes as long as to read its shard."""

COLOUR_OF: Final = 16
"""Images whose crops make the mean colour."""

_SEED: Final = 0
_PICTURE: Final = 256


@dataclass(frozen=True)
class Whose:
    """The image whose map hides a face: its image_id, its person, its file's name."""

    image_id: int
    identity: str
    name: str


def choose_face(room: Room, model: str) -> Whose:
    """Let choose a person and an image; the Explorer's choice stands first."""
    people = room.ask(
        "SELECT DISTINCT identity FROM images JOIN embeddings USING (image_id) "
        "WHERE model = ? AND status = 'kept' ORDER BY identity",
        model,
    )["identity"].to_list()
    if not people:
        nothing_here(f"{model} has been run on no image yet.")
    person = selections.one_of("person", "Person", people, width=220)
    rows = room.ask(
        "SELECT path, image_id FROM images JOIN embeddings USING (image_id) "
        "WHERE model = ? AND identity = ? AND status = 'kept' ORDER BY path",
        model,
        person,
    )
    by_name = {PurePath(path).name: image_id for path, image_id in rows.iter_rows()}
    name = selections.one_of("image", "Image", list(by_name), width=220)
    return Whose(by_name[name], person, name)


@st.cache_data(show_spinner=False, max_entries=200, hash_funcs=HASHES)
def sources_of(room: Room, model: str, face: Whose) -> dict[str, Whose]:
    """Return whose maps hide a face, by the name of the mask, as `masks.draw_sources`.

    Returns
    -------
    dict of str to Whose
        own, same person (another image, drawn), matched stranger (the one in the pose nearest
        to that image), and swap (any stranger, drawn); only own of a lone image, and no
        stranger where there is none.
    """
    images = _drawn_images(room, model, face.identity)
    mine = images["identity"].to_numpy() == face.identity
    others = np.flatnonzero(mine & (images["image_id"].to_numpy() != face.image_id))
    strangers = np.flatnonzero(~mine)
    generator = np.random.default_rng([_SEED, face.image_id])
    found = {"own": face}
    if len(others):
        other = int(generator.choice(others))
        found["same person"] = _whose(images, other)
        if len(strangers):
            distances = _pose_distances(images["landmarks"].to_numpy(), other, strangers)
            found["matched stranger"] = _whose(images, int(strangers[distances.argmin()]))
    if len(strangers):
        found["swap"] = _whose(images, int(generator.choice(strangers)))
    return found


@st.cache_data(show_spinner=False, max_entries=200, hash_funcs=HASHES)
def orders_of(room: Room, layer: Layer, face: Whose) -> dict[str, Order]:
    """Return the orders (1, y, x) in which masks hide a face's chip, by the mask's name."""
    size = layer.grid.input_size
    orders = {
        mask: _order(faces.read_relevance(room, layer, whose.image_id), layer)
        for mask, whose in sources_of(room, layer.model, face).items()
    }
    return orders | {
        "mean map": _order(mean_map(room, layer), layer),
        "mirrored": mirror(orders["own"]),
        "random": random_order([face.image_id], size, _SEED, 0),
    }


def show_hidden(
    room: Room,
    layer: Layer,
    face: Whose,
    masks: list[str],
    hidden: tuple[float, str],
    titles: dict[str, str],
    name: str,
) -> None:
    """Show a face as each mask hides it, side by side, and whose maps these are.

    Parameters
    ----------
    masks : list of str
        Names of masks; those that can't be had for this face are left out.
    hidden : (float, str)
        Hidden percent of the chip, and the fill.
    titles : dict of str to str
        What stands under a mask's picture; its name where nothing does.
    """
    orders = orders_of(room, layer, face)
    shown = [mask for mask in masks if mask in orders]
    whole = faces.read_face(room, layer, face.image_id, "chip", layer.grid.input_size).pixels
    pictures = [whole, *(hide_pixels(room, whole, orders[mask], *hidden) for mask in shown)]
    show_pictures(
        [_enlarge(picture) for picture in pictures],
        ["as it is", *(titles.get(mask, mask) for mask in shown)],
        name,
    )
    sources = sources_of(room, layer.model, face)
    told = "; ".join(
        f"{mask}: {sources[mask].name}" for mask in shown if mask in sources and mask != "own"
    )
    st.caption(
        f"{face.name} on the chip of {layer.model}; maps of {layer.name}. "
        + (f"Whose maps: {told}. " if told else "")
        + f"Everybody's mean map and mean colour are of up to {MEAN_OF * arrays.SHARD_IMAGES} and "
        f"{COLOUR_OF} images."
    )
    if room.ask("SELECT value FROM settings WHERE name = 'crops'")["value"].item() != "True":
        st.caption("This lake holds no crops, so that the face itself can't be shown.")
    if len(sources) < len(("own", "same person", "matched stranger", "swap")):
        st.caption("This person has no other image, or the lake no strangers, for the other masks.")


def hide_pixels(
    room: Room, pixels: NDArray[np.uint8], order: Order, percent: float, fill: str
) -> NDArray[np.uint8]:
    """Return a chip (y, x, 3) with the first percent of an order's pixels under a fill."""
    chips = pixels[None].astype(np.float32)
    # The others don't ask for it, and it takes many crops to read.
    colour = mean_colour(room) if fill == "mean colour" else np.zeros(3)
    filling = FILLS[fill](chips, colour)
    return hide(chips, cut_masks(order, percent), filling)[0].round().astype(np.uint8)


@st.cache_data(show_spinner=False, max_entries=100, hash_funcs=HASHES)
def mean_map(room: Room, layer: Layer) -> NDArray[np.float64]:
    """Return the mean map (y, x) of the images of `MEAN_OF` shards, drawn."""
    drawn = room.ask(
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
def mean_colour(room: Room) -> NDArray[np.float64]:
    """Return the mean colour (3,) of `COLOUR_OF` crops, drawn; grey if the lake holds none."""
    drawn = room.ask(
        "SELECT image_id FROM images WHERE status = 'kept' "
        "ORDER BY md5(concat(image_id, '-', ?)) LIMIT ?",
        _SEED,
        COLOUR_OF,
    )["image_id"].sort()
    if room.ask("SELECT value FROM settings WHERE name = 'crops'")["value"].item() != "True":
        return np.full(3, 128.0)
    stored = arrays.open_array(room.lake.faces_path, "crop")
    # One by one: zarr takes ten times as long to select them together.
    return np.mean([np.asarray(stored[int(image_id)]).mean((0, 1)) for image_id in drawn], axis=0)


def _drawn_images(room: Room, model: str, identity: str) -> pl.DataFrame:
    """Return image_id, identity, path and landmarks of a person and of `STRANGERS` at most."""
    return room.ask(
        "SELECT image_id, identity, path, landmarks FROM images JOIN embeddings USING (image_id) "
        "WHERE model = ? AND status = 'kept' QUALIFY identity = ? OR "
        "row_number() OVER (ORDER BY md5(concat(image_id, '-', ?))) <= ? ORDER BY image_id",
        model,
        identity,
        _SEED,
        STRANGERS,
    )


def _whose(images: pl.DataFrame, place: int) -> Whose:
    row = images.row(place, named=True)
    return Whose(row["image_id"], row["identity"], PurePath(row["path"]).name)


def _pose_distances(
    landmarks: NDArray[np.float64], of: int, others: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return how far other faces' landmarks lie from one's, all laid on the mean face."""
    chosen = landmarks[np.append(others, of)]
    posed = on_mean_face(chosen)
    return np.asarray(((posed[:-1] - posed[-1]) ** 2).sum((1, 2)))


def _order(relevance: NDArray[np.floating], layer: Layer) -> Order:
    grid, unmoved = layer.grid, np.eye(2, 3)
    return order_pixels(
        carry(relevance[None], grid, unmoved, grid.input_size, beyond="nearest", dtype=np.float64)
    )


def _enlarge(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    size = (_PICTURE, _PICTURE)
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC))
