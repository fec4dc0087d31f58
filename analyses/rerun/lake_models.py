"""Models of a lake, run again: the original network, and the maps that guide a mask."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.cohort import embedded_models
from analyses.question import LEFT_OUT, LackingError
from analyses.rerun.chips import chip_source, read_chips
from ingest.faces.block_images import ChipKind
from ingest.run.recorded import RecordedModel, recorded_model
from leamstore.catalog import Catalog
from leamstore.errors import LeamError
from leamstore.lake import Lake

if TYPE_CHECKING:
    # Torch takes seconds to load, and answers are read without it.
    from torch import Tensor, nn

BATCH: Final = 32
"""Chips in a forward pass."""

_SAME_NETWORK: Final = 0.95
"""Mean cosine to the lake's own embeddings of the same chips above which the network is the same;
chips cut from crops are not the same to the bit."""

_TRIED: Final = 8
"""Images on which that is checked."""

_LOADING: Final = Lock()
"""Random weights are drawn from torch's one generator, which threads would share."""


@dataclass(frozen=True)
class RunningModel:
    """A model of a lake: its name, its network, the kind of its chips."""

    name: str
    network: "nn.Module"
    kind: ChipKind

    def embed(self, chips: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the embeddings (image, n) of chips (image, y, x, 3)."""
        from ingest.leam.maps import embed  # noqa: PLC0415

        return embed(self.network, _batch_of(chips), BATCH).float().cpu().numpy()

    def gradient_times_input(
        self, chips: NDArray[np.float32], directions: NDArray[np.float32]
    ) -> NDArray[np.float64]:
        """Return `analyses.rerun.gradients.gradient_times_input` (image, y, x) of chips."""
        from analyses.rerun.gradients import gradient_times_input  # noqa: PLC0415

        batches = (_batch_of(chips).split(BATCH), _tensor_of(directions).split(BATCH))
        parts = [
            gradient_times_input(self.network, some, towards).double().numpy()
            for some, towards in zip(*batches, strict=True)
        ]
        return np.concatenate(parts)


def _batch_of(chips: NDArray[np.float32]) -> "Tensor":
    return _tensor_of(np.ascontiguousarray(chips)).permute(0, 3, 1, 2)


def _tensor_of(values: NDArray[np.float32]) -> "Tensor":
    import torch  # noqa: PLC0415

    return torch.from_numpy(values)


@dataclass(frozen=True)
class RunnableModels:
    """The models of a lake that can be run again.

    Attributes
    ----------
    models : mapping of str to RecordedModel
        By name.
    left_out : mapping of str to str
        By name of each other model, why it takes no part, in a sentence.
    """

    models: Mapping[str, RecordedModel]
    left_out: Mapping[str, str]

    def with_layer(self, lake: Lake, position: int) -> "RunnableModels":
        """Return those that have a layer of this position.

        Raises
        ------
        LackingError
            If none has.
        """
        rows = lake.sql("SELECT model FROM layers WHERE position = ?", [position])
        held = set(rows["model"])
        without = {
            name: f"{lake.path} holds no maps of layer {position} of {name}."
            for name in self.models
            if name not in held
        }
        models = {name: model for name, model in self.models.items() if name in held}
        return _some_models(models, {**self.left_out, **without})

    def left_out_tables(self, question: str) -> dict[str, pl.DataFrame]:
        """Return the result table (model, why) of those left out; none if none is."""
        if not self.left_out:
            return {}
        rows = sorted(self.left_out.items())
        columns = {"model": pl.String, "why": pl.String}
        return {f"{question}_{LEFT_OUT}": pl.DataFrame(rows, schema=columns, orient="row")}


def runnable_models(
    lake: Lake, catalog: Catalog | None = None, names: Sequence[str] | None = None
) -> RunnableModels:
    """Return the models that can be run again, as `try_models` finds them; at least one.

    Parameters
    ----------
    catalog : Catalog, optional
        As `ingest.run.recorded.recorded_model` takes it.
    names : sequence of str, optional
        The models asked about; by default all that have embeddings.

    Raises
    ------
    LackingError
        If there are no embeddings, or no model can be run; with the reason of each.
    """
    tried = try_models(lake, catalog, names)
    return _some_models(tried.models, tried.left_out)


def try_models(
    lake: Lake, catalog: Catalog | None = None, names: Sequence[str] | None = None
) -> RunnableModels:
    """Return which models can be run again: tried on a few faces each, and maybe none.

    Parameters and errors are those of `runnable_models`, but for its last error.
    """
    rows = embedded_models(lake)
    if not rows:
        raise LackingError(f"{lake.path} holds no embeddings: run `python -m ingest` first.")
    models, left_out = {}, {}
    for row in rows:
        name = row["model"]
        if names is not None and name not in names:
            continue
        try:
            models[name] = _try_model(lake, row, catalog)
        except LackingError as error:
            left_out[name] = str(error)
    return RunnableModels(models, left_out)


def _some_models(
    models: Mapping[str, RecordedModel], left_out: Mapping[str, str]
) -> RunnableModels:
    if not models:
        raise LackingError(" ".join(dict.fromkeys(left_out.values())))
    return RunnableModels(models, left_out)


def _try_model(lake: Lake, row: Mapping[str, Any], catalog: Catalog | None) -> RecordedModel:
    """Return a model, after checking that it embeds some faces as it did for the lake."""
    name = row["model"]
    images = embedded_images(lake, {name})
    if images["identity"].n_unique() < 2:
        raise LackingError(
            f"{lake.path} holds fewer than two identities of {name}: there are no strangers."
        )
    try:
        recorded = recorded_model(row, catalog)
    except LeamError as error:
        raise LackingError(f"{name} can't be run again: {error}") from error
    running = run_model(lake, recorded)
    few = images.head(_TRIED)
    chips = [
        block.chips[running.kind].pixels
        for block in read_chips(lake, few, {running.kind}, chip_source(lake, few))
    ]
    try:
        embeddings = running.embed(np.concatenate(chips).astype(np.float32)).astype(np.float64)
    except Exception as error:  # the user's own network can raise anything
        raise LackingError(f"{name} can't be run again: its network raises {error!r}.") from error
    check_network(running, embeddings, stored_embeddings(lake, name, few["image_id"]))
    return recorded


def run_model(lake: Lake, model: RecordedModel) -> RunningModel:
    """Load the network of a lake's model with the weights that it had, to run on one core.

    As many tasks run at a time as there are cores; with torch's threads for all cores in each,
    they would wait for one another.

    Raises
    ------
    LackingError
        If the network or its weights can't be had.
    """
    import torch  # noqa: PLC0415

    torch.set_num_threads(1)
    try:
        with _LOADING:
            network = model.load()
    except LeamError as error:
        raise LackingError(f"{model.name} can't be run again: {error}") from error
    return RunningModel(model.name, network, kind_of(lake, model.name))


def kind_of(lake: Lake, name: str) -> ChipKind:
    """Return the alignment and side of a model's chips."""
    row = lake.sql("SELECT alignment, input_size FROM models WHERE model = ?", [name]).row(0)
    return row[0], row[1]


def check_network(
    model: RunningModel, embeddings: NDArray[np.float64], stored: NDArray[np.float64]
) -> None:
    """Raise `LackingError` if the network is another than the one that filled the lake."""
    if embeddings.shape == stored.shape:
        lengths = np.linalg.norm(embeddings, axis=1) * np.linalg.norm(stored, axis=1)
        is_same = ((embeddings * stored).sum(1) / lengths).mean() >= _SAME_NETWORK
    else:
        is_same = False
    if not is_same:
        raise LackingError(
            f"{model.name} embeds faces otherwise than it did for the lake: its weights, or the "
            "network's code, are not those it was run with; ingest with these to ask again."
        )


def embedded_images(lake: Lake, models: set[str]) -> pl.DataFrame:
    """Return the rows of the images on which all of these models were run, by image_id."""
    return lake.sql(
        "SELECT * FROM images WHERE status = 'kept' AND image_id IN ("
        "SELECT image_id FROM embeddings WHERE model IN (SELECT unnest(?)) "
        "GROUP BY image_id HAVING count(*) = ?) ORDER BY image_id",
        [sorted(models), len(models)],
    )


def stored_embeddings(lake: Lake, name: str, image_ids: pl.Series) -> NDArray[np.float64]:
    """Return a model's embeddings (image, n) of images, as the lake holds them."""
    vectors = lake.sql(
        "SELECT image_id, vector FROM embeddings "
        "WHERE model = ? AND image_id IN (SELECT unnest(?))",
        [name, image_ids.to_list()],
    )
    ordered = image_ids.to_frame("image_id").join(vectors, on="image_id", maintain_order="left")
    return np.array(ordered["vector"].to_list(), dtype=np.float64)
