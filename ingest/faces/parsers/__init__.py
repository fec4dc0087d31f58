"""Parsers: which facial region each pixel of the crop belongs to."""

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.downloads.downloader import Downloader
from ingest.networks.weights import find_weights
from leamstore.catalog import Catalog, read_catalog, resolve
from leamstore.errors import CatalogError, WeightsError
from leamstore.geometry import Points


class Parser(Protocol):
    """Interface of face parsers, which label the pixels of face crops."""

    @property
    def name(self) -> str:
        """Name under which the lake keeps the labels."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions that the parser can find; nothing is known of the others."""

    def parse(self, crops: NDArray[np.uint8], landmarks: Points) -> NDArray[np.uint8]:
        """Label every pixel of face crops.

        Parameters
        ----------
        crops : (image, 512, 512, 3) uint8
            RGB face crops.
        landmarks : (image, 68, 2) float64
            dlib's landmarks in crop pixels.

        Returns
        -------
        (image, 512, 512) uint8
            Positions in ``leamstore.schema.REGIONS``, or `UNLABELLED`.
        """


def open_parser(
    name: str,
    weights: Path | None = None,
    device: str = "cpu",
    catalog: Catalog | None = None,
) -> Parser:
    """Return a parser, ready to parse.

    Parameters
    ----------
    name : str
        Its name in the catalog.
    weights : Path, optional
        The parser's weights; the landmark parser needs none.
    device : str
        Where torch computes, such as ``cpu`` or ``cuda``.
    catalog : Catalog, optional
        By default the built-in one.

    Raises
    ------
    CatalogError
        If the catalog has no such parser, or its entry leads to none.
    WeightsError
        If the parser needs weights and got none, or a file that isn't its weights.
    """
    entry = (catalog or read_catalog()).parser(name)
    parser: Parser = resolve(entry, entry.parser)(weights, device)
    return parser


def find_parser(
    catalog: Catalog, name: str, device: str, downloader: Downloader
) -> tuple[Parser, str | None]:
    """Return the parser of a name, and a sentence if another one replaces it.

    Parameters
    ----------
    catalog : Catalog
    name : str
        Its name in the catalog, or ``auto``: the first whose weights are here or can be fetched.
    device : str
        Where torch computes.
    downloader : Downloader
        Fetches weights that are not here.

    Raises
    ------
    LeamError
        If the catalog has no parser of that name, or its weights can't be had.
    """
    entries = list(catalog.parsers.values()) if name == "auto" else [catalog.parser(name)]
    missing: list[str] = []
    for entry in entries:
        try:
            weights = find_weights(entry.weights, downloader) if entry.weights else None
        except WeightsError:
            if entry is entries[-1]:
                raise
            missing.append(
                f"not by {entry.title}, whose weights are not here; how to get them: "
                f"python -m leamstore catalog {entry.name}"
            )
            continue
        parser = open_parser(entry.name, weights, device, catalog)
        reasons = " ".join(missing)
        note = f"Regions are labelled by {entry.title}, {reasons}" if missing else None
        return parser, note
    raise CatalogError("The catalog has no parser: --parser needs one.")
