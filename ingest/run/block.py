"""All that is missing of one block: photographs read, faces parsed, identities explained."""

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
from leamstore.lake import LakeSettings, face_arrays
from leamstore.storage import Location
from leamstore.tables import ledger

References = Mapping[str, Tensor]
"""By model: what its target compares each image of a block with, (image, c)."""

Seen = Callable[[str, int], object]
"""Is told how many images more a model has been run on."""


@dataclass(frozen=True)
class Todo:
    """A block, its rows of the table images, and what is to be done on it: faces and models."""

    block: Block
    images: pl.DataFrame
    names: tuple[str, ...]


@dataclass(frozen=True)
class OpenRun:
    """What it takes to work on blocks, opened.

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
        """Read the photographs of blocks, one block ahead, and cut what the models see."""
        kinds = [(model.alignment, model.input_size) for model in self.models.values()]
        return load_blocks(((one.block, one.images) for one in todo), kinds, self.readers)


def units_of(
    open_run: OpenRun, todo: Todo, loaded: LoadedBlock, references: References, seen: Seen
) -> Iterator[Unit]:
    """Do what is missing of a block, and yield each unit as soon as it is computed."""
    if ledger.FACES in todo.names:
        stopwatch = Stopwatch()
        with stopwatch.measured("parse"):
            labels = open_run.parser.parse(loaded.crops, loaded.landmarks)
        rows_of = {f"labels/{open_run.settings.parser}": labels, "crop": loaded.crops}
        faces = {name: rows_of[name] for name in face_arrays(open_run.settings)}
        yield FacesUnit(open_run.faces, todo.block, todo.images, faces, stopwatch.seconds)
    else:
        labels = _stored_labels(open_run, todo)
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
        yield ModelUnit(open_run.maps, model, todo.block, todo.images, results)


def embeddings_of(open_run: OpenRun, loaded: LoadedBlock) -> dict[str, Tensor]:
    """Return each model's embeddings of a block's images (image, n)."""
    return {name: _embed(model, loaded) for name, model in open_run.models.items()}


def _embed(model: RunModel, loaded: LoadedBlock) -> Tensor:
    chips = loaded.chips[model.alignment, model.input_size].pixels
    batch = torch.from_numpy(chips).permute(0, 3, 1, 2).float()
    return embed(model.network, batch, model.batch_size, model.precision)


def _stored_labels(open_run: OpenRun, todo: Todo) -> NDArray[np.uint8]:
    stored = arrays.open_array(open_run.faces, f"labels/{open_run.settings.parser}")
    shards = np.asarray(stored[todo.block.start : todo.block.stop])
    return shards[todo.images["image_id"].to_numpy() - todo.block.start]


def _identities(
    model: RunModel, loaded: LoadedBlock, labels: NDArray[np.uint8], references: Tensor | None
) -> Iterator[Identity]:
    """Yield a block's identities one by one, as a model wants them."""
    chips = loaded.chips[model.alignment, model.input_size]
    names = loaded.images["identity"].to_numpy()
    for name in loaded.images["identity"].unique(maintain_order=True):
        own = np.flatnonzero(names == name)
        yield Identity(
            image_ids=loaded.images["image_id"].to_numpy()[own].astype(np.int64),
            names=loaded.images["sha256"].gather(own).to_list(),
            paths=loaded.images["path"].gather(own).to_list(),
            chips=chips.pixels[own],
            chip_to_crop=chips.to_crop[own],
            labels=labels[own],
            references=None if references is None else references[own],
        )
