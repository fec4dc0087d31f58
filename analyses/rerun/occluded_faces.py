"""Occluded faces, embedded by a model: the work of an occlusion experiment, in tasks.

A task is some whole identities, the model that judges their likeness and the model whose maps
guide. It reads what it needs itself, so that memory holds the tasks under way, not the lake.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.cohort import draw_identities
from analyses.question import LackingError
from analyses.rerun.chips import Source, chip_source, read_chips
from analyses.rerun.embedding_cache import digest_of, recall
from analyses.rerun.experiment import Experiment
from analyses.rerun.fills import FILLS, hide
from analyses.rerun.lake_models import (
    BATCH,
    RunnableModels,
    RunningModel,
    embedded_images,
    kind_of,
    run_model,
    runnable_models,
    stored_embeddings,
)
from analyses.rerun.masks import (
    Order,
    draw_sources,
    mirror,
    order_pixels,
    random_order,
)
from analyses.rerun.verification import Judge, make_judge
from ingest.faces.block_images import ChipKind, Chips
from ingest.run.recorded import RecordedModel
from leamstore import geometry
from leamstore.lake import Lake
from leamstore.layers import CellGrid, Layer
from leamstore.poses import carry
from leamstore.verification import units

MOST_IMAGES: Final = 20_000
"""Images occluded, after which no further identity is drawn. The paper's set is smaller."""

_TASK_IMAGES: Final = BATCH
"""Images of a task, unless one identity has more: a full forward pass."""


@dataclass(frozen=True)
class Setting:
    """The data that the tasks of a judged model and a guide share.

    Attributes
    ----------
    judged : str
        The model that judges likeness.
    guide : Layer
        The model and layer whose maps order the pixels to hide.
    guide_kind : (alignment, size)
        Of the chips that the guide's maps are of.
    models : mapping of str to RecordedModel
        Data needed to run these two.
    mean_map : (y, x) float64
        The guide's, over all images.
    judge : Judge
    colour : (3,) float64
        The mean colour of the judged model's chips.
    source : {"photographs", "crops"}
        Source of the chips.
    seed : int
    """

    lake: Lake
    judged: str
    guide: Layer
    guide_kind: ChipKind
    models: Mapping[str, RecordedModel]
    mean_map: NDArray[np.float64]
    judge: Judge
    colour: NDArray[np.float64]
    source: Source
    seed: int


@dataclass(frozen=True)
class Task:
    """Some people's faces to be hidden.

    Attributes
    ----------
    setting : Setting
    images : polars.DataFrame
        Their rows of the table images: whole identities, in the order of their image_ids.
    sources : mapping of str to (image,) int64
        By mask, the image_id of the image whose map hides each.
    """

    setting: Setting
    images: pl.DataFrame
    sources: Mapping[str, NDArray[np.int64]]


def plan_tasks(
    lake: Lake, experiment: Experiment, seed: int, runnable: RunnableModels | None = None
) -> list[Task]:
    """Return the tasks of all judged models and their guides.

    Parameters
    ----------
    runnable : RunnableModels, optional
        The models that take part; by default all that can be run and have the layer.

    Raises
    ------
    LackingError
        If there are no embeddings, no maps of the layer or one identity only, or the chips
        can't be had.
    """
    models = (runnable or runnable_models(lake).with_layer(lake, experiment.layer)).models
    return [task for judged in models for task in _tasks_of(lake, judged, experiment, models, seed)]


