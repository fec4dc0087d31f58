"""Plain gradient maps of chips: a simple baseline for other maps."""

import torch
from torch import Tensor, nn


@torch.enable_grad()
def gradient_times_input(network: nn.Module, chips: Tensor, directions: Tensor) -> Tensor:
    """Return ReLU(gradient x input) of the mean cosine to the positives, summed over colours.

    To the first order it is what a black pixel takes from that cosine.

    Parameters
    ----------
    network : Module
        From chips (n, 3, h, w) of 0 to 255 to embeddings (n, d).
    chips : Tensor
        (n, 3, h, w).
    directions : Tensor
        (n, d) mean unit embedding of each chip's positives.

    Returns
    -------
    Tensor
        (n, h, w), not below 0.
    """
    chips = chips.detach().clone().requires_grad_()
    units = nn.functional.normalize(network(chips))
    (gradient,) = torch.autograd.grad((units * directions).sum(), chips)
    return (gradient * chips.detach()).sum(1).clamp_min(0)
