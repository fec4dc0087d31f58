"""A faster backward pass for networks whose parameters are frozen.

Torch's backward passes are made for training. Towards the input of a frozen network, batch norm
is a multiplication channel by channel, ReLU and PReLU are multiplications cell by cell, and
multiplications that follow each other are one:

- an activation after a batch norm goes back in one pass over its cells, not in two or three;
- a convolution after a batch norm goes back with its weights multiplied beforehand, so that the
  batch norm costs nothing.

Outputs are those of torch, to the bit for all but batch norm, which torch computes in another
order; gradients are the same numbers but for rounding behind a batch norm, and NaN and infinite
where torch's are.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import FunctionCtx
from torch.overrides import TorchFunctionMode
from torch.utils.weak import WeakTensorKeyDictionary

Size = int | Sequence[int]


class Frozen(TorchFunctionMode):
    """Context in which a network's operations take the forms of this module.

    `view` may need a copy, since the network may be run in a layout other than its author's.
    """

    def __init__(self) -> None:
        super().__init__()
        self._products = WeakTensorKeyDictionary()
        self._forms: dict[Callable[..., Any], Callable[..., Any]] = {
            F.batch_norm: self._batch_norm,
            torch.addcmul: self._addcmul,
            F.relu: self._relu,
            F.prelu: self._prelu,
            F.conv2d: self._conv2d,
            Tensor.view: _view,
            Tensor.view_as: lambda x, other: x.reshape_as(other),
        }

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run this module's form of a function, or else the function itself."""
        return self._forms.get(func, func)(*args, **(kwargs or {}))

    # The forms have torch's names of arguments, since a network may call by these.

    def _batch_norm(
        self,
        input: Tensor,
        running_mean: Tensor | None,
        running_var: Tensor | None,
        weight: Tensor | None = None,
        bias: Tensor | None = None,
        training: bool = False,
        momentum: float = 0.1,
        eps: float = 1e-5,
    ) -> Tensor:
        if training or running_mean is None or running_var is None:
            return F.batch_norm(
                input, running_mean, running_var, weight, bias, training, momentum, eps
            )
        # In half precision eps would be lost.
        variance = running_var.to(torch.promote_types(running_var.dtype, torch.float32))
        scale = torch.rsqrt(variance + eps) * (1 if weight is None else weight)
        shift = (0 if bias is None else bias) - running_mean * scale
        return self._addcmul(_along_channels(shift, input), input, _along_channels(scale, input))

    def _addcmul(self, input: Tensor, tensor1: Tensor, tensor2: Tensor, **other: Any) -> Tensor:
        out = torch.addcmul(input, tensor1, tensor2, **other)
        is_frozen = not other and _is_frozen(tensor2) and _is_frozen(input)
        # Where nothing goes back, nothing has to be known of the way.
        if is_frozen and out.shape == tensor1.shape and torch.is_grad_enabled():
            self._products[out] = _Product.of(out, tensor1, tensor2.detach())
        return out

    def _relu(self, input: Tensor, inplace: bool = False) -> Tensor:
        product = self._product_behind(input)
        if product is None or inplace:
            return F.relu(input, inplace)
        return _Rectified.apply(product.source, F.relu(input.detach()), product.scale)

    def _prelu(self, input: Tensor, weight: Tensor) -> Tensor:
        positive = (input > 0).to(input.dtype)
        slope = torch.addcmul(positive, 1 - positive, _along_channels(weight.detach(), input))
        product = self._product_behind(input)
        if product is None:
            return input * slope
        return _Sloped.apply(product.source, input.detach() * slope, slope * product.scale)

    def _conv2d(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None = None,
        stride: Size = 1,
        padding: Size | str = 0,
        dilation: Size = 1,
        groups: int = 1,
    ) -> Tensor:
        product = self._product_behind(input)
        if (
            product is None
            or groups > 1
            or isinstance(padding, str)
            or not _is_by_channel(product.scale, input)
        ):
            return F.conv2d(input, weight, bias, stride, padding, dilation, groups)
        out = F.conv2d(input.detach(), weight, bias, stride, padding, dilation, groups)
        scaled = weight.detach() * product.scale.reshape(1, -1, 1, 1)
        steps = [_pair(stride), _pair(padding), _pair(dilation)]
        return _Convolved.apply(product.source, out, scaled.to(out.dtype), steps)

    def _product_behind(self, x: Tensor) -> "_Product | None":
        """Return the factors whose product is x, if neither was overwritten since."""
        product = self._products.get(x)
        return product if product is not None and product.holds(x) else None


@dataclass(frozen=True)
class _Product:
    """A tensor is `scale` times `source`, and something constant; and their versions then."""

    source: Tensor
    scale: Tensor
    versions: tuple[int, int]

    @classmethod
    def of(cls, out: Tensor, source: Tensor, scale: Tensor) -> "_Product":
        return cls(source, scale, (out._version, source._version))

    def holds(self, out: Tensor) -> bool:
        return self.versions == (out._version, self.source._version)


class _Rectified(torch.autograd.Function):
    """The ReLU of a product, computed already: towards its source.

    A cell at 0 lets nothing pass, whatever comes: an infinite gradient times 0 would be NaN.
    """

    @staticmethod
    def forward(ctx: FunctionCtx, source: Tensor, out: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(out, scale)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        out, scale = ctx.saved_tensors
        return torch.ops.aten.threshold_backward(gradient, out, 0).mul_(scale), None, None


class _Sloped(torch.autograd.Function):
    """An output computed already, whose gradient towards its source is a slope for each cell."""

    @staticmethod
    def forward(ctx: FunctionCtx, source: Tensor, out: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(slope)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        (slope,) = ctx.saved_tensors
        return gradient * slope, None, None


class _Convolved(torch.autograd.Function):
    """A convolution computed already, and the weights that its gradient goes back by."""

    @staticmethod
    def forward(
        ctx: Any, source: Tensor, out: Tensor, weight: Tensor, steps: list[list[int]]
    ) -> Tensor:
        ctx.save_for_backward(source.detach().to(out.dtype), weight)
        ctx.steps = steps
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        source, weight = ctx.saved_tensors
        towards_source, _, _ = torch.ops.aten.convolution_backward(
            gradient, source, weight, None, *ctx.steps, False, [0, 0], 1, [True, False, False]
        )
        return towards_source, None, None, None


def _view(x: Tensor, *shape: Any, **other: Any) -> Tensor:
    if other or isinstance(shape[0], torch.dtype):
        return x.view(*shape, **other)
    return x.reshape(*shape)


def _along_channels(values: Tensor, x: Tensor) -> Tensor:
    return values.to(x.dtype).reshape(-1, *[1] * (x.ndim - 2))


def _is_frozen(tensor: Any) -> bool:
    return isinstance(tensor, Tensor) and tensor.grad_fn is None


def _is_by_channel(scale: Tensor, x: Tensor) -> bool:
    """Return whether a scale is one number for each channel of x (n, channel, y, x)."""
    return scale.shape in ((x.shape[1], 1, 1), (1, x.shape[1], 1, 1))


def _pair(size: Size) -> list[int]:
    return [size, size] if isinstance(size, int) else list(size)
