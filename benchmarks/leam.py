"""LEAM compared with a forward pass, torchcam, grad-cam, and itself in bfloat16."""

from collections.abc import Iterator
from functools import partial
from typing import Final

import numpy as np
import torch

from benchmarks.benchmark import Measured, Settings
from benchmarks.machine import has_native_bfloat16
from benchmarks.maps import explain_pairs, rank_correlations
from benchmarks.material import Study, studies
from benchmarks.peers import in_own_process
from benchmarks.timing import medians
from leamstore.errors import LeamError

_PAIRS_OF_TORCHCAM: Final = 8
_PAIRS_OF_GRAD_CAM: Final = 2


def cost_of_a_pair(settings: Settings) -> Iterator[Measured]:
    """Measure the cost of a pair in forward passes of an image, its own share of them included."""
    for study in studies(settings):
        seconds = medians(
            {"leam": partial(explain_pairs, *study.leam), "forward": partial(_forward, study)},
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
            {name: partial(explain_pairs, *study.leam, name) for name in ("float32", "bfloat16")},
            settings.repeats,
        )
        correlations = rank_correlations(*study.leam, "bfloat16")
        note = (
            f"Spearman's rank correlation of the maps: median {np.median(correlations):.3f}, "
            f"5th percentile {np.percentile(correlations, 5):.3f}"
        )
        yield Measured(study.family, seconds["float32"] / seconds["bfloat16"], note)


def _beside(peer: str, most_pairs: int, settings: Settings) -> Iterator[Measured]:
    for study in studies(settings):
        pairs = min(most_pairs, len(study.pairs))
        with in_own_process(peer, study.family, pairs, settings) as make_maps_there:
            seconds = medians(
                {"ours": partial(explain_pairs, *study.leam), "theirs": make_maps_there},
                settings.repeats,
            )
        ours, theirs = seconds["ours"] / len(study.pairs), seconds["theirs"] / pairs
        note = f"{peer} {1e3 * theirs:.0f} ms a pair (of {pairs}), ours {1e3 * ours:.1f} ms"
        yield Measured(study.family, theirs / ours, note)


@torch.inference_mode()
def _forward(study: Study) -> None:
    study.network(study.chips)
