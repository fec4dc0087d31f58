"""Check that a network can be explained, on chips of noise before any photograph is read.

One that can't be run or explained, or isn't what its entry says, is a `LeamError`.
"""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ingest.leam.maps import Precision, arithmetic, embed, explain
from ingest.networks.cell_geometry import LayerGeometry, layer_geometry
from ingest.networks.device import like
from ingest.networks.from_catalog import running
from leamstore.catalog import Model
from leamstore.errors import CatalogError, LeamError


def check_network(
    network: nn.Module, entry: Model, layers: Sequence[str], precision: Precision
) -> dict[str, LayerGeometry]:
    """Run a network as an ingest does, and return the positions of its layers' cells.

    A network that sets attributes of its modules in a forward pass is made to run one forward
    pass at a time, since the threads of an ingest share it.
    """
    generator = torch.Generator().manual_seed(0)
    chips = 255 * torch.rand(2, 3, entry.input_size, entry.input_size, generator=generator)
    with _naming(entry):
        before = _attributes(network)
        plain = _embed_plainly(network, chips)
        if _attributes(network) != before:
            _run_one_at_a_time(network)
        _check_embeddings(entry, plain, len(chips))
        geometry = layer_geometry(network, layers, entry.input_size, entry.tokens)
        _check_sizes(entry, geometry)
        layouts = {name: layer.layout for name, layer in geometry.items()}
        explain(network, chips, [(0, 1)], layers, layouts=layouts, precision=precision)
        _check_agreement(plain, embed(network, chips))
    return geometry


def _attributes(network: nn.Module) -> dict[tuple[str, str], int]:
    """Return the objects that the modules' attributes are, by module and attribute."""
    return {
        (name, attribute): id(value)
        for name, module in network.named_modules()
        for attribute, value in vars(module).items()
    }


def _run_one_at_a_time(network: nn.Module) -> None:
    forward, lock = network.forward, threading.Lock()

    def locked(*arguments: object, **named: object) -> object:
        with lock:
            return forward(*arguments, **named)

    network.forward = locked


@contextmanager
def _naming(entry: Model) -> Iterator[None]:
    try:
        with running(entry):
            yield
    except LeamError as error:
        raise LeamError(f"{entry.name} can't be explained: {error}") from error


@torch.no_grad()
def _embed_plainly(network: nn.Module, chips: Tensor) -> object:
    """Return a network's embeddings when it is called as in any other program."""
    with arithmetic("float32"):
        return network(chips.to(like(network, chips)))


def _check_embeddings(entry: Model, output: object, chips: int) -> None:
    if not isinstance(output, Tensor):
        raise CatalogError(
            f"{entry.network} gives a {type(output).__name__} where an embedding of each chip "
            f"(n, {entry.embedding_size}) belongs: let its callable return a module that gives "
            "the embedding alone."
        )
    if output.ndim != 2 or len(output) != chips:
        raise CatalogError(
            f"{entry.network} gives {tuple(output.shape)} of {chips} chips, not an embedding of "
            f"each ({chips}, {entry.embedding_size}): let its callable return a module that does."
        )
    if output.shape[1] != entry.embedding_size:
        raise CatalogError(
            f"its entry says embedding_size: {entry.embedding_size}, but {entry.network} gives "
            f"{output.shape[1]} numbers: write embedding_size: {output.shape[1]}."
        )


def _check_sizes(entry: Model, geometry: Mapping[str, LayerGeometry]) -> None:
    stated = dict(zip(entry.layers, entry.layer_sizes, strict=False))
    for name, layer in geometry.items():
        cells = layer.cells
        if name in stated and cells.shape != (stated[name], stated[name]):
            raise CatalogError(
                f"its entry says that layer {name!r} has {stated[name]} x {stated[name]} cells, "
                f"but it has {cells.height} x {cells.width}: name the layer that is meant, or "
                "correct layer_sizes."
            )


def _check_agreement(plain: object, ours: Tensor) -> None:
    """Raise an error if a network's embeddings differ when it is run as in an ingest."""
    assert isinstance(plain, Tensor)
    plain = plain.float()
    if not bool(plain.isfinite().all()):
        return  # of noise; faces may do better, and those that don't are left out
    if bool((F.cosine_similarity(plain, ours.float()) < _LEAST_AGREEMENT)[plain.any(1)].any()):
        raise CatalogError(
            "it gives another embedding when the same chips are run once more, in another layout "
            "of memory: leave out of its forward what is drawn at random (a dropout that knows no "
            "eval mode) or reads memory by strides."
        )


_LEAST_AGREEMENT: Final = 0.99
"""Least cosine of two embeddings of one chip that differ by rounding and bfloat16 at most."""
