"""Design of an occlusion experiment: maps, masks, percents and fills, declared beforehand."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from analyses.rerun.fills import FILLS
from analyses.rerun.masks import SOURCES
from analyses.rerun.papers_occlusions import PAPERS_GUIDE

MASKS: Final = (*SOURCES, "mean map", "mirrored", "gradient x input", "random")
"""The masks by name."""

CONTRASTS: Final = (("own", "random"), ("own", "swap"), ("same person", "matched stranger"))
"""Pairs of masks that show whether maps find sensitive pixels, fit their image or the person."""


@dataclass(frozen=True)
class Experiment:
    """The design of an occlusion experiment.

    Attributes
    ----------
    layer : int
        Position of the guiding layer; the paper's is the first convolution, 0.
    percents, curve_masks, curve_fills : tuple
        Hidden shares of the chip in %, with the masks and fills that are tried at all of them.
    percent : float
        The share at which all of `masks` and `fills` are tried.
    random_draws : int
        Random masks over which the drop is averaged.
    all_guides : bool
        Whether every model guides for every other; else each guides for itself and
        `PAPERS_GUIDE` for all.
    """

    layer: int = 0
    percents: tuple[float, ...] = (0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 1, 1.25, 1.5, 2, 5, 10)
    curve_masks: tuple[str, ...] = ("own", "random")
    curve_fills: tuple[str, ...] = ("black",)
    percent: float = 1
    masks: tuple[str, ...] = MASKS
    fills: tuple[str, ...] = tuple(FILLS)
    random_draws: int = 2
    all_guides: bool = False

    @property
    def conditions(self) -> list[tuple[float, str, str]]:
        """Percent, mask and fill of every condition, each once."""
        curve = product(self.percents, self.curve_masks, self.curve_fills)
        return sorted({*curve, *product((self.percent,), self.masks, self.fills)})

    def guides_of(self, judged: str, models: Sequence[str]) -> list[str]:
        """Return the models that guide the occlusions judged by one of them."""
        return [
            guide
            for guide in models
            if self.all_guides or guide in (judged, PAPERS_GUIDE)
        ]  # fmt: skip
