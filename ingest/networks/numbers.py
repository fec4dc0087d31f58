"""Device and floating dtype of a network, taken from its parameters and buffers."""

from itertools import chain

from torch import Tensor, nn


def like(network: nn.Module, otherwise: Tensor) -> Tensor:
    """Return a tensor of the device and floating dtype of a network; `otherwise` if it has none."""
    tensors = chain(network.parameters(), network.buffers())
    return next((one for one in tensors if one.is_floating_point()), otherwise)
