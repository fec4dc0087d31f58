"""LEAM against a forward pass, against torchcam and grad-cam, and against itself in bfloat16.

The peers get the same network with its parameters as `torch` leaves them, trainable, since that
is what their documentation shows, and a positive's embedding that is made already.
"""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from functools import partial
from typing import Final

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from benchmarks.benchmark import Measured, Settings
from benchmarks.machine import has_native_bfloat16
from benchmarks.material import Study, studies
from benchmarks.timing import medians
from ingest.leam import Precision, relevance_maps, rounds

Pairs = Sequence[tuple[int, int]]

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
    for study in studies(settings):
        pairs = study.pairs[:_PAIRS_OF_TORCHCAM]
        yield _beside(study, "torchcam", partial(_maps_by_torchcam, pairs=pairs), pairs, settings)


def against_grad_cam(settings: Settings) -> Iterator[Measured]:
    """Measure grad-cam's seconds a pair in units of ours."""
    for study in studies(settings):
        pairs = study.pairs[:_PAIRS_OF_GRAD_CAM]
        yield _beside(study, "grad-cam", partial(_maps_by_grad_cam, pairs=pairs), pairs, settings)


def bfloat16(settings: Settings) -> Iterator[Measured]:
    """Measure how much faster bfloat16 is, and how alike its maps are."""
    native = "" if has_native_bfloat16() else "; this processor has no bfloat16 instructions"
    for study in studies(settings):
        seconds = medians(
            {name: partial(make_maps, study, name) for name in ("float32", "bfloat16")},
            settings.repeats,
        )
        correlations = rank_correlations(study)
        note = (
            f"Spearman's rank correlation of the maps: median {np.median(correlations):.3f}, "
            f"5th percentile {np.percentile(correlations, 5):.3f}{native}"
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


def _beside(
    study: Study, peer: str, maps_by_peer: Callable[..., None], pairs: Pairs, settings: Settings
) -> Measured:
    network = deepcopy(study.network).requires_grad_(True)
    embeddings = _embeddings(study)
    seconds = medians(
        {
            "ours": partial(make_maps, study),
            "theirs": partial(maps_by_peer, network, study.chips, embeddings, study.layers),
        },
        settings.repeats,
    )
    ours, theirs = seconds["ours"] / len(study.pairs), seconds["theirs"] / len(pairs)
    note = f"{peer} {1e3 * theirs:.0f} ms a pair (of {len(pairs)}), ours {1e3 * ours:.1f} ms"
    return Measured(study.family, theirs / ours, note)


def _maps_by_torchcam(
    network: nn.Module, chips: Tensor, embeddings: Tensor, layers: Sequence[str], pairs: Pairs
) -> None:
    from torchcam.methods import LayerCAM  # noqa: PLC0415

    with LayerCAM(network, list(layers)) as extract:
        for anchor, positive in pairs:
            scores = network(chips[anchor, None])
            extract(targets=partial(_cosine, embeddings[positive]), scores=scores)


def _maps_by_grad_cam(
    network: nn.Module, chips: Tensor, embeddings: Tensor, layers: Sequence[str], pairs: Pairs
) -> None:
    from pytorch_grad_cam import LayerCAM  # noqa: PLC0415

    for anchor, positive in pairs:
        for layer in layers:
            with LayerCAM(network, [network.get_submodule(layer)]) as extract:
                extract(chips[anchor, None], [partial(_cosine, embeddings[positive])])


def _cosine(positive: Tensor, embedding: Tensor) -> Tensor:
    return torch.cosine_similarity(embedding, positive, dim=0)


@torch.inference_mode()
def _forward(study: Study) -> None:
    study.network(study.chips)


@torch.no_grad()
def _embeddings(study: Study) -> Tensor:
    return study.network(study.chips)
