"""Models as they are asked for, as the lake records them, and as they are run."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl
import torch

from ingest import networks
from ingest.leam.identity import RunLayer, RunModel
from ingest.leam.maps import Precision
from ingest.leam.targets import find_target
from ingest.networks.cell_geometry import layer_geometry
from ingest.networks.weights import find_weights
from leamstore.catalog import Catalog, Model
from leamstore.errors import LeamError

Positives = Literal["all", "mean"]


@dataclass(frozen=True)
class Request:
    """A model as it is asked for.

    Attributes
    ----------
    entry : leamstore.catalog.entries.Model
        What the catalog says of it.
    catalog : Catalog
        The catalog it stands in.
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
        """The model's name in the lake, which tells at sight what isn't the paper's."""
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

    def row(self, compared_with: str | None) -> dict[str, Any]:
        """Return the model's row of the table models; weights are found, or fetched, for it."""
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
            "compared_with": compared_with if find_target(self.target).needs_references else None,
            "precision": self.precision,
        }

    def _weights_facts(self) -> dict[str, str | None]:
        if self.weights == "random":
            name = f"random, seed {self.seed}"
            return {"weights": name, "weights_sha256": None, "licence": None}
        if self.weights is None and self.entry.weights is None:
            return {"weights": "the network's own", "weights_sha256": None, "licence": None}
        if self.weights is None:
            assert self.entry.weights is not None
            path, licence = find_weights(self.entry.weights), self.entry.weights.licence
        else:
            path, licence = self.weights, None
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        return {"weights": path.name, "weights_sha256": digest, "licence": licence}


@dataclass(frozen=True)
class OpenModel:
    """A loaded model, and the rows of the table layers that describe it."""

    run: RunModel
    layers: pl.DataFrame


def chosen_layers(entry: Model, asked: tuple[str, ...] | None) -> tuple[str, ...]:
    """Return the layers of a model that were asked for by name or position; all by default.

    Raises
    ------
    LeamError
        If the catalog does not list one of them.
    """
    if asked is None:
        return entry.layers
    unknown = [name for name in asked if name not in entry.layers and not _is_position(name, entry)]
    if unknown:
        raise LeamError(
            f"{entry.name} has no layer {', '.join(unknown)}: choose from "
            f"{', '.join(entry.layers)}, or positions 0 to {len(entry.layers) - 1}."
        )
    return tuple(
        name for place, name in enumerate(entry.layers) if name in asked or str(place) in asked
    )


def open_model(
    request: Request,
    *,
    device: torch.device,
    batch_size: int,
    keep_pairs: int,
    visible: tuple[str, ...],
) -> OpenModel:
    """Load a model's network and work out where its layers' cells lie."""
    entry = request.entry
    network = networks.load(
        entry.name, weights=request.weights, catalog=request.catalog, seed=request.seed
    ).to(device)
    geometry = layer_geometry(network, request.layers, entry.input_size)
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
        }
        for name, layer in geometry.items()
    ])  # fmt: skip
    run = RunModel(
        name=request.name,
        network=network,
        layers=tuple(RunLayer(name, layer.cells) for name, layer in geometry.items()),
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


def _is_position(name: str, entry: Model) -> bool:
    return name.isdecimal() and int(name) < len(entry.layers)
