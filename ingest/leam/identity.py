"""The work of one model on one identity: LEAM maps, and region counts of them."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ingest.leam.maps import BackwardPass, Precision, backward_passes, embed
from ingest.leam.region_counts import CLASSES, ClassGrid, classes_on_chip, count_regions
from ingest.leam.targets import Target, has_direction, mean_of_positives
from ingest.leam.threads import Threads
from ingest.networks.cell_layout import CellLayout
from ingest.stopwatch import Stopwatch
from leamstore import schema
from leamstore.errors import LeamError, some
from leamstore.geometry import Affine
from leamstore.layers import CellGrid


@dataclass(frozen=True)
class RunModel:
    """A model as it is run.

    Attributes
    ----------
    name : str
        Name in the table models.
    layers : mapping of str to CellGrid
        Positions of the cells of each layer, by its name.
    layouts : mapping of str to CellLayout
        How the layers' outputs hold their cells, by name.
    by_pair : bool
        Whether maps are made for each ordered pair; else one an image, towards the mean of its
        positives (which controls that ignore the positives leave out of account).
    keep_pairs, seed : int
        Pair maps kept for each anchor, and the seed of their draw.
    visible : tuple of str
        The regions that the parser can see.
    """

    name: str
    network: nn.Module
    layers: Mapping[str, CellGrid]
    layouts: Mapping[str, CellLayout]
    alignment: str
    input_size: int
    target: Target
    by_pair: bool
    precision: Precision
    batch_size: int
    keep_pairs: int
    seed: int
    visible: tuple[str, ...]


@dataclass(frozen=True)
class Identity:
    """One identity's images, prepared for a model.

    Attributes
    ----------
    image_ids : (image,) int
        Positions on the axis.
    names : sequence of str
        Keys of the images in the draw of kept pairs: their sha256.
    paths : sequence of str
        Names of the images in messages.
    chips : (image, h, w, 3) uint8
        RGB.
    chip_to_crop : (image, 2, 3) float64
        From pixels of the chip to pixels of the crop.
    labels : (image, 512, 512) uint8
        Labels of the crops.
    references : Tensor, optional
        (image, c) what the target compares these images with.
    """

    image_ids: NDArray[np.int64]
    names: Sequence[str]
    paths: Sequence[str]
    chips: NDArray[np.uint8]
    chip_to_crop: Affine
    labels: NDArray[np.uint8]
    references: Tensor | None

    @cached_property
    def inputs(self) -> Tensor:
        """The chips as networks take them; large, and so made once for all parts."""
        return as_inputs(self.chips)

    def at(self, images: NDArray[np.int64]) -> "Identity":
        """Return the identity with the images at these positions only."""
        return Identity(
            image_ids=self.image_ids[images],
            names=[self.names[image] for image in images],
            paths=[self.paths[image] for image in images],
            chips=self.chips[images],
            chip_to_crop=self.chip_to_crop[images],
            labels=self.labels[images],
            references=None if self.references is None else self.references[images],
        )


@dataclass(frozen=True)
class LayerResult:
    """The maps and counts of one layer for one identity.

    Attributes
    ----------
    relevance, peak : (image, y, x) float16 and (image,) float32
        Means over the positives.
    pair_counts : (pair, activation, class) int32
        Pixels by class, of the full and of the top activation.
    pair_peak : (pair,) float32
    image_counts : (image, percent, class) int64
    kept : (kept pair, y, x) float16
        Maps of the kept pairs.
    """

    relevance: NDArray[np.float16]
    peak: NDArray[np.float32]
    pair_counts: NDArray[np.int32]
    pair_peak: NDArray[np.float32]
    image_counts: NDArray[np.int64]
    kept: NDArray[np.float16]


@dataclass(frozen=True)
class IdentityResult:
    """The results of a model for one identity.

    Attributes
    ----------
    images : (image,) int64
        Positions of the identity's images that take part, which all else here is about: those
        whose embedding has a direction, if there are at least two.
    embeddings : (image, n) float32
    pairs : (pair, 2) int64
        Ordered pairs as positions among these images; empty where maps are by image.
    kept_pairs : (kept pair,) int64
        Positions in `pairs` of those whose maps are kept.
    layers : dict of LayerResult
    seconds : Counter of str
        Seconds by stage: leam and regions.
    """

    images: NDArray[np.int64]
    embeddings: NDArray[np.float32]
    pairs: NDArray[np.int64]
    kept_pairs: NDArray[np.int64]
    layers: dict[str, LayerResult]
    seconds: Counter[str]


def submit_identity(
    threads: Threads, model: RunModel, identity: Identity
) -> Callable[[], IdentityResult]:
    """Submit the maps and counts of one identity; the returned function waits for the result.

    Identities with more images than a forward pass takes are submitted in parts, by anchors, so
    that several threads share them. The result doesn't depend on the number of threads.

    Counts are those of the maps as they are stored, in float16, so that a recount from the lake
    gives the same numbers.

    Raises
    ------
    LeamError
        By the returned function, if a map holds NaN or infinite numbers.
    """
    images = np.arange(len(identity.chips))
    if len(images) <= model.batch_size:
        return threads.explaining.submit(
            _explain, model, identity, images, None, threads.counting
        ).result
    embeddings = embed_batches(threads, model, identity.inputs)
    images = np.flatnonzero(has_direction(embeddings).cpu().numpy())
    if len(images) < 2:
        return lambda: _NO_RESULT
    if len(images) < len(identity.chips):
        identity, embeddings = identity.at(images), embeddings[torch.from_numpy(images)]
    anchors = np.arange(len(images))
    parts = threads.explaining.map(
        lambda own: _explain(model, identity, own, embeddings, threads.counting),
        [anchors[first : first + model.batch_size] for first in anchors[:: model.batch_size]],
    )
    return lambda: replace(_joined(list(parts)), images=images)


def as_inputs(chips: NDArray[np.uint8]) -> Tensor:
    """Return chips (image, h, w, 3) as networks take them: (image, 3, h, w) float32."""
    return torch.from_numpy(chips).permute(0, 3, 1, 2).float()


def embed_batches(threads: Threads, model: RunModel, chips: Tensor) -> Tensor:
    """Return the embeddings (image, n) of chips (image, 3, h, w), batch by batch."""
    batches = chips.split(model.batch_size)
    made = threads.explaining.map(
        lambda batch: embed(model.network, batch, len(batch), model.precision), batches
    )
    return torch.cat(list(made))


def _explain(
    model: RunModel,
    identity: Identity,
    anchors: NDArray[np.int64],
    embeddings: Tensor | None,
    counting: Executor | None,
) -> IdentityResult:
    """Explain the pairs of some anchors, ascending positions; of all, without embeddings."""
    pairs = _pairs(anchors, len(identity.chips), model.by_pair)
    kept = draw_kept_pairs(pairs, identity.names, model.keep_pairs, model.seed)
    grid = _classes_on_chips(identity.at(anchors), model)
    places = torch.from_numpy(np.searchsorted(anchors, pairs[:, 0]))
    gathering = {
        name: _Gathering(cells, places, kept, len(anchors)) for name, cells in model.layers.items()
    }
    stopwatch = Stopwatch()
    for part in stopwatch.waited("leam", _backward_passes(model, identity, pairs, embeddings)):
        made = part.embeddings
        directed = np.flatnonzero(has_direction(made).cpu().numpy())
        if embeddings is None and len(directed) < len(made):
            return _explain_some(model, identity, directed, counting)
        _require_finite(model, identity, pairs[part.pairs, 0], part.peaks)
        with stopwatch.measured("leam"):  # waits for a GPU, which is still computing
            stored = {name: maps.half().cpu() for name, maps in part.maps.items()}
            for name, layer in gathering.items():
                layer.take(part.pairs, part.maps[name], stored[name], part.peaks[name])
        with stopwatch.measured("regions"):
            for name, layer in gathering.items() if model.by_pair else ():
                layer.count(part.pairs, stored[name], grid, counting)
    with stopwatch.measured("regions"):
        layers = {name: layer.result(grid, counting) for name, layer in gathering.items()}
    return IdentityResult(
        images=anchors,
        embeddings=made[torch.from_numpy(anchors)].float().cpu().numpy(),
        pairs=pairs if model.by_pair else pairs[:0],
        kept_pairs=kept,
        layers=layers,
        seconds=stopwatch.seconds,
    )


def _explain_some(
    model: RunModel,
    identity: Identity,
    images: NDArray[np.int64],
    counting: Executor | None,
) -> IdentityResult:
    """Explain an identity by some of its images; by none if there are no two to make a pair."""
    if len(images) < 2:
        return _NO_RESULT
    result = _explain(model, identity.at(images), np.arange(len(images)), None, counting)
    return replace(result, images=images[result.images])


def _joined(parts: Sequence[IdentityResult]) -> IdentityResult:
    """Return the results of an identity's anchors as one."""
    lengths = [len(part.pairs) for part in parts]
    before = np.cumsum([0, *lengths[:-1]])
    seconds: Counter[str] = Counter()
    for part in parts:
        seconds.update(part.seconds)
    return IdentityResult(
        images=np.concatenate([part.images for part in parts]),
        embeddings=np.concatenate([part.embeddings for part in parts]),
        pairs=np.concatenate([part.pairs for part in parts]),
        kept_pairs=np.concatenate(
            [part.kept_pairs + first for part, first in zip(parts, before, strict=True)]
        ),
        layers={
            name: LayerResult(
                **{
                    field.name: np.concatenate(
                        [getattr(part.layers[name], field.name) for part in parts]
                    )
                    for field in fields(LayerResult)
                }
            )
            for name in parts[0].layers
        },
        seconds=seconds,
    )


