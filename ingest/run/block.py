"""The work that a block lacks: photographs read, faces parsed, identities explained."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor

from ingest.faces.block_images import LoadedBlock, load_blocks
from ingest.faces.parsers import Parser
from ingest.leam.identity import (
    Identity,
    IdentityResult,
    RunModel,
    as_inputs,
    embed_batches,
    submit_identity,
)
from ingest.leam.threads import Threads
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


_PARSED_TOGETHER: Final = 8
"""Faces that a thread parses at a time."""


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


def submit_units(
    open_run: OpenRun,
    todo: Todo,
    loaded: LoadedBlock,
    references: References,
    threads: Threads,
    seen: Seen,
) -> Iterator[Callable[[], Unit]]:
    """Submit the missing units of a block, one by one; each function yielded waits for its unit."""
    if ledger.FACES in todo.names:
        _require_all(todo, loaded)
        faces = _parse(open_run, todo, loaded, threads)
        yield lambda: faces
        labels = faces.faces[f"labels/{open_run.settings.parser}"]
    else:
        labels = _stored_labels(open_run, loaded)
    for name in todo.names:
        if name != ledger.FACES:
            model = open_run.models[name]
            identities = list(_identities(model, loaded, labels, references.get(name)))
            results = [submit_identity(threads, model, identity) for identity in identities]
            yield partial(_model_unit, open_run, todo, model, identities, results, seen)


def _parse(open_run: OpenRun, todo: Todo, loaded: LoadedBlock, threads: Threads) -> FacesUnit:
    def parse(batch: slice) -> tuple[NDArray[np.uint8], Counter[str]]:
        stopwatch = Stopwatch()
        with stopwatch.measured("parse"):
            labels = open_run.parser.parse(loaded.crops[batch], loaded.landmarks[batch])
        return labels, stopwatch.seconds

    starts = range(0, len(loaded.crops), _PARSED_TOGETHER)
    batches = [slice(start, start + _PARSED_TOGETHER) for start in starts]
    parts, seconds = zip(*threads.explaining.map(parse, batches), strict=True)
    labels = np.concatenate(parts)
    rows_of = {f"labels/{open_run.settings.parser}": labels, "crop": loaded.crops}
    faces = {name: rows_of[name] for name in face_arrays(open_run.settings)}
    return FacesUnit(open_run.faces, todo.block, todo.images, faces, sum(seconds, Counter()))


def _model_unit(
    open_run: OpenRun,
    todo: Todo,
    model: RunModel,
    identities: Sequence[Identity],
    results: Sequence[Callable[[], IdentityResult]],
    seen: Seen,
) -> ModelUnit:
    """Wait for the results of a block's identities."""
    found = []
    for identity, wait in zip(identities, results, strict=True):
        result = wait()
        if len(result.images):
            found.append((identity.at(result.images), result))
        seen(model.name, len(identity.image_ids))
    return ModelUnit(open_run.maps, todo.block, todo.images, model, found)


def _require_all(todo: Todo, loaded: LoadedBlock) -> None:
    """Refuse to go on where every photograph of a block is needed and one is gone."""
    missing = todo.images.filter(~pl.col("image_id").is_in(loaded.images["image_id"].implode()))
    if missing.height:
        raise LeamError(
            f"{missing['path'][0]} is no longer there, and the lake holds no crop of it: run "
            "ingest again, with --prune if it should leave the lake."
        )


def embeddings_of(
    open_run: OpenRun, todo: Todo, loaded: LoadedBlock, threads: Threads
) -> dict[str, Tensor]:
    """Return each model's embeddings of a block's images (image, n).

    Raises
    ------
    LeamError
        If a photograph is gone: what compares with all images needs them all.
    """
    _require_all(todo, loaded)
    return {name: _embed(model, loaded, threads) for name, model in open_run.models.items()}


def _embed(model: RunModel, loaded: LoadedBlock, threads: Threads) -> Tensor:
    chips = loaded.chips[model.alignment, model.input_size].pixels
    return embed_batches(threads, model, as_inputs(chips))


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
