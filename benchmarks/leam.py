"""LEAM compared with a forward pass, torchcam, grad-cam, and itself in bfloat16."""

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import torch
from scipy.stats import spearmanr

from benchmarks.benchmark import Measured, Settings
from benchmarks.machine import has_native_bfloat16
from benchmarks.material import Study, studies
from benchmarks.peers import in_own_process
from benchmarks.timing import medians
from ingest.leam.maps import Precision, relevance_maps, rounds
from leamstore.errors import LeamError

_PAIRS_OF_TORCHCAM: Final = 8
_PAIRS_OF_GRAD_CAM: Final = 2


def cost_of_a_pair(settings: Settings) -> Iterator[Measured]:
    """Measure the cost of a pair in forward passes of an image, its own share of them included."""
    for study in studies(settings):
        seconds = medians(
            {"leam": partial(make_maps, study), "forward": partial(_forward, study)},
            settings.repeats,
        )
        pair, image = seconds["leam"] / len(study.pairs), seconds["forward"] / len(study.chips)
        note = f"a pair {1e3 * pair:.1f} ms, a forward pass {1e3 * image:.1f} ms an image"
        yield Measured(study.family, pair / image, note)


def against_torchcam(settings: Settings) -> Iterator[Measured]:
    """Measure torchcam's seconds a pair in units of ours."""
    return _beside("torchcam", _PAIRS_OF_TORCHCAM, settings)


def against_grad_cam(settings: Settings) -> Iterator[Measured]:
    """Measure grad-cam's seconds a pair in units of ours."""
    return _beside("grad-cam", _PAIRS_OF_GRAD_CAM, settings)


def bfloat16(settings: Settings) -> Iterator[Measured]:
    """Measure how much faster bfloat16 is, and how alike its maps are.

    Raises
    ------
    LeamError
        If the processor has no instructions for it: without, it is many times slower.
    """
    if not has_native_bfloat16():
        raise LeamError("this processor has no bfloat16 instructions")
    for study in studies(settings):
        seconds = medians(
            {name: partial(make_maps, study, name) for name in ("float32", "bfloat16")},
            settings.repeats,
        )
        correlations = rank_correlations(study)
        note = (
            f"Spearman's rank correlation of the maps: median {np.median(correlations):.3f}, "
            f"5th percentile {np.percentile(correlations, 5):.3f}"
        )
        yield Measured(study.family, seconds["float32"] / seconds["bfloat16"], note)


def make_maps(study: Study, precision: Precision = "float32") -> None:
    """Make the maps of all pairs and all layers."""
    images = len(study.chips)
    for _ in rounds(
        study.network,
        study.chips,
        study.pairs,
        study.layers,
        batch_size=images,
        precision=precision,
    ):
        pass


def rank_correlations(study: Study) -> np.ndarray:
    """Return Spearman's correlation (layer x pair,) of bfloat16 maps with float32 maps."""
    exact, rough = (
        relevance_maps(study.network, study.chips, study.pairs, study.layers, precision=precision)
        for precision in ("float32", "bfloat16")
    )
    return np.array([
        spearmanr(one.flatten(), other.flatten()).statistic
        for layer in study.layers
        for one, other in zip(exact[layer], rough[layer], strict=True)
    ])  # fmt: skip


def _beside(peer: str, most_pairs: int, settings: Settings) -> Iterator[Measured]:
    for study in studies(settings):
        pairs = min(most_pairs, len(study.pairs))
        with in_own_process(peer, study.family, pairs, settings) as make_maps_there:
            seconds = medians(
                {"ours": partial(make_maps, study), "theirs": make_maps_there}, settings.repeats
            )
        ours, theirs = seconds["ours"] / len(study.pairs), seconds["theirs"] / pairs
        note = f"{peer} {1e3 * theirs:.0f} ms a pair (of {pairs}), ours {1e3 * ours:.1f} ms"
        yield Measured(study.family, theirs / ours, note)


@torch.inference_mode()
def _forward(study: Study) -> None:
    study.network(study.chips)