_NO_RESULT: Final = IdentityResult(
    images=np.empty(0, np.int64),
    embeddings=np.empty((0, 0), np.float32),
    pairs=np.empty((0, 2), np.int64),
    kept_pairs=np.empty(0, np.int64),
    layers={},
    seconds=Counter(),
)
"""The result where no two images make a pair."""


def _require_finite(
    model: RunModel, identity: Identity, anchors: NDArray[np.int64], peaks: Mapping[str, Tensor]
) -> None:
    """Raise `LeamError` if a map's maximum, and so a cell of it, is NaN or infinite."""
    wrong = ~torch.stack(list(peaks.values())).isfinite().cpu().numpy()
    if wrong.any():
        layers = [name for name, of_layer in zip(peaks, wrong, strict=True) if of_layer.any()]
        paths = [identity.paths[image] for image in np.unique(anchors[wrong.any(0)])]
        raise LeamError(
            f"{model.name} makes maps with NaN or infinite numbers, of layer {some(layers)} and "
            f"image {some(paths)}: they are neither counted nor stored. A square root, a division "
            "or a norm at 0 has no finite gradient: let the network's forward keep away from 0 "
            "(x.clamp(min=1e-12)), or leave the layer or the model out."
        )


def draw_kept_pairs(
    pairs: NDArray[np.int64], names: Sequence[str], keep: int, seed: int
) -> NDArray[np.int64]:
    """Draw `keep` positives for each anchor whose pair maps the lake keeps.

    The draw is a lottery by hash of the two images' names: the same for every model, whatever
    else is in the lake.

    Returns
    -------
    (kept pair,) int64
        Positions in `pairs`, by anchor and in the order of the pairs.
    """
    tickets = [
        hashlib.sha256(repr((seed, names[anchor], names[positive])).encode()).digest()
        for anchor, positive in pairs.tolist()
    ]
    chosen: list[int] = []
    for anchor in np.unique(pairs[:, 0]):
        own = np.flatnonzero((pairs[:, 0] == anchor) & (pairs[:, 1] != anchor)).tolist()
        chosen += sorted(sorted(own, key=tickets.__getitem__)[:keep])
    return np.array(chosen, dtype=np.int64)


