"""MobileFaceNet, and a reader of the TFLite file that its weights are kept in.

The network is that of Chen, Liu, Gao and Han, "MobileFaceNets: Efficient CNNs for Accurate
Real-time Face Verification on Mobile Devices" (CCBR 2018), as sirius-ai built it in TensorFlow
(github.com/sirius-ai/MobileFaceNet_TF): with 192 numbers instead of 128, and another linear
convolution before the last.
"""

from pathlib import Path
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ingest.networks.tflite import read_tflite

LEVELS: Final = (
    (128, 64, 5, 2),
    (256, 128, 1, 2),
    (256, 128, 6, 1),
    (512, 128, 1, 2),
    (256, 128, 2, 1),
)
"""Channels within and after each level's blocks, blocks, and stride of the first one."""


class MobileFaceNet(nn.Module):
    """The recogniser: normalised RGB chips (n, 3, 112, 112) to embeddings (n, 192).

    Batch norms are folded into the convolutions before them, as in the file: a layer's output is
    what comes after its norm. Embeddings are not normalised.

    Its first nine convolutions in forward order, depthwise ones among them, are ``conv1``,
    ``depthwise1``, ``conv2``, and ``level1.{0,1}.{expand,depthwise,project}``: four of 56 x 56
    cells, then five of 28 x 28. Shortcuts have none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = SameConv2d(3, 64, 3, stride=2)
        self.prelu1 = nn.PReLU(64)
        self.depthwise1 = SameConv2d(64, 64, 3, groups=64)
        self.prelu2 = nn.PReLU(64)
        self.conv2 = nn.Conv2d(64, 64, 1)
        inputs = 64
        for level, (within, channels, blocks, stride) in enumerate(LEVELS, start=1):
            first = Block(inputs, within, channels, stride)
            others = [Block(channels, within, channels) for _ in range(1, blocks)]
            self.add_module(f"level{level}", nn.Sequential(first, *others))
            inputs = channels
        self.conv3 = nn.Conv2d(inputs, 512, 1)
        self.prelu3 = nn.PReLU(512)
        self.depthwise2 = nn.Conv2d(512, 512, 7, groups=512)
        self.conv4 = nn.Conv2d(512, 512, 1)
        self.embedding = nn.Conv2d(512, 192, 1)

    def forward(self, chips: Tensor) -> Tensor:
        """Return embeddings (n, 192) of normalised chips (n, 3, 112, 112)."""
        x = self.prelu1(self.conv1(chips))
        x = self.conv2(self.prelu2(self.depthwise1(x)))
        for level in range(1, len(LEVELS) + 1):
            x = self.get_submodule(f"level{level}")(x)
        x = self.prelu3(self.conv3(x))
        return self.embedding(self.conv4(self.depthwise2(x))).flatten(1)


class Block(nn.Module):
    """An inverted residual block, with a shortcut unless its stride is 2."""

    def __init__(self, inputs: int, within: int, outputs: int, stride: int = 1) -> None:
        super().__init__()
        self.expand = nn.Conv2d(inputs, within, 1)
        self.prelu1 = nn.PReLU(within)
        self.depthwise = SameConv2d(within, within, 3, stride, groups=within)
        self.prelu2 = nn.PReLU(within)
        self.project = nn.Conv2d(within, outputs, 1)
        self.has_shortcut = stride == 1

    def forward(self, x: Tensor) -> Tensor:
        """Return cells (n, outputs, h / stride, w / stride) of cells (n, inputs, h, w)."""
        residual = self.prelu1(self.expand(x))
        residual = self.project(self.prelu2(self.depthwise(residual)))
        return x + residual if self.has_shortcut else residual


class SameConv2d(nn.Conv2d):
    """A square convolution with TensorFlow's padding SAME, of cells that its stride divides.

    Where an odd number of rows is missing, one more is added below than above, and so for columns
    on the right: a kernel of 3 at stride 2 is padded below and right only. Its cells thus lie a
    pixel further down and right than those of torch's ``padding=1``.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Return cells (n, outputs, h / stride, w / stride) of cells (n, inputs, h, w)."""
        missing = self.kernel_size[0] - self.stride[0]
        before = missing // 2
        after = missing - before
        return super().forward(F.pad(x, (before, after, before, after)))


def read_mobilefacenet(path: Path) -> dict[str, Tensor]:
    """Read the parameters of `MobileFaceNet` from its TFLite file.

    The file's operators run in the order of the network's modules. It writes a PReLU of slope a
    as relu(x) + c (x - abs(x)) with a constant c, so that a is 2 c.

    Parameters
    ----------
    path : Path
        The file ``MobileFaceNet.tflite``.

    Returns
    -------
    dict of str to Tensor
        Parameters by name, as in ``MobileFaceNet().state_dict()``.

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or holds another network.
    """
    with torch.device("meta"):
        modules = dict(MobileFaceNet().named_modules())
    convolutions = [name for name, module in modules.items() if isinstance(module, nn.Conv2d)]
    prelus = [name for name, module in modules.items() if isinstance(module, nn.PReLU)]
    graph = read_tflite(path)
    state: dict[str, Tensor] = {}
    for name, constants in graph.constants(convolutions, "CONV_2D", "DEPTHWISE_CONV_2D").items():
        state |= zip((f"{name}.weight", f"{name}.bias"), constants, strict=False)
    for name, (half,) in graph.constants(prelus, "MUL").items():
        state[f"{name}.weight"] = 2 * half
    return state