def _tasks_of(
    lake: Lake,
    judged: str,
    experiment: Experiment,
    models: Mapping[str, RecordedModel],
    seed: int,
) -> Iterator[Task]:
    names = experiment.guides_of(judged, list(models))
    if not names:
        return
    with lake.kept_open():
        guides = [
            layer
            for name in names
            for layer in lake.layers(name)
            if layer.position == experiment.layer
        ]
        images = embedded_images(lake, {judged, *names})
    if images["identity"].n_unique() < 2:
        raise LackingError(
            f"{lake.path} holds fewer than two identities of {judged} and what guides it: "
            "occlusion needs strangers."
        )
    images = draw_identities(images, MOST_IMAGES, seed)
    image_ids, identities = images["image_id"], images["identity"].to_numpy()
    source = chip_source(lake, images)
    colour = _mean_colour(lake, images, kind_of(lake, judged), source)
    judge = make_judge(stored_embeddings(lake, judged, image_ids), identities, seed)
    sources = draw_sources(identities, images["landmarks"].to_numpy(), seed)
    for guide in guides:
        kind, mean_map = kind_of(lake, guide.model), guide.mean_map(image_ids)
        two = {name: models[name] for name in (judged, guide.model)}
        setting = Setting(lake, judged, guide, kind, two, mean_map, judge, colour, source, seed)
        for places in split_identities(images["identity"].to_list()):
            own = {mask: image_ids.to_numpy()[drawn[places]] for mask, drawn in sources.items()}
            yield Task(setting, images[places], own)


def split_identities(identities: Sequence[str]) -> list[list[int]]:
    """Split images, by place, into whole identities of a task's images each, where they fit."""
    places: dict[str, list[int]] = {}
    for place, identity in enumerate(identities):
        places.setdefault(identity, []).append(place)
    parts: list[list[int]] = []
    for own in places.values():
        if parts and len(parts[-1]) + len(own) <= _TASK_IMAGES:
            parts[-1] += own
        else:
            parts.append(list(own))
    return [sorted(part) for part in parts]


def _mean_colour(
    lake: Lake, images: pl.DataFrame, kind: ChipKind, source: Source
) -> NDArray[np.float64]:
    """Return the mean colour (3,) of all chips."""

    def measure() -> NDArray[np.float64]:
        total = np.zeros(3)
        for block in read_chips(lake, images, {kind}, source):
            total += block.chips[kind].pixels.mean((1, 2)).sum(0)
        return total / images.height

    chips = f"{lake.path} {kind} {source} {' '.join(images['sha256'])}"
    return recall(digest_of(chips.encode(), images["landmarks"].to_numpy()), measure)


@dataclass(frozen=True)
class Faces:
    """A task's faces before the judged model, not occluded yet.

    Attributes
    ----------
    task : Task
    model : RunningModel
        The judged one.
    chips : mapping of ChipKind to Chips
        Of the judged and of the guiding model.
    pixels : (image, y, x, 3) float32
        The judged model's chips.
    fillings : mapping of str to (image, y, x, 3) float32
        Values of hidden pixels, by fill.
    embeddings, gallery : (image, n) float64
        Embeddings of the chips as they are, and those that the lake holds.
    positives : (image, image) bool
        Mask of an anchor's positives.
    """

    task: Task
    model: RunningModel
    chips: Mapping[ChipKind, Chips]
    pixels: NDArray[np.float32]
    fillings: Mapping[str, NDArray[np.float32]]
    embeddings: NDArray[np.float64]
    gallery: NDArray[np.float64]
    positives: NDArray[np.bool_]

    @cached_property
    def digest(self) -> bytes:
        """Digest of all that an embedding depends on, except the hidden pixels.

        Networks that embed the same faces alike to the bit are one network.
        """
        pixels, colour = self.chips[self.model.kind].pixels, self.task.setting.colour
        return digest_of(self.model.name.encode(), pixels, self.embeddings, colour)

    def embed_hidden(self, masks: NDArray[np.bool_], fill: str) -> NDArray[np.float64]:
        """Return the embeddings (image, n) of the chips with a fill where masks are set."""
        key = digest_of(self.digest, fill.encode(), np.packbits(masks))
        hidden = recall(
            key, lambda: self.model.embed(hide(self.pixels, masks, self.fillings[fill]))
        )
        return hidden.astype(np.float64)


