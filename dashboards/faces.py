"""A face, its regions and its maps in one frame, by reading single chunks of the lake.

Regions are counted as ingest counts them: on the 512 x 512 grid over the model's chip (arXiv
2509.17457, section 3.2). Counting is exact, so that what the lake has counted comes out again.
"""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from analyses.overlays import Drawing, draw_maps
from dashboards import selections
from dashboards.context import HASHES, Context
from dashboards.page import nothing_here
from ingest.faces.chips import warp
from leamstore import arrays, geometry
from leamstore.layers import CellGrid, Layer
from leamstore.nearest import nearest
from leamstore.poses import Frame, Poses
from leamstore.schema import GRID, REGION_NAMES, UNLABELLED

FRAME_NAMES: Final[dict[Frame, str]] = {
    "chip": "the model's chip",
    "crop": "the face crop",
    "identity": "the person's pose",
    "canonical": "everybody's pose",
}

UNLABELLED_NAME: Final = "unlabelled"

_NO_CROP: Final = 200
_CHUNKS: Final = 400


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


@dataclass(frozen=True)
class FaceImage:
    """An image of a face: its image_id, its person, its file's name."""

    image_id: int
    identity: str
    name: str


def choose_person(context: Context, model: str, name: str = "person", label: str = "Person") -> str:
    """Show a selection of the people whose images a model was run on; end the page without any."""
    people = context.ask(
        "SELECT DISTINCT identity FROM images JOIN embeddings USING (image_id) "
        "WHERE model = ? AND status = 'kept' ORDER BY identity",
        model,
    )["identity"].to_list()
    if not people:
        nothing_here(
            f"{model} has been run on no image yet: an ingest is under way, or was interrupted "
            "and goes on by the same command."
        )
    return selections.one_of(name, label, people, default=selections.known("identity"), width=240)


def choose_image(
    context: Context, model: str, person: str, name: str = "image", label: str = "Image",
    unlike: int | None = None,
) -> FaceImage:  # fmt: skip
    """Show a selection of a person's images; by default the first but for the one `unlike`."""
    rows = context.ask(
        "SELECT image_id, path FROM images JOIN embeddings USING (image_id) "
        "WHERE model = ? AND identity = ? AND status = 'kept' ORDER BY path",
        model,
        person,
    )
    by_name = {PurePath(path).name: image_id for image_id, path in rows.iter_rows()}
    default = next((one for one, image_id in by_name.items() if image_id != unlike), None)
    chosen = selections.one_of(name, label, list(by_name), default=default, width=240)
    return FaceImage(by_name[chosen], person, chosen)


@st.cache_resource(show_spinner=False, max_entries=_CHUNKS, hash_funcs=HASHES)
def layers_of(context: Context, model: str) -> list[Layer]:
    """Return the layers of a model, from the input on."""
    return context.lake.layers(model)


def selected_layer(context: Context) -> Layer | None:
    """Return the layer that the sidebar has selected; None where the lake has no maps of it."""
    layers = layers_of(context, str(context.filters.model))
    return next((layer for layer in layers if layer.name == context.filters.layer), None)


def poses_of(context: Context, model: str, image_id: int) -> Poses:
    """Return the pose of one image."""
    return Poses.of(
        context.ask(
            "SELECT * FROM images JOIN embeddings USING (image_id) "
            "WHERE model = ? AND image_id = ?",
            model,
            image_id,
        )
    )


@st.cache_data(show_spinner=False, max_entries=_CHUNKS, hash_funcs=HASHES)
def read_relevance(
    context: Context, layer: Layer, image_id: int, pair_id: int | None = None
) -> NDArray[np.float32]:
    """Return the map (height, width) of an image, or of a kept pair of which it is the anchor."""
    return (layer.read([image_id]) if pair_id is None else layer.read_pairs([pair_id]))[0]


def read_face(context: Context, layer: Layer, image_id: int, frame: Frame, size: int) -> Face:
    """Return a face of `size` pixels in a frame; the chip is that of the layer's model."""
    return _read_face(context, layer.model, layer.grid.input_size, image_id, frame, size)


@st.cache_data(show_spinner=False, max_entries=_CHUNKS, hash_funcs=HASHES)
def _read_face(
    context: Context, model: str, input_size: int, image_id: int, frame: Frame, size: int
) -> Face:
    settings = context.lake.settings
    frame_to_crop = geometry.invert(poses_of(context, model, image_id).crop_to(frame))[0]
    scaling = geometry.scaling(size, input_size if frame == "chip" else GRID)
    to_crop = geometry.compose(frame_to_crop, scaling)
    labels = _read(context, f"labels/{settings.parser}", image_id)
    pixels = np.full((size, size, 3), _NO_CROP, np.uint8)
    if settings.crops:
        pixels = warp(_read(context, "crop", image_id), to_crop, size)
    return Face(pixels, nearest(labels, to_crop, size, UNLABELLED))


@st.cache_data(show_spinner=False, max_entries=_CHUNKS, hash_funcs=HASHES)
def draw_map(
    context: Context,
    layer: Layer,
    image_id: int,
    pair_id: int | None,
    frame: Frame,
    size: int,
    drawing: Drawing,
) -> NDArray[np.float32]:
    """Return a map (size, size) resampled to a frame; 0 outside of the chip."""
    relevance = read_relevance(context, layer, image_id, pair_id)
    poses = poses_of(context, layer.model, image_id)
    to_chip = poses.grid_to_chip(frame, size, layer.grid.input_size)
    return draw_maps(relevance[None], layer.grid, to_chip, size, drawing)[0]


def on_grid(relevance: NDArray[np.floating], layer: Layer) -> NDArray[np.floating]:
    """Return a map on the grid (512, 512) over the chip, on which pixels are counted."""
    return layer.grid.resample(relevance.astype(np.float64), GRID)


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
    activated: NDArray[np.bool_], poses: Poses, frame: Frame, grid: CellGrid, size: int
) -> NDArray[np.bool_]:
    """Resample pixels (512, 512) of the grid over the chip to a picture (size, size) of a frame."""
    to_chip = poses.grid_to_chip(frame, size, grid.input_size)[0]
    to_grid = geometry.compose(geometry.scaling(grid.input_size, GRID), to_chip)
    return nearest(activated, to_grid, size, False)


def outlines(labels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return the borders of regions: pixels whose right or lower neighbour is another region's."""
    border = np.zeros(labels.shape, bool)
    border[:, :-1] |= labels[:, :-1] != labels[:, 1:]
    border[:-1] |= labels[:-1] != labels[1:]
    return border


@st.cache_data(show_spinner=False, max_entries=_CHUNKS, hash_funcs=HASHES)
def _read(context: Context, name: str, place: int) -> NDArray[Any]:
    return np.asarray(arrays.open_array(context.lake.faces_path, name)[place])
