"""Projection from seconds per pair on one machine to hours for the paper's whole study."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Study:
    """A study's size: ordered pairs, and how many models have each network."""

    pairs: int
    models: Mapping[str, int]

    def hours(self, seconds_per_pair: Mapping[str, float]) -> float:
        """Return the hours that LEAM takes, one model after the other.

        Parameters
        ----------
        seconds_per_pair : mapping of str to float
            By network: all layers of a pair, and its part of a forward pass.

        Raises
        ------
        KeyError
            If a network wasn't measured.
        """
        return sum(
            models * self.pairs * seconds_per_pair[network] / 3600
            for network, models in self.models.items()
        )


PAPER: Final = Study(
    pairs=170_000,
    models={
        "IResNet-18": 2,
        "IResNet-50": 2,
        "IResNet-100": 2,
        "InceptionResnetV1": 2,
        "VGG-Face": 1,
    },
)
"""The paper's study: 13,445 images, nine models (arXiv 2509.17457, section 4)."""
