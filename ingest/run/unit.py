"""A unit of work as the lake stores it: whole shards of arrays, and rows for the tables."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ingest.leam.identity import Identity, IdentityResult, RunModel
from leamstore import schema
from leamstore.arrays.blocks import Block
from leamstore.storage import Location
from leamstore.tables import ledger

Result = tuple[Identity, IdentityResult]
"""An identity, and the results for it."""

Shards = tuple[str, int, NDArray[Any]]
"""An array's name in its store, a first position, and its rows from there on: whole shards."""

_ACTIVATIONS: Final = (("full", None), ("top", schema.PAIR_TOP_PERCENT))

_EMPTY: Final = {"f": np.nan, "i": -1, "u": 0}
"""Fill value of positions without an image or kept pair, by kind of number."""


@dataclass(frozen=True)
class FinishedUnit:
    """A unit whose arrays are in the lake, with its rows and counts, which are not there yet.

    Attributes
    ----------
    name : str
        The model's, or ``faces``.
    images : polars.DataFrame
        The block's rows of the table images.
    rows : mapping of str to polars.DataFrame
        New rows by table.
    pairs, maps : int
        Done.
    seconds : Counter of str
        Seconds by stage.
    """

    name: str
    block: Block
    images: pl.DataFrame
    rows: Mapping[str, pl.DataFrame]
    pairs: int
    maps: int
    seconds: Counter[str]


@dataclass(frozen=True)
class Unit(ABC):
    """The results of one block, before they are written into the lake.

    Attributes
    ----------
    store : Location
        The Zarr store that its arrays belong to.
    images : polars.DataFrame
        The block's rows of the table images.
    """

    store: Location
    block: Block
    images: pl.DataFrame

    @abstractmethod
    def shards(self) -> Iterator[Shards]:
        """Yield its arrays."""

    @abstractmethod
    def finished(self) -> FinishedUnit:
        """Return the unit without its arrays, once they are written."""


@dataclass(frozen=True)
class FacesUnit(Unit):
    """A block's crops and labels.

    Attributes
    ----------
    faces : mapping of str to (image, 512, 512, ...) uint8
        Rows of the images by the array's name.
    """

    faces: Mapping[str, NDArray[np.uint8]]
    seconds: Counter[str]

    def shards(self) -> Iterator[Shards]:
        """Yield the arrays of the block; positions where no image belongs hold 0."""
        places = self.images["image_id"].to_numpy() - self.block.start
        for name, rows in self.faces.items():
            length = self.block.stop - self.block.start
            yield name, self.block.start, _shards(rows, places, length)

    def finished(self) -> FinishedUnit:
        """Return the unit without its arrays; it has no rows."""
        return FinishedUnit(ledger.FACES, self.block, self.images, {}, 0, 0, self.seconds)


@dataclass(frozen=True)
class ModelUnit(Unit):
    """A model's results for those identities of a block for which it has any."""

    model: RunModel
    results: Sequence[Result]

    def shards(self) -> Iterator[Shards]:
        """Yield the arrays of each layer.

        Positions where no image or kept pair belongs hold NaN, or -1 in anchor and positive; so
        do those of images that the model gives no direction.
        """
        model, block = self.model, self.block
        images = _joined((identity.image_ids for identity, _ in self.results), (0,), np.int64)
        pairs = [_kept_pairs(model, identity, result) for identity, result in self.results]
        pair_ids, anchors, positives = (
            _joined((columns[number] for columns in pairs), (0,), np.int64) for number in range(3)
        )
        for layer, cells in model.layers.items():
            of_layer = [result.layers[layer] for _, result in self.results]
            maps = (0, *cells.shape)
            by_image = {
                "relevance": _joined((one.relevance for one in of_layer), maps, np.float16),
                "peak": _joined((one.peak for one in of_layer), (0,), np.float32),
            }
            peaks = (r.layers[layer].pair_peak[r.kept_pairs] for _, r in self.results)
            by_pair = {
                "pair_relevance": _joined((one.kept for one in of_layer), maps, np.float16),
                "pair_peak": _joined(peaks, (0,), np.float32),
                "anchor": anchors.astype(np.int32),
                "positive": positives.astype(np.int32),
            }
            for name, rows in by_image.items():
                shards = _shards(rows, images - block.start, block.stop - block.start)
                yield f"{model.name}/{layer}/{name}", block.start, shards
            first = block.start * model.keep_pairs
            length = (block.stop - block.start) * model.keep_pairs
            for name, rows in by_pair.items() if length else ():
                shards = _shards(rows, pair_ids - first, length)
                yield f"{model.name}/{layer}/{name}", first, shards

    def finished(self) -> FinishedUnit:
        """Return the unit's rows, and what it took."""
        images = [len(identity.image_ids) for identity, _ in self.results]
        maps = [len(result.pairs) or len(result.embeddings) for _, result in self.results]
        seconds: Counter[str] = Counter()
        for _, result in self.results:
            seconds.update(result.seconds)
        return FinishedUnit(
            name=self.model.name,
            block=self.block,
            images=self.images,
            rows=_model_rows(self.model, self.results),
            pairs=sum(count * (count - 1) for count in images),
            maps=sum(maps) * len(self.model.layers),
            seconds=seconds,
        )


