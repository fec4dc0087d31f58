"""LayerCAM by torchcam and grad-cam, run as a user's script would, in a separate process.

The project's commands keep the memory that they free (`leamstore.allocator`), the benchmarks' among
them; a user's script doesn't, and neither does this process. The peers get the same network with
its parameters as `torch` leaves them, trainable, since that is what their documentation shows, and
a positive's embedding that is made already.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
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
    study, embeddings = _trainable_study(family, settings)
    by_peer = {"torchcam": _by_torchcam, "grad-cam": _by_grad_cam}[peer]
    by_peer(study, embeddings, study.pairs[:pairs])


@cache
def _trainable_study(family: str, settings: Settings) -> tuple[Study, Tensor]:
    """Return a study whose network is trainable, and the embeddings (image, n) of its chips."""
    study = next(study for study in studies(settings) if study.family == family)
    with torch.no_grad():
        embeddings = study.network(study.chips)
    study.network.requires_grad_(True)
    return study, embeddings


def _by_torchcam(study: Study, embeddings: Tensor, pairs: Pairs) -> None:
    from torchcam.methods import LayerCAM  # noqa: PLC0415

    with LayerCAM(study.network, list(study.layers)) as extract:
        for anchor, positive in pairs:
            scores = study.network(study.chips[anchor, None])
            extract(targets=partial(_cosine, embeddings[positive]), scores=scores)


def _by_grad_cam(study: Study, embeddings: Tensor, pairs: Pairs) -> None:
    from pytorch_grad_cam import LayerCAM  # noqa: PLC0415

    for anchor, positive in pairs:
        target = partial(_cosine, embeddings[positive])
        for layer in study.layers:
            with LayerCAM(study.network, [study.network.get_submodule(layer)]) as extract:
                extract(study.chips[anchor, None], [target])


def _cosine(positive: Tensor, embedding: Tensor) -> Tensor:
    return torch.cosine_similarity(embedding, positive, dim=0)