def open_faces(task: Task, fills: Sequence[str]) -> Faces:
    """Read a task's faces, load the model that judges them and embed them as they are.

    Raises
    ------
    LackingError
        If the network or its weights can't be had any more.
    """
    setting, images = task.setting, task.images
    with setting.lake.kept_open():
        model = run_model(setting.lake, setting.models[setting.judged])
        gallery = stored_embeddings(setting.lake, model.name, images["image_id"])
    kinds = {model.kind, setting.guide_kind}
    blocks = list(read_chips(setting.lake, images, kinds, setting.source))
    chips = {
        kind: Chips(
            np.concatenate([block.chips[kind].pixels for block in blocks]),
            np.concatenate([block.chips[kind].to_crop for block in blocks]),
        )
        for kind in kinds
    }
    pixels = chips[model.kind].pixels.astype(np.float32)
    embeddings = model.embed(pixels).astype(np.float64)
    # A task has whole identities, so all positives are in it.
    identities = images["identity"].to_numpy()
    positives = (identities[:, None] == identities) & ~np.eye(len(identities), dtype=bool)
    fillings = {fill: FILLS[fill](pixels, setting.colour) for fill in fills}
    return Faces(task, model, chips, pixels, fillings, embeddings, gallery, positives)


def order_masks(faces: Faces, masks: Sequence[str], random_draws: int) -> dict[str, list[Order]]:
    """Return each mask's orders of the judged chips' pixels; several for random masks."""
    setting = faces.task.setting
    size, images = faces.model.kind[1], len(faces.pixels)
    makers: dict[str, Callable[[], list[Order]]] = {
        "mean map": lambda: [
            _order_by_map(faces, np.repeat(setting.mean_map[None], images, 0), setting.guide.grid)
        ],
        "mirrored": lambda: [mirror(_order_by_source(faces, "own"))],
        "gradient x input": lambda: [_order_by_gradient(faces)],
        "random": lambda: [
            random_order(faces.task.images["image_id"], size, setting.seed, draw)
            for draw in range(random_draws)
        ],
    }
    return {
        mask: makers[mask]() if mask in makers else [_order_by_source(faces, mask)]
        for mask in masks
    }


def _order_by_source(faces: Faces, mask: str) -> Order:
    guide = faces.task.setting.guide
    return _order_by_map(faces, guide.read(faces.task.sources[mask]), guide.grid)


def _order_by_map(faces: Faces, maps: NDArray[Any], grid: CellGrid) -> Order:
    """Return the order of the judged chips' pixels from maps over the guide's chips."""
    to_guide, size = _judged_to_guide(faces), faces.model.kind[1]
    return order_pixels(carry(maps, grid, to_guide, size, beyond="nearest", dtype=np.float64))


def _judged_to_guide(faces: Faces) -> geometry.Affine:
    """Return the affines from pixels of the judged chips to those of the guide's."""
    guides, judged = faces.task.setting.guide_kind, faces.model.kind
    if guides == judged:
        return np.eye(2, 3)
    guide_to_crop, judged_to_crop = (faces.chips[kind].to_crop for kind in (guides, judged))
    return geometry.compose(geometry.invert(guide_to_crop), judged_to_crop)


def _order_by_gradient(faces: Faces) -> Order:
    setting = faces.task.setting
    is_own = setting.guide.model == faces.model.name
    guide = faces.model if is_own else run_model(setting.lake, setting.models[setting.guide.model])
    gallery = faces.gallery
    if not is_own:
        gallery = stored_embeddings(setting.lake, guide.name, faces.task.images["image_id"])
    towards = faces.positives @ units(gallery) / faces.positives.sum(1, keepdims=True)
    chips = faces.chips[guide.kind].pixels.astype(np.float32)
    maps = guide.gradient_times_input(chips, towards.astype(np.float32))
    return _order_by_map(faces, maps, CellGrid.of_chip(guide.kind[1]))
