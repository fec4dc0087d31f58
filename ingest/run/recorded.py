"""Models rebuilt from a lake's records."""

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal

from ingest import networks
from leamstore.catalog import Catalog, Model, Weights, files, read_catalog
from leamstore.errors import CatalogError, WeightsError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class RecordedModel:
    """The data needed to run a model of a lake again.

    Attributes
    ----------
    name : str
        The model's name in the lake.
    entry : leamstore.catalog.entries.Model
    weights : Path or "random" or None
        A file, random weights by `seed`, or None for those that the entry names.
    seed : int
    """

    name: str
    entry: Model
    weights: Path | Literal["random"] | None
    seed: int

    @property
    def catalog(self) -> Catalog:
        """A catalog with only this entry."""
        return Catalog(models={self.entry.name: self.entry})

    def load(self) -> "nn.Module":
        """Build the network and give it its weights."""
        return networks.load(self.entry.name, self.weights, self.catalog, self.seed)


def recorded_model(row: Mapping[str, Any], catalog: Catalog | None = None) -> RecordedModel:
    """Return the data needed to run a model again, from its row of the table models.

    Parameters
    ----------
    row : mapping
        Of a lake of an earlier program, it may lack entry and weights_path.
    catalog : Catalog, optional
        The built-in one with the user's own, whose entries come before those of the lake: a
        network may have moved to another module, and weights to another folder.

    Raises
    ------
    CatalogError
        If neither the lake nor the catalog has an entry of the model.
    WeightsError
        If no file with the sha256 of its weights is found.
    """
    entry = _entry(row, catalog or read_catalog())
    word, _, seed = row["weights"].partition(", seed ")
    is_random = word == "random" and row["weights_sha256"] is None
    weights: Path | Literal["random"] | None = None
    if is_random:
        weights = "random"
    elif row["weights_sha256"] is not None and not _are_the_entrys(row, entry):
        weights = _find_file(row, entry)
    return RecordedModel(row["model"], entry, weights, int(seed) if is_random and seed else 0)


def _entry(row: Mapping[str, Any], catalog: Catalog) -> Model:
    """Return the entry of the user's catalog, else that of the lake, else the built-in one."""
    name, built_in = row["catalog_name"], read_catalog().models.get(row["catalog_name"])
    found = catalog.models.get(name)
    if row.get("entry") and found == built_in:
        entry = _entry_of_the_lake(row)
        is_built_in = built_in is not None and entry.model_dump() == built_in.model_dump()
        return entry if is_built_in else _harmless(entry)
    if found is None:
        raise CatalogError(
            f"neither the lake nor the catalog has an entry {name}: name a catalog that has it "
            "by --catalog."
        )
    return found


def _entry_of_the_lake(row: Mapping[str, Any]) -> Model:
    """Return the entry that the lake keeps, its file in the folder in which it was found."""
    try:
        weights = Model.model_validate_json(row["entry"]).weights
        file = Path(weights.file).parts if weights else ()
        path = Path(row.get("weights_path") or "")
        found = bool(file) and path.parts[-len(file) :] == file
        folder = path.parents[len(file) - 1] if found else None
        return Model.model_validate_json(row["entry"], context=folder)
    except ValueError as error:
        raise CatalogError(
            f"the lake's entry of {row['model']} can't be read: name a catalog that has "
            f"{row['catalog_name']} by --catalog."
        ) from error


def _harmless(entry: Model) -> Model:
    """Return an entry that may come from anybody, as a lake may: nothing is fetched for it.

    One that names functions of Python's own library, in any form, or its own reader is refused,
    and so is one with arguments: with these, many a function of other libraries runs code or
    fetches files.
    """
    module, _, function = entry.network.partition(":")
    refused = []
    if module.partition(".")[0] in sys.stdlib_module_names or "." in function:
        refused.append(entry.network)
    known = (model.weights for model in read_catalog().models.values())
    readers = {_READER, *(weights.reader for weights in known if weights)}
    if entry.weights is not None and entry.weights.reader not in readers:
        refused.append(entry.weights.reader)
    if entry.arguments:
        refused.append(f"{entry.network} with arguments")
    if refused:
        raise CatalogError(
            f"the lake's entry names {refused[0]}, which is run for no lake, since a lake may come "
            f"from anybody: name a catalog of yours that has {entry.name} by --catalog."
        )
    if entry.weights is None:
        return entry
    unreachable = entry.weights.model_copy(update={"addresses": (), "mirrors": ()})
    return entry.model_copy(update={"weights": unreachable})


_READER: Final = Weights.model_fields["reader"].default


def _are_the_entrys(row: Mapping[str, Any], entry: Model) -> bool:
    """Return whether the weights are those that the entry names, which are fetched if possible."""
    if row["licence"] is None or entry.weights is None:
        return False
    from ingest.networks.weights import find_weights  # noqa: PLC0415, torch loads slowly

    return files.sha256_of(find_weights(entry.weights)) == row["weights_sha256"]


def _find_file(row: Mapping[str, Any], entry: Model) -> Path:
    others = []
    for path in _places(row, entry):
        found = files.sha256_of(path) if path.is_file() else None
        if found == row["weights_sha256"]:
            return path
        others.append(f"{path} (whose sha256 is {found})" if found else str(path))
    where = " or ".join(others) or "any place that the lake or the catalog knows"
    raise WeightsError(
        f"its weights, {row['weights']} (sha256 {row['weights_sha256']}), are not at {where}: put "
        "that file there, or name a catalog that has it by --catalog."
    )


def _places(row: Mapping[str, Any], entry: Model) -> Iterator[Path]:
    recorded = Path(row["weights_path"]) if row.get("weights_path") else None
    if recorded is not None:
        yield recorded
    located = files.locate(entry.weights) if entry.weights else None
    if located is not None and located != recorded:
        yield located
