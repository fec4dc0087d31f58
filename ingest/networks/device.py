"""Device and floating dtype that networks run on."""

from itertools import chain

import torch
from torch import Tensor, nn

from leamstore.errors import LeamError


def choose_device(name: str) -> torch.device:
    """Return the device of that name; ``auto`` is a GPU where there is one.

    Raises
    ------
    LeamError
        If ``cuda`` was asked for and there is none.
    """
    if name == "cuda" and not torch.cuda.is_available():
        raise LeamError("there is no CUDA device here: use --device cpu, or auto.")
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(name)


def like(network: nn.Module, otherwise: Tensor) -> Tensor:
    """Return a tensor of the device and floating dtype of a network; `otherwise` if it has none."""
    tensors = chain(network.parameters(), network.buffers())
    return next((one for one in tensors if one.is_floating_point()), otherwise)
