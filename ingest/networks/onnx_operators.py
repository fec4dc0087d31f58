"""Operators of ONNX files as functions of tensors.

Each takes the operator's inputs, and its attributes by the names that ONNX gives them
(onnx.ai/onnx/operators). Whole numbers, such as shapes, stay in memory of the processor. Those
whose weights are constants are torch's own modules instead: `ingest.networks.onnx_modules`.
"""

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any, Final

import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

Numbers = Sequence[int] | Tensor
Sizes = list[int] | tuple[int, ...]


class Operator(nn.Module):
    """An operator without weights of its own.

    Parameters
    ----------
    kind : str
        Its name in ONNX, of `FUNCTIONS`.
    attributes : dict
        By their names in ONNX.

    Raises
    ------
    ValueError
        If it is of a kind, or has an attribute, that isn't known here.
    """

    def __init__(self, kind: str, attributes: dict[str, Any]) -> None:
        super().__init__()
        if kind not in FUNCTIONS:
            raise ValueError(f"{kind} has weights that the network computes")
        try:
            inspect.signature(FUNCTIONS[kind]).bind_partial(**attributes)
        except TypeError as error:
            raise ValueError(f"{kind} {error}") from error
        self.kind = kind
        self._attributes = attributes

    def forward(self, *inputs: Tensor | None) -> Any:
        """Return the operator's output, or a tuple of several."""
        return FUNCTIONS[self.kind](*inputs, **self._attributes)

    def extra_repr(self) -> str:
        """Return the kind of operator."""
        return self.kind


