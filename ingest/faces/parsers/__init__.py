"""Parsers: which facial region each pixel of the crop belongs to."""

from pathlib import Path
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from ingest.faces.parsers.landmarks import LandmarkParser
from leamstore.errors import CatalogError, WeightsError
from leamstore.geometry import Points

PARSERS: Final = ("farl", "landmarks")
"""Names of the parsers, the best first."""


class Parser(Protocol):
    """What labels the pixels of face crops."""

    @property
    def name(self) -> str:
        """Name under which the lake keeps the labels."""

    @property
    def regions(self) -> tuple[str, ...]:
        """Names of the regions the parser can see; of the others nothing is known."""

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


def open_parser(name: str, weights: Path | None = None, device: str = "cpu") -> Parser:
    """Return a parser, ready to parse.

    Parameters
    ----------
    name : str
        One of `PARSERS`.
    weights : Path, optional
        The parser's weights; the landmark parser needs none.
    device : str
        Where torch computes, such as ``cpu`` or ``cuda``.

    Raises
    ------
    CatalogError
        If there is no such parser.
    WeightsError
        If the parser needs weights and got none, or a file that isn't its weights.
    """
    if name == "landmarks":
        return LandmarkParser()
    if name == "farl":
        if weights is None:
            raise WeightsError("The parser farl needs its weights: give their file.")
        from ingest.faces.parsers.farl import FarlParser  # noqa: PLC0415, facer loads slowly

        return FarlParser(weights, device)
    raise CatalogError(f"There is no parser named {name!r}; there are {', '.join(PARSERS)}.")
