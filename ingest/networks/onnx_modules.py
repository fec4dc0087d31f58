"""Operators of ONNX files whose weights are constants, as torch's own modules.

So random weights, gradients and the positions of cells work as in any other network.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ingest.networks.onnx_operators import FUNCTIONS, Ends, Sizes


def module_of(
    kind: str, attributes: dict[str, Any], constants: Sequence[Tensor | None] | None
) -> nn.Module | None:
    """Return the torch module of an operator with weights.

    Parameters
    ----------
    kind : str
        The operator's name in ONNX.
    attributes : dict
    constants : sequence of Tensor or None
        All its inputs but the first; None in place of the sequence: they are no constants.

    Returns
    -------
    nn.Module or None
        A module of the first input; None: the operator has none, and is a function.
    """
    build = _MODULES.get(kind)
    return None if build is None or constants is None else build(*constants, **attributes)


class PaddedConvolution(nn.Conv2d):
    """A convolution whose padding differs at the two ends of an axis."""

    ends: Callable[[Tensor], list[int]]

    def forward(self, input: Tensor) -> Tensor:
        """Pad, then convolve."""
        return super().forward(F.pad(input, self.ends(input)))


class BatchNorm(nn.BatchNorm1d):
    """Batch norm over axis 1 of an input of any rank, as ONNX has it."""

    def _check_input_dim(self, input: Tensor) -> None:
        """Take every input."""


def _filled(module: nn.Module, **tensors: Tensor | None) -> nn.Module:
    given = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    module.load_state_dict(given, assign=True)
    return module


def _convolution(
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    kernel_shape: Sizes = (),
    strides: Sizes = (1, 1),
    dilations: Sizes = (1, 1),
    pads: Sizes = (0, 0, 0, 0),
    group: int = 1,
    auto_pad: str = "NOTSET",
) -> nn.Module | None:
    if weight.ndim != 4:
        return None
    kernel = _pair(weight.shape[2:])
    outputs, inputs = len(weight), weight.shape[1] * group
    ends = Ends(kernel, strides, dilations, pads, auto_pad)
    kind = nn.Conv2d if ends.are_alike else PaddedConvolution
    with torch.device("meta"):
        module = kind(
            inputs, outputs, kernel, _pair(strides), _pair(pads) if ends.are_alike else 0,
            _pair(dilations), group, bias is not None,
        )  # fmt: skip
    if isinstance(module, PaddedConvolution):
        module.ends = ends
    return _filled(module, weight=weight, bias=bias)


def _pair(sizes: Sizes) -> tuple[int, int]:
    """Return the sizes along y and x."""
    return sizes[0], sizes[1]


def _batch_norm(
    weight: Tensor,
    bias: Tensor,
    mean: Tensor,
    variance: Tensor,
    *,
    epsilon: float = 1e-5,
    momentum: float = 0.9,
    training_mode: int = 0,
    spatial: int = 1,
) -> nn.Module:
    with torch.device("meta"):
        module = BatchNorm(len(weight), epsilon)
    tracked = torch.tensor(0)
    return _filled(
        module, weight=weight, bias=bias, running_mean=mean, running_var=variance,
        num_batches_tracked=tracked,
    )  # fmt: skip


def _gemm(
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    transA: int = 0,  # noqa: N803 - names of ONNX
    transB: int = 0,  # noqa: N803 - names of ONNX
) -> nn.Module | None:
    if transA or weight.ndim != 2:
        return None
    added = None if bias is None else beta * bias.reshape(-1)
    return _linear(alpha * (weight if transB else weight.T), added)


def _linear(weight: Tensor, bias: Tensor | None) -> nn.Module:
    outputs, inputs = weight.shape
    with torch.device("meta"):
        module = nn.Linear(inputs, outputs, bias is not None)
    return _filled(
        module,
        weight=weight.contiguous(),
        bias=None if bias is None else bias.expand(outputs).contiguous(),
    )


def _matmul(weight: Tensor) -> nn.Module | None:
    return _linear(weight.T, None) if weight.ndim == 2 else None


def _prelu(slope: Tensor) -> nn.Module | None:
    if slope.numel() > 1 and slope.shape != (len(slope), 1, 1):
        return None
    with torch.device("meta"):
        module = nn.PReLU(slope.numel())
    return _filled(module, weight=slope.reshape(-1))


def _layer_norm(
    weight: Tensor,
    bias: Tensor | None = None,
    *,
    axis: int = -1,
    epsilon: float = 1e-5,
    stash_type: int = 1,
) -> nn.Module:
    with torch.device("meta"):
        module = nn.LayerNorm(tuple(weight.shape), epsilon, bias=bias is not None)
    return _filled(module, weight=weight, bias=bias)


_MODULES: Final[dict[str, Callable[..., nn.Module | None]]] = {
    "Conv": _convolution,
    "BatchNormalization": _batch_norm,
    "Gemm": _gemm,
    "MatMul": _matmul,
    "PRelu": _prelu,
    "LayerNormalization": _layer_norm,
}
"""Modules of operators by kind, from all inputs but the first, and the attributes."""

KINDS: Final = FUNCTIONS.keys() | _MODULES.keys()
"""All kinds of operators that are known here."""
