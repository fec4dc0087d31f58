"""A face, its regions and its maps in one frame, by reading single chunks of the lake.

Regions are counted as ingest counts them: on the 512 x 512 grid over the model's chip (arXiv
2509.17457, section 3.2). Counting is exact, so that what the lake has counted comes out again.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from analyses.overlays import Cells, Drawing, draw_maps
from analyses.rerun.masks import cut_masks, order_pixels
from dashboards.room import Room, hash_of_room
from leamstore import arrays, geometry
from leamstore.frames import Frame, Poses
from leamstore.geometry import Affine
from leamstore.schema import GRID, REGION_NAMES, UNLABELLED

UNLABELLED_NAME: Final = "unlabelled"

_AFFINES: Final = ("chip_to_crop", "crop_to_identity", "crop_to_canonical")
_NO_CROP: Final = 200
_CHUNKS: Final = 400


@dataclass(frozen=True)
class Layer:
    """A layer of a model: a row of the table layers, with the side of the model's chip."""

    model: str
    layer: str
    position: int
    height: int
    width: int
    stride: float
    offset: float
    input_size: int

    @property
    def cells(self) -> Cells:
        """Where its cells lie on the chip."""
        return Cells(self.stride, self.offset, self.input_size)


@dataclass(frozen=True)
class Face:
    """A face in a frame.

    Attributes
    ----------
    pixels : (size, size, 3) uint8
        Flat grey where the lake holds no crops.
    labels : (size, size) uint8
        Position in REGIONS; `UNLABELLED` where the parser says nothing, or beyond the crop.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.uint8]


def layers_of(room: Room, model: str) -> list[Layer]:
    """Return the layers of a model, from the input on."""
    rows = room.ask(
        'SELECT model, layer, position, height, width, stride, "offset", input_size '
        "FROM layers JOIN models USING (model) WHERE model = ? ORDER BY position",
        model,
    )
    return [Layer(**row) for row in rows.iter_rows(named=True)]


def poses_of(room: Room, model: str, image_id: int) -> Poses:
    """Return how one image is carried from frame to frame; affines (1, 2, 3)."""
    row = room.ask(
        f"SELECT {', '.join(_AFFINES)} FROM embeddings JOIN images USING (image_id) "
        "WHERE model = ? AND image_id = ?",
        model,
        image_id,
    )
    return Poses(*(row[name].to_numpy().astype(np.float64) for name in _AFFINES))


def read_relevance(
    room: Room, layer: Layer, image_id: int, pair_id: int | None = None
) -> NDArray[np.float16]:
    """Return the map (height, width) of an image, or of a kept pair of which it is the anchor."""
    array, place = ("relevance", image_id) if pair_id is None else ("pair_relevance", pair_id)
    return np.asarray(_read(room, "maps", f"{layer.model}/{layer.layer}/{array}", place))


@st.cache_data(show_spinner=False, max_entries=_CHUNKS, hash_funcs={Room: hash_of_room})
def read_face(
    room: Room, model: str, image_id: int, frame: Frame, input_size: int, size: int
) -> Face:
    """Return a face of `size` pixels in a frame; the chip is `input_size` chip pixels wide."""
    settings = dict(room.ask("SELECT name, value FROM settings").iter_rows())
    to_crop = _to_crop(poses_of(room, model, image_id), frame, input_size, size)
    labels = np.asarray(_read(room, "faces", f"labels/{settings['parser']}", image_id))
    pixels = np.full((size, size, 3), _NO_CROP, np.uint8)
    if settings["crops"] == "True":
        crop = np.asarray(_read(room, "faces", "crop", image_id))
        pixels = _warp(crop, to_crop, size)
    return Face(pixels, nearest(labels, to_crop, size, UNLABELLED))


@st.cache_data(show_spinner=False, max_entries=_CHUNKS, hash_funcs={Room: hash_of_room})
def draw_map(
    room: Room,
    layer: Layer,
    image_id: int,
    pair_id: int | None,
    frame: Frame,
    size: int,
    drawing: Drawing,
) -> NDArray[np.float32]:
    """Return a map (size, size) as it lies in a frame; 0 outside of the chip."""
    relevance = read_relevance(room, layer, image_id, pair_id)
    poses = poses_of(room, layer.model, image_id)
    to_chip = poses.grid_to_chip(frame, size, layer.input_size)
    return draw_maps(relevance[None], layer.cells, to_chip, size, drawing)[0]


def on_grid(relevance: NDArray[np.floating], layer: Layer) -> NDArray[np.float64]:
    """Return a map on the grid (512, 512) over the chip, on which pixels are counted."""
    rows, columns = (
        geometry.resample(cells, layer.stride, layer.offset, layer.input_size, GRID).matrix
        for cells in relevance.shape
    )
    return rows @ relevance.astype(np.float64) @ columns.T


def top_pixels(gridded: NDArray[np.float64], percent: float) -> NDArray[np.bool_]:
    """Return where the most relevant percent of pixels lie, ties broken by pixel order."""
    return cut_masks(order_pixels(gridded[None]), percent)[0]


def count_regions(activated: NDArray[np.bool_], labels: NDArray[np.uint8]) -> pl.DataFrame:
    """Count activated pixels by region.

    Parameters
    ----------
    activated : (512, 512)
    labels : (512, 512) uint8
        The chip's, as `read_face` gives them.

    Returns
    -------
    polars.DataFrame
        region, pixels, absolute_percent (of the grid), relative_percent (of what is activated)
        and area_percent (of the grid that the region covers): a row for each region that is
        there, and for what the parser left unlabelled.
    """
    classes = np.minimum(labels, len(REGION_NAMES)).ravel()
    pixels = np.bincount(classes[activated.ravel()], minlength=len(REGION_NAMES) + 1)
    area = np.bincount(classes, minlength=len(REGION_NAMES) + 1)
    counted = pl.DataFrame(
        {"region": [*REGION_NAMES, UNLABELLED_NAME], "pixels": pixels, "area": area}
    )
    share = pl.col("pixels") / activated.sum() if activated.any() else pl.lit(None, pl.Float64)
    return counted.filter(pl.col("area") > 0).select(
        "region",
        "pixels",
        absolute_percent=100 * pl.col("pixels") / activated.size,
        relative_percent=100 * share,
        area_percent=100 * pl.col("area") / activated.size,
    )


def in_frame(
    activated: NDArray[np.bool_], poses: Poses, frame: Frame, input_size: int, size: int
) -> NDArray[np.bool_]:
    """Carry pixels (512, 512) of the grid over the chip into a picture (size, size) of a frame."""
    to_chip = poses.grid_to_chip(frame, size, input_size)[0]
    to_grid = geometry.compose(geometry.scaling(input_size, GRID), to_chip)
    return nearest(activated, to_grid, size, False)


def nearest(pixels: NDArray[Any], affine: Affine, size: int, outside: Any) -> NDArray[Any]:
    """Return a picture (size, size) that takes the nearest pixel of another one.

    Parameters
    ----------
    pixels : (height, width)
    affine : (2, 3)
        From the picture's pixels to those of `pixels`.
    outside : Any
        What stands where there is no pixel.
    """
    side = np.arange(size, dtype=np.float64)
    # A hair is taken off, as in ingest's counting: a frame equal to itself gives the same pixels.
    x, y = (
        np.floor(along * side + (down * side)[:, None] + (shift + 0.5 - 1e-9)).astype(int)
        for along, down, shift in affine
    )
    inside = (x >= 0) & (x < pixels.shape[1]) & (y >= 0) & (y < pixels.shape[0])
    taken = np.full((size, size), outside, pixels.dtype)
    taken[inside] = pixels[y[inside], x[inside]]
    return taken


def outlines(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where a region ends: pixels whose right or lower neighbour is another region's."""
    border = np.zeros(labels.shape, bool)
    border[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    border[:-1] |= labels[:-1] != labels[1:]
    return border


def _to_crop(poses: Poses, frame: Frame, input_size: int, size: int) -> Affine:
    frame_size = input_size if frame == "chip" else GRID
    to_crop = geometry.invert(poses.crop_to(frame))[0]
    return geometry.compose(to_crop, geometry.scaling(size, frame_size))


def _warp(crop: NDArray[np.uint8], to_crop: Affine, size: int) -> NDArray[np.uint8]:
    # Pillow's pixels have their centres at halves.
    linear = to_crop[:, :2]
    shift = to_crop[:, 2] + 0.5 - linear @ [0.5, 0.5]
    coefficients = (*linear[0], shift[0], *linear[1], shift[1])
    picture = Image.fromarray(crop).transform(
        (size, size), Image.Transform.AFFINE, coefficients, Image.Resampling.BILINEAR
    )
    return np.asarray(picture)


@st.cache_data(show_spinner=False, max_entries=_CHUNKS, hash_funcs={Room: hash_of_room})
def _read(room: Room, store: str, name: str, place: int) -> NDArray[Any]:
    path = room.lake.maps_path if store == "maps" else room.lake.faces_path
    return np.asarray(arrays.open_array(path, name)[place])