class _Gathering:
    """One layer's maps of some anchors, gathered pass by pass; memory grows by kept maps only.

    `anchors` are the places (pair,) of each pair's anchor among the `count` of them.
    """

    def __init__(
        self, cells: CellGrid, anchors: Tensor, kept: NDArray[np.int64], count: int
    ) -> None:
        pairs = len(anchors)
        self.cells = cells
        self.anchors = anchors
        self.relevance = torch.zeros(count, *cells.shape)
        self.pair_peak = torch.zeros(pairs)
        self.pair_counts = np.zeros((pairs, 2, CLASSES), np.int32)
        self.kept = torch.zeros(len(kept), *cells.shape, dtype=torch.float16)
        self.place_of_kept = torch.full((pairs,), -1)
        self.place_of_kept[kept] = torch.arange(len(kept))

    def take(self, pairs: Tensor, maps: Tensor, stored: Tensor, peaks: Tensor) -> None:
        """Add the maps (n, y, x) of some pairs (n,) to their anchors' sums; keep those to keep.

        The sums stay where the maps are; `stored` are the maps in float16, on the processor.
        """
        anchors = self.anchors[pairs].to(maps.device)
        self.relevance = self.relevance.to(maps.device).index_add_(0, anchors, maps)
        self.pair_peak[pairs] = peaks.cpu()
        places = self.place_of_kept[pairs]
        self.kept[places[places >= 0]] = stored[places >= 0]

    def count(
        self, pairs: Tensor, stored: Tensor, grid: ClassGrid, counting: Executor | None
    ) -> None:
        """Count the regions of some pairs' maps, as they are stored."""
        anchors = self.anchors[pairs].numpy()
        counts = count_regions(
            stored.numpy(), self.cells, grid, anchors, (schema.PAIR_TOP_PERCENT,), counting
        )
        self.pair_counts[pairs.numpy()] = np.stack([counts.full, counts.top[:, 0]], axis=1)

    def result(self, grid: ClassGrid, counting: Executor | None) -> LayerResult:
        """Return the means over each anchor's pairs, and their counts at all percents."""
        positives = torch.bincount(self.anchors, minlength=len(self.relevance))
        relevance = (self.relevance.cpu() / positives[:, None, None]).half().numpy()
        peak = torch.zeros(len(relevance)).index_add_(0, self.anchors, self.pair_peak) / positives
        images = np.arange(len(relevance))
        counts = count_regions(relevance, self.cells, grid, images, schema.TOP_PERCENTS, counting)
        return LayerResult(
            relevance=relevance,
            peak=peak.numpy(),
            pair_counts=self.pair_counts,
            pair_peak=self.pair_peak.numpy(),
            image_counts=counts.top,
            kept=self.kept.numpy(),
        )


