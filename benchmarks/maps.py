"""LEAM maps of an identity's pairs, made and compared; imports nothing of the lake."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from ingest.leam.maps import Precision, backward_passes, relevance_maps

Pairs = Sequence[tuple[int, int]]


def explain_pairs(
    network: nn.Module,
    chips: Tensor,
    pairs: Pairs,
    layers: Sequence[str],
    precision: Precision = "float32",
) -> None:
    """Make the maps of all pairs and layers, all chips in one forward pass."""
    for _ in backward_passes(
        network, chips, pairs, layers, batch_size=len(chips), precision=precision
    ):
        pass


def rank_correlations(
    network: nn.Module, chips: Tensor, pairs: Pairs, layers: Sequence[str], precision: Precision
) -> Tensor:
    """Return Spearman's correlation (layer x pair,) of maps with the same maps in float32."""
    exact = relevance_maps(network, chips, pairs, layers, precision="float32")
    rough = relevance_maps(network, chips, pairs, layers, precision=precision)
    return torch.cat([
        torch.corrcoef(torch.stack([one, other]))[0, 1][None]
        for layer in layers
        for one, other in zip(ranks(exact[layer]), ranks(rough[layer]), strict=True)
    ])  # fmt: skip


def ranks(maps: Tensor) -> Tensor:
    """Return the ranks (pair, cell) of a map's cells (pair, y, x); ties share their mean."""
    cells = maps.flatten(1)
    ordered = cells.sort(1).values
    below, upto = (torch.searchsorted(ordered, cells, right=right) for right in (False, True))
    return (below + upto).double() / 2
