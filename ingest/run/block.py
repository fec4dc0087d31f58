"""The work that a block lacks: photographs read, faces parsed, identities explained."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from ingest.faces.block_images import LoadedBlock, load_blocks
from ingest.faces.parsers import Parser
from ingest.leam.identity import Identity, RunModel, explain_identity
from ingest.leam.maps import embed
from ingest.run.unit import FacesUnit, ModelUnit, Unit
from ingest.stopwatch import Stopwatch
from leamstore import arrays
from leamstore.arrays.blocks import Block
from leamstore.errors import LeamError
from leamstore.lake import LakeSettings, face_arrays
from leamstore.storage import Location
from leamstore.tables import ledger

References = Mapping[str, Tensor]
"""By model: its target's references for the images of a block, (image, c)."""

Seen = Callable[[str, int], object]
"""Callback with a model's name and the number of further images that it has been run on."""


@dataclass(frozen=True)
class Todo:
    """A block, its rows of the table images, and the units to compute: faces and models."""

    block: Block
    images: pl.DataFrame
    names: tuple[str, ...]


@dataclass(frozen=True)
class OpenRun:
    """The opened models, parser and settings that work on blocks needs.

    Attributes
    ----------
    maps, faces : Location
        The lake's stores.
    settings : LakeSettings
    parser : Parser
    models : mapping of str to RunModel
        By their names in the lake.
    readers : int
        Threads that read photographs.
    """

    maps: Location
    faces: Location
    settings: LakeSettings
    parser: Parser
    models: Mapping[str, RunModel]
    readers: int

    def load(self, todo: Iterable[Todo]) -> Iterator[LoadedBlock]:
        """Read the photographs of blocks, one block ahead, and cut the models' chips."""
        kinds = [(model.alignment, model.input_size) for model in self.models.values()]
        blocks = ((one.block, one.images) for one in todo)
        return load_blocks(blocks, kinds, self.readers, self._read_crop)

    def _read_crop(self, image_id: int) -> NDArray[np.uint8] | None:
        """Return the crop of an image, if the lake keeps crops and has written that one."""
        if not self.settings.crops:
            return None
        crop = np.asarray(arrays.open_array(self.faces, "crop")[image_id])
        return crop if crop.any() else None


def units_of(
    open_run: OpenRun, todo: Todo, loaded: LoadedBlock, references: References, seen: Seen
) -> Iterator[Unit]:
    """Compute the missing units of a block, and yield each as soon as it is computed."""
    if ledger.FACES in todo.names:
        _require_all(todo, loaded)
        stopwatch = Stopwatch()
        with stopwatch.measured("parse"):
            labels = open_run.parser.parse(loaded.crops, loaded.landmarks)
        rows_of = {f"labels/{open_run.settings.parser}": labels, "crop": loaded.crops}
        faces = {name: rows_of[name] for name in face_arrays(open_run.settings)}
        yield FacesUnit(open_run.faces, todo.block, todo.images, faces, stopwatch.seconds)
    else:
        labels = _stored_labels(open_run, loaded)
    for name in todo.names:
        if name == ledger.FACES:
            continue
        model = open_run.models[name]
        results = []
        for identity in _identities(model, loaded, labels, references.get(name)):
            result = explain_identity(model, identity)
            if len(result.images):
                results.append((identity.at(result.images), result))
            seen(name, len(identity.image_ids))
        yield ModelUnit(open_run.maps, todo.block, todo.images, model, results)


def _require_all(todo: Todo, loaded: LoadedBlock) -> None:
    """Refuse to go on where every photograph of a block is needed and one is gone."""
    missing = todo.images.filter(~pl.col("image_id").is_in(loaded.images["image_id"].implode()))
    if missing.height:
        raise LeamError(
            f"{missing['path'][0]} is no longer there, and the lake holds no crop of it: run "
            "ingest again, with --prune if it should leave the lake."
        )


def embeddings_of(open_run: OpenRun, todo: Todo, loaded: LoadedBlock) -> dict[str, Tensor]:
    """Return each model's embeddings of a block's images (image, n).

    Raises
    ------
    LeamError
        If a photograph is gone: what compares with all images needs them all.
    """
    _require_all(todo, loaded)
    return {name: _embed(model, loaded) for name, model in open_run.models.items()}


def _embed(model: RunModel, loaded: LoadedBlock) -> Tensor:
    chips = loaded.chips[model.alignment, model.input_size].pixels
    batch = torch.from_numpy(chips).permute(0, 3, 1, 2).float()
    return embed(model.network, batch, model.batch_size, model.precision)


def _stored_labels(open_run: OpenRun, loaded: LoadedBlock) -> NDArray[np.uint8]:
    stored = arrays.open_array(open_run.faces, f"labels/{open_run.settings.parser}")
    shards = np.asarray(stored[loaded.block.start : loaded.block.stop])
    return shards[loaded.images["image_id"].to_numpy() - loaded.block.start]


def _identities(
    model: RunModel, loaded: LoadedBlock, labels: NDArray[np.uint8], references: Tensor | None
) -> Iterator[Identity]:
    """Yield a block's identities as a model wants them; lone images have no positive."""
    chips = loaded.chips[model.alignment, model.input_size]
    names = loaded.images["identity"].to_numpy()
    for name in loaded.images["identity"].unique(maintain_order=True):
        own = np.flatnonzero(names == name)
        if len(own) == 1:
            continue
        yield Identity(
            image_ids=loaded.images["image_id"].to_numpy()[own].astype(np.int64),
            names=loaded.images["sha256"].gather(own).to_list(),
            paths=loaded.images["path"].gather(own).to_list(),
            chips=chips.pixels[own],
            chip_to_crop=chips.to_crop[own],
            labels=labels[own],
            references=None if references is None else references[own],
        )
