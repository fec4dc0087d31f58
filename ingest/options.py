"""Options of ``python -m ingest``, resolved: photographs, models, parser, device, lake.

Options that contradict each other, name what isn't there or don't fit the lake are a `LeamError`.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rich.console import Console

from ingest.downloads.downloader import Downloader
from ingest.faces.detection import DETECTORS
from ingest.leam.maps import Precision
from ingest.networks.weights import network_file
from ingest.photographs.datasets import Dataset, Photograph, open_dataset
from ingest.photographs.datasets.fetching import fetch_dataset
from ingest.photographs.datasets.selection import Limits
from ingest.run.models import Positives, Request
from leamstore.cache_folder import cache_folder
from leamstore.catalog import Catalog, Model, files
from leamstore.errors import LakeError, LeamError, WeightsError
from leamstore.lake import Lake, LakeSettings
from leamstore.storage import Location, location
from leamstore.tables.waiting import WITHOUT_END


@dataclass(frozen=True)
class ModelSettings:
    """Settings of all models of a run; the attributes are those of a `Request`."""

    weights: Path | Literal["random"] | None
    layers: tuple[str, ...] | None
    target: str
    positives: Positives
    precision: Precision
    seed: int


def choose_dataset(
    catalog: Catalog,
    images: Path | None,
    name: str | None,
    root: Path | None,
    limits: Limits,
    console: Console,
) -> Dataset:
    """Return the data set of ``--images``, or of ``--dataset`` and ``--root``, or the demo set.

    A data set that isn't at its root yet is fetched there, if the catalog says where from.
    """
    if images is not None and (name is not None or root is not None):
        raise LeamError("--images names a folder of identities by itself: leave --dataset out.")
    if images is not None:
        return open_dataset("folder", images, catalog)
    if name in (None, "demo"):
        return open_dataset("demo", root or cache_folder() / "demo", catalog)
    if root is None:
        raise LeamError(f"--dataset {name} needs --root, the folder that holds it.")
    fetch_dataset(catalog.dataset(name), root, console, limits)
    return open_dataset(name, root, catalog)


def choose_models(
    catalog: Catalog, names: str, settings: ModelSettings, downloader: Downloader
) -> tuple[list[Request], dict[str, str]]:
    """Return the named models, or all, and what each one that is passed over needs to be run.

    Of all models those are passed over whose weights are neither here nor can be fetched.
    """
    if names == "all" and isinstance(settings.weights, Path):
        raise LeamError("--weights FILE is the file of one model: name it by --models.")
    requests, passed_over = [], {}
    entries = catalog.named_models(names)
    if names == "all" and settings.weights is None:
        needed = [entry.weights for entry in entries if entry.weights is not None]
        downloader.look_for_hosts([file for file in needed if files.locate(file) is None])
    for entry in entries:
        try:
            _require_weights(entry, settings, downloader)
        except WeightsError as error:
            if names != "all":
                raise
            passed_over[entry.name] = str(error)
            continue
        of_entry = vars(settings) | {"layers": entry.chosen_layers(settings.layers)}
        requests.append(Request(entry, catalog, **of_entry))
    if not requests:
        raise WeightsError(
            "no model can be run: their weights are not here. `python -m leamstore catalog NAME` "
            "says how to get them; --weights random tries without."
        )
    return requests, passed_over


def choose_detector(name: str) -> str:
    """Return the name of a detector of faces, if it is one."""
    if name not in DETECTORS:
        raise LeamError(f"There is no detector {name!r}: choose one of {', '.join(DETECTORS)}.")
    return name


def choose_parser(name: str, lake: Lake | None) -> str:
    """Return the name of the parser; for ``auto`` that of the lake, if the lake exists."""
    return lake.settings.parser if name == "auto" and lake is not None else name


def choose_keep_pairs(text: str, photographs: Sequence[Photograph]) -> int:
    """Return the number of pair maps per anchor to keep: ``none``, ``all`` or a number."""
    if text == "none":
        return 0
    if text == "all":
        return max(Counter(photograph.identity for photograph in photographs).values()) - 1
    if not text.isdecimal():
        raise LeamError(f"--keep-pairs takes none, all or a number, not {text!r}.")
    return int(text)


def open_lake(path: str | Location, settings: LakeSettings) -> Lake:
    """Open the lake, or create it; wait for other processes that hold its tables open."""
    lake = find_lake(path)
    if lake is None:
        return Lake.create(path, settings)
    require_settings(lake, settings)
    return lake


def find_lake(path: str | Location) -> Lake | None:
    """Open the lake if it exists; None if it doesn't."""
    path = location(path)
    return Lake(path, patience=WITHOUT_END) if (path / "lake.duckdb").exists() else None


def require_settings(lake: Lake, settings: LakeSettings) -> None:
    """Raise `LakeError` if a lake was made with other settings."""
    for name, found in vars(lake.settings).items():
        asked = getattr(settings, name)
        if asked != found:
            option = "--" + name.replace("_", "-")
            raise LakeError(
                f"{lake.path} was made with {option} {found}, not {asked}, and the two don't "
                "mix: give the same option, or another --lake."
            )


def _require_weights(entry: Model, settings: ModelSettings, downloader: Downloader) -> None:
    path = network_file(entry, settings.weights, downloader)
    if path is not None and not path.is_file():
        raise WeightsError(f"there is no file {path}.")