def _pairs(anchors: NDArray[np.int64], images: int, by_pair: bool) -> NDArray[np.int64]:
    """Return the anchors' pairs with all other images, or with themselves if maps are by image."""
    if not by_pair:
        return np.repeat(anchors, 2).reshape(-1, 2)
    anchor, positive = (
        grid.ravel() for grid in np.meshgrid(anchors, np.arange(images), indexing="ij")
    )
    return np.stack([anchor, positive], axis=1)[anchor != positive]


def _backward_passes(
    model: RunModel, identity: Identity, pairs: NDArray[np.int64], embeddings: Tensor | None
) -> Iterator[BackwardPass]:
    by_mean = not model.by_pair and model.target.uses_counterpart
    return backward_passes(
        model.network,
        identity.inputs,
        torch.from_numpy(pairs),
        list(model.layers),
        model.target,
        layouts=model.layouts,
        references=identity.references,
        embeddings=embeddings,
        counterparts=_mean_of_positives if by_mean else lambda embeddings: embeddings,
        batch_size=model.batch_size,
        precision=model.precision,
    )


def _mean_of_positives(embeddings: Tensor) -> Tensor:
    return mean_of_positives(embeddings, ["one identity"] * len(embeddings))


def _classes_on_chips(identity: Identity, model: RunModel) -> ClassGrid:
    """Return the classes of all images on the grid over each chip."""
    return ClassGrid.of(np.stack([
        classes_on_chip(own, chip_to_crop, model.input_size)
        for own, chip_to_crop in zip(identity.labels, identity.chip_to_crop, strict=True)
    ]))  # fmt: skip