class Ends:
    """Padding of a window at both ends of y and x, in torch's order."""

    def __init__(
        self,
        kernel: Sequence[int],
        strides: Sequence[int],
        dilations: Sequence[int],
        pads: Sequence[int],
        auto_pad: str,
    ) -> None:
        self._windows = list(zip(kernel, strides, dilations, strict=True))
        self._pads = pads
        self._auto_pad = auto_pad

    @property
    def are_alike(self) -> bool:
        """Whether an axis is padded alike at both ends, whatever its length."""
        is_stated = not self._auto_pad.startswith("SAME")
        return is_stated and list(self._pads[:2]) == list(self._pads[2:])

    def __call__(self, x: Tensor) -> list[int]:
        """Return the pads of an input: x before and after, y before and after."""
        if not self._auto_pad.startswith("SAME"):
            return [self._pads[place] for place in (1, 3, 0, 2)]
        ends = [
            self._same(size, *window)
            for size, window in zip(x.shape[2:], self._windows, strict=True)
        ]
        return [*ends[1], *ends[0]]

    def _same(self, size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
        reach = (math.ceil(size / stride) - 1) * stride + (kernel - 1) * dilation + 1
        total = max(reach - size, 0)
        less, more = total // 2, total - total // 2
        return (less, more) if self._auto_pad == "SAME_UPPER" else (more, less)


def _pool(
    x: Tensor, padding: float, kernel_shape: Sizes, strides: Sizes,
    dilations: Sizes, pads: Sizes, auto_pad: str,
) -> tuple[Tensor, tuple[int, int]]:  # fmt: skip
    """Return the input of a pool, padded where torch's own padding can't do it, and the rest."""
    ends = Ends(kernel_shape, strides, dilations, pads, auto_pad)
    if ends.are_alike:
        return x, (pads[0], pads[1])
    return F.pad(x, ends(x), value=padding), (0, 0)


def _max_pool(
    x: Tensor,
    kernel_shape: Sizes,
    strides: Sizes = (1, 1),
    dilations: Sizes = (1, 1),
    pads: Sizes = (0, 0, 0, 0),
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    storage_order: int = 0,
) -> Tensor:
    x, padding = _pool(x, -math.inf, kernel_shape, strides, dilations, pads, auto_pad)
    return F.max_pool2d(x, kernel_shape, strides, padding, dilations, bool(ceil_mode))


def _average_pool(
    x: Tensor,
    kernel_shape: Sizes,
    strides: Sizes = (1, 1),
    pads: Sizes = (0, 0, 0, 0),
    auto_pad: str = "NOTSET",
    ceil_mode: int = 0,
    count_include_pad: int = 0,
) -> Tensor:
    padded, padding = _pool(x, 0.0, kernel_shape, strides, (1, 1), pads, auto_pad)
    if padded is not x and not count_include_pad:
        ones, _ = _pool(torch.ones_like(x), 0.0, kernel_shape, strides, (1, 1), pads, auto_pad)
        inside = F.avg_pool2d(ones, kernel_shape, strides)
        return F.avg_pool2d(padded, kernel_shape, strides) / inside
    return F.avg_pool2d(
        padded, kernel_shape, strides, padding, bool(ceil_mode), bool(count_include_pad)
    )


def _numbers(values: Numbers) -> list[int]:
    return values.tolist() if isinstance(values, Tensor) else list(values)


def _together(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Let a function of two tensors take one that is in memory of the processor with the other."""

    def apply(a: Tensor, b: Tensor) -> Tensor:
        if a.device != b.device:
            device = b.device if a.device.type == "cpu" else a.device
            a, b = a.to(device), b.to(device)
        return function(a, b)

    return apply


def _divide(a: Tensor, b: Tensor) -> Tensor:
    return torch.div(a, b, rounding_mode=None if a.is_floating_point() else "trunc")


def _modulo(a: Tensor, b: Tensor, fmod: int = 0) -> Tensor:
    return torch.fmod(a, b) if fmod else torch.remainder(a, b)


def _over(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[..., Tensor]:
    """Return a function of any number of tensors."""
    of_two = _together(function)

    def apply(first: Tensor, *others: Tensor) -> Tensor:
        for other in others:
            first = of_two(first, other)
        return first

    return apply


def _clip(
    x: Tensor, low: Tensor | None = None, high: Tensor | None = None, **ends: float
) -> Tensor:
    lowest = ends.get("min") if low is None else low.item()
    highest = ends.get("max") if high is None else high.item()
    return x.clamp(lowest, highest)


def _softmax_of_old(x: Tensor, axis: int = 1) -> Tensor:
    """Softmax before version 13 of the operators: over all axes from `axis` on."""
    return x.flatten(axis).softmax(-1).reshape(x.shape)


def _cast(x: Tensor, to: int, saturate: int = 1) -> Tensor:
    return x.to(_DTYPES[to])


_DTYPES: Final = {
    1: torch.float32, 2: torch.uint8, 3: torch.int8, 5: torch.int16, 6: torch.int32,
    7: torch.int64, 9: torch.bool, 10: torch.float16, 11: torch.float64, 16: torch.bfloat16,
}  # fmt: skip
"""By their numbers in ONNX's TensorProto.DataType."""


def _shape(x: Tensor, start: int = 0, end: int | None = None) -> Tensor:
    return torch.tensor(x.shape[start:end], dtype=torch.int64)


def _reshape(x: Tensor, shape: Tensor, allowzero: int = 0) -> Tensor:
    sizes = _numbers(shape)
    if not allowzero:
        sizes = [x.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    return x.reshape(sizes)


def _flatten(x: Tensor, axis: int = 1) -> Tensor:
    if axis == 1:
        return x.flatten(1)
    return x.reshape(math.prod(x.shape[:axis]), -1)


def _transpose(x: Tensor, perm: Sizes | None = None) -> Tensor:
    return x.permute(perm or list(range(x.ndim))[::-1])


def _squeeze(x: Tensor, given: Tensor | None = None, axes: Numbers | None = None) -> Tensor:
    chosen = axes if given is None else given
    return x.squeeze() if chosen is None else x.squeeze(_numbers(chosen))


def _unsqueeze(x: Tensor, given: Tensor | None = None, axes: Numbers = ()) -> Tensor:
    chosen = _numbers(axes if given is None else given)
    ndim = x.ndim + len(chosen)
    for axis in sorted(axis % ndim for axis in chosen):
        x = x.unsqueeze(axis)
    return x


def _expand(x: Tensor, shape: Tensor) -> Tensor:
    return x.expand(torch.broadcast_shapes(x.shape, tuple(_numbers(shape))))


def _gather(x: Tensor, indices: Tensor, axis: int = 0) -> Tensor:
    if indices.ndim == 0:
        return x.select(axis, int(indices))  # which is a view, and keeps cells in place
    positions = (indices % x.shape[axis]).to(x.device)
    chosen = x.index_select(axis, positions.reshape(-1))
    return chosen.unflatten(axis, indices.shape) if indices.ndim > 1 else chosen


def _scatter(x: Tensor, indices: Tensor, updates: Tensor) -> Tensor:
    places = tuple(axis.to(x.device) for axis in indices.unbind(-1))
    return x.index_put(places, updates.to(x))


def _slice(
    x: Tensor,
    first: Tensor | None = None,
    last: Tensor | None = None,
    along: Tensor | None = None,
    steps: Tensor | None = None,
    *,
    starts: Numbers = (),
    ends: Numbers = (),
    axes: Numbers | None = None,
) -> Tensor:
    begins = _numbers(starts if first is None else first)
    stops = _numbers(ends if last is None else last)
    chosen = axes if along is None else along
    every = [1] * len(begins) if steps is None else _numbers(steps)
    dims = list(range(len(begins))) if chosen is None else _numbers(chosen)
    for begin, stop, dim, step in zip(begins, stops, dims, every, strict=True):
        x = _sliced(x, begin, stop, dim, step)
    return x


def _sliced(x: Tensor, begin: int, stop: int, dim: int, step: int) -> Tensor:
    size = x.shape[dim]
    chosen = range(size)[slice(begin, None if step < 0 and stop < -size else stop, step)]
    if step > 0:
        return x[(slice(None),) * (dim % x.ndim) + (slice(chosen.start, chosen.stop, step),)]
    return x.index_select(dim, torch.tensor(list(chosen), device=x.device))


def _concat(*parts: Tensor, axis: int) -> Tensor:
    device = next((part.device for part in parts if part.device.type != "cpu"), parts[0].device)
    return torch.cat([part.to(device) for part in parts], axis)


def _split(
    x: Tensor,
    given: Tensor | None = None,
    *,
    axis: int = 0,
    split: Numbers | None = None,
    num_outputs: int | None = None,
) -> tuple[Tensor, ...]:
    sizes = split if given is None else given
    if sizes is not None:
        return x.split(_numbers(sizes), axis)
    return x.split(math.ceil(x.shape[axis] / (num_outputs or 2)), axis)


def _where(condition: Tensor, a: Tensor, b: Tensor) -> Tensor:
    device = next((x.device for x in (a, b, condition) if x.device.type != "cpu"), a.device)
    return torch.where(condition.to(device), a.to(device), b.to(device))


def _filled_with(shape: Tensor, value: NDArray[Any] | None = None) -> Tensor:
    number = torch.zeros(1) if value is None else torch.from_numpy(value.copy())
    return number.reshape(()).expand(_numbers(shape)).clone()


def _range(start: Tensor, limit: Tensor, delta: Tensor) -> Tensor:
    return torch.arange(start.item(), limit.item(), delta.item(), dtype=start.dtype)


def _pad(
    x: Tensor,
    given: Tensor | None = None,
    constant: Tensor | None = None,
    axes: Tensor | None = None,
    *,
    pads: Numbers = (),
    mode: str = "constant",
    value: float = 0.0,
) -> Tensor:
    ends = _numbers(pads if given is None else given)
    dims = list(range(x.ndim)) if axes is None else [dim % x.ndim for dim in _numbers(axes)]
    by_dim = dict(zip(dims, zip(ends[: len(dims)], ends[len(dims) :], strict=True), strict=True))
    in_order = [end for dim in reversed(range(x.ndim)) for end in by_dim.get(dim, (0, 0))]
    if mode == "constant":
        return F.pad(x, in_order, value=value if constant is None else constant.item())
    return F.pad(x, in_order[:4], mode={"edge": "replicate"}.get(mode, mode))


def _reducing(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    """Return a reduction along axes that are an attribute or, in newer files, an input."""

    def apply(
        x: Tensor,
        given: Tensor | None = None,
        *,
        axes: Numbers | None = None,
        keepdims: int = 1,
        noop_with_empty_axes: int = 0,
    ) -> Tensor:
        chosen = axes if given is None else given
        dims = [] if chosen is None else _numbers(chosen)
        if not dims and noop_with_empty_axes:
            return x
        return function(x, dim=tuple(dims or range(x.ndim)), keepdim=bool(keepdims))

    return apply


def _group_norm(
    x: Tensor, weight: Tensor, bias: Tensor, *, num_groups: int, epsilon: float = 1e-5,
    stash_type: int = 1,
) -> Tensor:  # fmt: skip
    # Before version 21 there is a scale for each group, later one for each channel.
    channels = x.shape[1]
    scale, shift = (one.repeat_interleave(channels // len(one)) for one in (weight, bias))
    return F.group_norm(x, num_groups, scale, shift, epsilon)


def _norm_of_unit_length(x: Tensor, axis: int = -1, p: int = 2) -> Tensor:
    return F.normalize(x, p, axis)


FUNCTIONS: Final[dict[str, Callable[..., Any]]] = {
    "Abs": lambda x: x.abs(),
    "Add": _together(torch.add),
    "And": _together(torch.logical_and),
    "AveragePool": _average_pool,
    "Cast": _cast,
    "Ceil": lambda x: x.ceil(),
    "Clip": _clip,
    "Concat": _concat,
    "ConstantOfShape": _filled_with,
    "Cos": lambda x: x.cos(),
    "Div": _together(_divide),
    "Dropout": lambda x, *_, **__: x,
    "Einsum": lambda *parts, equation: torch.einsum(equation, *parts),
    "Elu": lambda x, alpha=1.0: F.elu(x, alpha),
    "Equal": _together(torch.eq),
    "Erf": lambda x: x.erf(),
    "Exp": lambda x: x.exp(),
    "Expand": _expand,
    "Flatten": _flatten,
    "Floor": lambda x: x.floor(),
    "Gather": _gather,
    "Gelu": lambda x, approximate="none": F.gelu(x, approximate=approximate),
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdim=True),
    "GlobalMaxPool": lambda x: x.amax((2, 3), keepdim=True),
    "Greater": _together(torch.gt),
    "GreaterOrEqual": _together(torch.ge),
    "GroupNormalization": _group_norm,
    "HardSigmoid": lambda x, alpha=0.2, beta=0.5: (alpha * x + beta).clamp(0, 1),
    "HardSwish": F.hardswish,
    "Identity": lambda x: x,
    "InstanceNormalization": lambda x, weight, bias, epsilon=1e-5: F.instance_norm(
        x, weight=weight, bias=bias, eps=epsilon
    ),
    "LeakyRelu": lambda x, alpha=0.01: F.leaky_relu(x, alpha),
    "Less": _together(torch.lt),
    "LessOrEqual": _together(torch.le),
    "Log": lambda x: x.log(),
    "LpNormalization": _norm_of_unit_length,
    "MatMul": lambda a, b: a @ b,
    "Max": _over(torch.maximum),
    "MaxPool": _max_pool,
    "Min": _over(torch.minimum),
    "Mish": F.mish,
    "Mod": _modulo,
    "Mul": _together(torch.mul),
    "Neg": lambda x: -x,
    "Not": lambda x: ~x,
    "Or": _together(torch.logical_or),
    "PRelu": lambda x, slope: x.clamp(min=0) + slope * x.clamp(max=0),
    "Pad": _pad,
    "Pow": _together(torch.pow),
    "Range": _range,
    "Reciprocal": lambda x: x.reciprocal(),
    "ReduceL2": _reducing(torch.linalg.vector_norm),
    "ReduceMax": _reducing(torch.amax),
    "ReduceMean": _reducing(torch.mean),
    "ReduceMin": _reducing(torch.amin),
    "ReduceSum": _reducing(torch.sum),
    "Relu": F.relu,
    "Reshape": _reshape,
    "ScatterND": _scatter,
    "Selu": F.selu,
    "Shape": _shape,
    "Sigmoid": lambda x: x.sigmoid(),
    "Sign": lambda x: x.sign(),
    "Sin": lambda x: x.sin(),
    "Slice": _slice,
    "Softmax": lambda x, axis=-1: x.softmax(axis),
    "Softmax before 13": _softmax_of_old,
    "Softplus": F.softplus,
    "Split": _split,
    "Sqrt": lambda x: x.sqrt(),
    "Squeeze": _squeeze,
    "Sub": _together(torch.sub),
    "Sum": _over(torch.add),
    "Tanh": lambda x: x.tanh(),
    "Tile": lambda x, repeats: x.repeat(_numbers(repeats)),
    "Transpose": _transpose,
    "Unsqueeze": _unsqueeze,
    "Where": _where,
}
"""Functions of operators by kind, from the inputs and, by their names in ONNX, the attributes."""
