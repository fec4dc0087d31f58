"""LayerCAM by torchcam and grad-cam, run as a user's script would, in a separate process.

The project's commands keep the memory that they free (`leamstore.allocator`), the benchmarks' among
them; a user's script doesn't, and neither does this process. The peers get the same network with
its parameters as `torch` leaves them, trainable, since that is what their documentation shows, and
a positive's embedding that is made already.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from multiprocessing import get_context

import torch
from torch import Tensor

from benchmarks.benchmark import Settings
from benchmarks.material import Study, studies
from benchmarks.timing import Side

Pairs = Sequence[tuple[int, int]]


@contextmanager
def in_own_process(peer: str, family: str, pairs: int, settings: Settings) -> Iterator[Side]:
    """Start a process for ``torchcam`` or ``grad-cam``; give a call that makes maps there.

    Parameters
    ----------
    family : str
        The network, as `benchmarks.material.FAMILIES` names it.
    pairs : int
        How many of the study's pairs a call explains, in all nine layers.
    """
    with ProcessPoolExecutor(1, get_context("spawn")) as process:
        yield lambda: process.submit(make_maps, peer, family, pairs, settings).result()


def make_maps(peer: str, family: str, pairs: int, settings: Settings) -> None:
    """Make a peer's maps of the first pairs of a study."""
    material = _material(family, settings)
    by_peer = {"torchcam": _by_torchcam, "grad-cam": _by_grad_cam}[peer]
    by_peer(material, material.study.pairs[:pairs])


@dataclass(frozen=True)
class _Material:
    """A study whose network is trainable, and the embeddings (image, n) of its chips."""

    study: Study
    embeddings: Tensor


@cache
def _material(family: str, settings: Settings) -> _Material:
    study = next(study for study in studies(settings) if study.family == family)
    with torch.no_grad():
        embeddings = study.network(study.chips)
    study.network.requires_grad_(True)
    return _Material(study, embeddings)


def _by_torchcam(material: _Material, pairs: Pairs) -> None:
    from torchcam.methods import LayerCAM  # noqa: PLC0415

    study = material.study
    with LayerCAM(study.network, list(study.layers)) as extract:
        for anchor, positive in pairs:
            scores = study.network(study.chips[anchor, None])
            extract(targets=partial(_cosine, material.embeddings[positive]), scores=scores)


def _by_grad_cam(material: _Material, pairs: Pairs) -> None:
    from pytorch_grad_cam import LayerCAM  # noqa: PLC0415

    study = material.study
    for anchor, positive in pairs:
        target = partial(_cosine, material.embeddings[positive])
        for layer in study.layers:
            with LayerCAM(study.network, [study.network.get_submodule(layer)]) as extract:
                extract(study.chips[anchor, None], [target])


def _cosine(positive: Tensor, embedding: Tensor) -> Tensor:
    return torch.cosine_similarity(embedding, positive, dim=0)
