"""IResNet, the residual network of InsightFace's ArcFace and CosFace recognisers.

Written from the architecture that "ArcFace" (arXiv 1801.07698, section 3.2, LResNet-E-IR) and
InsightFace's arcface_torch describe, with the latter's parameter names, so that its checkpoints
load strictly. Embeddings are not normalised.
"""

from typing import Final

from torch import Tensor, nn

WIDTHS: Final = (64, 128, 256, 512)
"""Channels of the four stages; the first block of each stage halves its input."""


def iresnet18() -> "IResNet":
    """Return an IResNet of 18 layers."""
    return IResNet((2, 2, 2, 2))


def iresnet50() -> "IResNet":
    """Return an IResNet of 50 layers."""
    return IResNet((3, 4, 14, 3))


def iresnet100() -> "IResNet":
    """Return an IResNet of 100 layers."""
    return IResNet((3, 13, 30, 3))


class IResNet(nn.Module):
    """The recogniser: normalised RGB chips (n, 3, 112, 112) to embeddings (n, 512).

    The paper's nine layers have the same names at every depth: ``conv1``,
    ``layer1.{0,1}.conv{1,2}`` and ``layer2.{0,1}.conv{1,2}``. At a depth of 18 these are the first
    nine convolutions in forward order, the shortcuts' left out: they only halve what passes.

    Parameters
    ----------
    blocks : tuple of int
        Residual blocks of each of the four stages.
    """

    def __init__(self, blocks: tuple[int, int, int, int]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, WIDTHS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(WIDTHS[0])
        self.prelu = nn.PReLU(WIDTHS[0])
        self.layer1 = _stage(WIDTHS[0], WIDTHS[0], blocks[0])
        self.layer2 = _stage(WIDTHS[0], WIDTHS[1], blocks[1])
        self.layer3 = _stage(WIDTHS[1], WIDTHS[2], blocks[2])
        self.layer4 = _stage(WIDTHS[2], WIDTHS[3], blocks[3])
        self.bn2 = nn.BatchNorm2d(WIDTHS[3])
        self.fc = nn.Linear(WIDTHS[3] * 7 * 7, 512)
        self.features = nn.BatchNorm1d(512)

    def forward(self, chips: Tensor) -> Tensor:
        """Return embeddings (n, 512) of normalised chips (n, 3, 112, 112)."""
        x = self.prelu(self.bn1(self.conv1(chips)))
        x = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return self.features(self.fc(self.bn2(x).flatten(1)))


class Block(nn.Module):
    """Two 3 x 3 convolutions between batch norms, added to a shortcut; the second one strides."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.bn1 = nn.BatchNorm2d(inputs)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.prelu = nn.PReLU(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, stride, padding=1, bias=False)
        self.bn3 = nn.BatchNorm2d(outputs)
        self.downsample = _downsample(inputs, outputs, stride) if stride > 1 else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, outputs, ceil(h / stride), ceil(w / stride)) of x (n, inputs, h, w)."""
        residual = self.prelu(self.bn2(self.conv1(self.bn1(x))))
        residual = self.bn3(self.conv2(residual))
        return residual + self.downsample(x)


def _stage(inputs: int, outputs: int, blocks: int) -> nn.Sequential:
    others = [Block(outputs, outputs, stride=1) for _ in range(1, blocks)]
    return nn.Sequential(Block(inputs, outputs, stride=2), *others)


def _downsample(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs))