def _joined(
    parts: Iterable[NDArray[Any]], shape: tuple[int, ...], dtype: type[np.generic]
) -> NDArray[Any]:
    """Return the parts as one array; where there is none, an empty one of this shape."""
    return np.concatenate([np.empty(shape, dtype), *parts])


def _model_rows(model: RunModel, results: Sequence[Result]) -> dict[str, pl.DataFrame]:
    parts: dict[str, list[pl.DataFrame]] = {
        "embeddings": [_embeddings(identity, result) for identity, result in results],
        "pairs": [_pairs(model, identity, result) for identity, result in results],
        "image_regions": list(_image_regions(model, results)),
        "pair_regions": list(_pair_regions(model, results)),
    }
    return {
        table: pl.concat(frames).with_columns(model=pl.lit(model.name))
        for table, frames in parts.items()
        if frames
    }


def _kept_pairs(
    model: RunModel, identity: Identity, result: IdentityResult
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Return pair_id, anchor and positive of the kept pairs: an anchor's slots lie together."""
    kept = result.pairs[result.kept_pairs]
    anchors, positives = identity.image_ids[kept.T]
    slot = np.arange(len(kept)) - np.searchsorted(anchors, anchors)
    return anchors * model.keep_pairs + slot, anchors, positives


def _shards(rows: NDArray[Any], places: NDArray[np.int64], length: int) -> NDArray[Any]:
    shards = np.full((length, *rows.shape[1:]), _EMPTY[rows.dtype.kind], rows.dtype)
    shards[places] = rows
    return shards


def _embeddings(identity: Identity, result: IdentityResult) -> pl.DataFrame:
    return pl.DataFrame({
        "image_id": identity.image_ids.astype(np.int32),
        "vector": result.embeddings.tolist(),
        "chip_to_crop": identity.chip_to_crop.tolist(),
    })  # fmt: skip


def _pairs(model: RunModel, identity: Identity, result: IdentityResult) -> pl.DataFrame:
    units = result.embeddings / np.linalg.norm(result.embeddings, axis=1, keepdims=True)
    anchor, positive = np.nonzero(~np.eye(len(units), dtype=bool))
    ids = identity.image_ids
    frame = pl.DataFrame({
        "anchor": ids[anchor].astype(np.int32),
        "positive": ids[positive].astype(np.int32),
        "cosine": (units @ units.T)[anchor, positive].astype(np.float32),
    })  # fmt: skip
    pair_id, kept_anchor, kept_positive = _kept_pairs(model, identity, result)
    kept = pl.DataFrame(
        {"anchor": kept_anchor, "positive": kept_positive, "pair_id": pair_id},
        schema=dict.fromkeys(("anchor", "positive", "pair_id"), pl.Int32),
    )
    return frame.join(kept, on=["anchor", "positive"], how="left")


def _pair_regions(model: RunModel, results: Sequence[Result]) -> Iterator[pl.DataFrame]:
    for identity, result in results if model.by_pair else ():
        anchor, positive = identity.image_ids[result.pairs.T].astype(np.int32)
        for layer in model.layers:
            shown = result.layers[layer]
            for position, (activation, percent) in enumerate(_ACTIVATIONS):
                counts = shown.pair_counts[:, position]
                yield pl.DataFrame({
                    "layer": _repeated(layer, len(anchor), pl.String),
                    "anchor": anchor,
                    "positive": positive,
                    "activation": _repeated(activation, len(anchor), pl.String),
                    "percent": _repeated(percent, len(anchor), pl.Float64),
                    "peak": shown.pair_peak,
                    **_region_columns(counts, shown.pair_peak > 0, model.visible),
                })  # fmt: skip


def _image_regions(model: RunModel, results: Sequence[Result]) -> Iterator[pl.DataFrame]:
    percents = np.array(schema.TOP_PERCENTS)
    for identity, result in results:
        for layer in model.layers:
            shown = result.layers[layer]
            has_map = shown.relevance.any((1, 2)).repeat(len(percents))
            yield pl.DataFrame({
                "layer": _repeated(layer, len(has_map), pl.String),
                "image_id": identity.image_ids.astype(np.int32).repeat(len(percents)),
                "percent": np.tile(percents, len(identity.image_ids)),
                **_region_columns(
                    shown.image_counts.reshape(len(has_map), -1), has_map, model.visible
                ),
            })  # fmt: skip


def _region_columns(
    counts: NDArray[np.integer], has_map: NDArray[np.bool_], visible: Sequence[str]
) -> dict[str, pl.Series]:
    """Return a column for each region and ``pixels``; NULL for the unseen and for zero maps."""
    shown = pl.Series(has_map)
    columns = {
        name: pl.Series(count, dtype=pl.Int32) if name in visible else _nulls(len(counts))
        for name, count in zip(schema.REGION_NAMES, counts.T, strict=False)
    }
    columns["pixels"] = pl.Series(counts.sum(1), dtype=pl.Int32)
    nothing = _nulls(len(counts))
    return {name: column.zip_with(shown, nothing) for name, column in columns.items()}


def _nulls(length: int) -> pl.Series:
    return _repeated(None, length, pl.Int32)


def _repeated(value: str | float | None, length: int, dtype: type[pl.DataType]) -> pl.Series:
    # pl.repeat starts a query each time, which takes longer than all else here.
    return pl.Series([value], dtype=dtype).new_from_index(0, length)
