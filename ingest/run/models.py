"""Models: as the user asks for them, as the lake records them, and as they run."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import torch

from ingest import networks
from ingest.leam.identity import RunModel
from ingest.leam.maps import Precision
from ingest.leam.targets import find_target
from ingest.networks.folded_norms import folded_norm
from ingest.networks.weights import network_file
from ingest.run.network_check import check_network
from leamstore.catalog import Catalog, Model
from leamstore.catalog.files import sha256_of

Positives = Literal["all", "mean"]


@dataclass(frozen=True)
class Request:
    """A model as the user asks for it.

    Attributes
    ----------
    entry : leamstore.catalog.entries.Model
        Its entry in the catalog.
    catalog : Catalog
        The catalog that has the entry.
    weights : Path or "random" or None
        A file, random weights by `seed`, or None for those of the catalog.
    layers : tuple of str
        Names of the layers to explain; a part of the catalog's, in its job.
    """

    entry: Model
    catalog: Catalog
    weights: Path | Literal["random"] | None
    layers: tuple[str, ...]
    target: str
    positives: Positives
    precision: Precision
    seed: int

    @property
    def name(self) -> str:
        """The model's name in the lake, which marks weights and targets other than the paper's."""
        marks = []
        if self.weights == "random":
            marks.append("random")
        if self.target != "cosine":
            marks.append(self.target)
        if self.positives == "mean" and find_target(self.target).uses_counterpart:
            marks.append("mean")
        return "@".join([self.entry.name, *marks])

    @property
    def by_pair(self) -> bool:
        """Whether there is a map for each pair."""
        return self.positives == "all" and find_target(self.target).uses_counterpart

    def row(self) -> dict[str, Any]:
        """Return the model's row of the table models; weights are found, or fetched, for it.

        Only what the images decide is missing: ``compared_with``.
        """
        uses_counterpart = find_target(self.target).uses_counterpart
        return {
            "model": self.name,
            "catalog_name": self.entry.name,
            "network": self.entry.family,
            "loss": self.entry.loss,
            "trained_on": self.entry.trained_on,
            **self._weights_facts(),
            "input_size": self.entry.input_size,
            "alignment": self.entry.alignment,
            "embedding_size": self.entry.embedding_size,
            "target": self.target,
            "positives": self.positives if uses_counterpart else "none",
            "precision": self.precision,
            "entry": self.entry.model_dump_json(),
        }

    def _weights_facts(self) -> dict[str, str | None]:
        named, path = self.entry.weights, network_file(self.entry, self.weights)
        place = None if path is None else str(path.absolute())
        if path is None or self.weights == "random":
            name = f"random, seed {self.seed}" if self.weights else "the network's own"
            return {"weights": name, "weights_sha256": None, "licence": None, "weights_path": place}
        return {
            "weights": path.name,
            "weights_sha256": sha256_of(path),
            "licence": named.licence if named and self.weights is None else None,
            "weights_path": place,
        }


@dataclass(frozen=True)
class OpenModel:
    """A loaded model, and the rows of the table layers that describe it."""

    run: RunModel
    layers: pl.DataFrame


def open_model(
    request: Request,
    *,
    device: torch.device,
    batch_size: int,
    keep_pairs: int,
    visible: tuple[str, ...],
) -> OpenModel:
    """Load a model's network, check that it can be explained, and locate its layers' cells.

    Raises
    ------
    LeamError
        If its weights can't be had, it can't be run or its layers can't be explained, or it is
        not what its entry says.
    """
    entry = request.entry
    network = networks.load(
        entry.name, weights=request.weights, catalog=request.catalog, seed=request.seed
    ).to(device)
    geometry = check_network(network, entry, request.layers, request.precision)
    rows = pl.DataFrame([
        {
            "model": request.name,
            "layer": name,
            "position": entry.layers.index(name),
            "height": layer.cells.height,
            "width": layer.cells.width,
            "channels": layer.channels,
            "stride": float(layer.cells.stride),
            "offset": float(layer.cells.offset),
            "folded_norm": folded_norm(network, name, entry),
        }
        for name, layer in geometry.items()
    ], schema_overrides={"folded_norm": pl.Boolean})  # fmt: skip
    run = RunModel(
        name=request.name,
        # Convolutions take images in this layout; else weights are brought to it in every pass.
        network=network.to(memory_format=torch.channels_last),
        layers={name: layer.cells for name, layer in geometry.items()},
        layouts={name: layer.layout for name, layer in geometry.items()},
        alignment=entry.alignment,
        input_size=entry.input_size,
        target=find_target(request.target),
        by_pair=request.by_pair,
        precision=request.precision,
        batch_size=batch_size,
        keep_pairs=keep_pairs if request.by_pair else 0,
        seed=request.seed,
        visible=visible,
    )
    return OpenModel(run, rows)
