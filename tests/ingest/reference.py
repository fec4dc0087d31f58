"""LEAM as one would write it on a blackboard: one pair, one layer, one gradient a call."""

import torch
from torch import Tensor, nn


def gradient(
    network: nn.Module, anchor: Tensor, positive: Tensor, layer: str
) -> tuple[Tensor, Tensor]:
    """Return the gradient of a pair's cosine towards a layer's output, and that output (1, ...)."""
    outputs = []

    def keep(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        outputs.append(output)
        return output.clone()

    hook = network.get_submodule(layer).register_forward_hook(keep)
    embedding = network(anchor[None].clone().requires_grad_())[0]
    hook.remove()
    loss = 1 - torch.cosine_similarity(embedding, network(positive[None])[0].detach(), dim=0)
    (gradient,) = torch.autograd.grad(loss, outputs)
    return -gradient, outputs[0].detach()


def relevance(network: nn.Module, anchor: Tensor, positive: Tensor, layer: str) -> Tensor:
    """Return M (y, x) of a pair of images (3, h, w), not scaled, for the paper's target."""
    towards, output = gradient(network, anchor, positive, layer)
    return (torch.relu(towards) * output).sum(1).relu()[0]


def relevance_map(network: nn.Module, anchor: Tensor, positive: Tensor, layer: str) -> Tensor:
    """Return the pair's map (y, x): maximum 1, or all zero."""
    found = relevance(network, anchor, positive, layer)
    return found / found.max() if found.max() > 0 else found
