"""Position of a layer's cells on the chip, measured by running the network.

A cell is placed at the centre of its receptive field, as in Araujo, Norris and Sim, "Computing
Receptive Fields of Convolutional Neural Networks" (Distill, 2019): the field begins as a pixel of
the chip, grows through every convolution and pool by kernel, stride, padding and dilation, and
is the union of the branches' fields wherever branches meet.
"""

from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.weak import WeakTensorKeyDictionary

from ingest.networks.device import like
from leamstore.errors import LeamError
from leamstore.layers import CellGrid


class LayerError(LeamError):
    """A layer that a network lacks or doesn't run, or whose cells can't be placed."""


@dataclass(frozen=True)
class LayerGeometry:
    """A layer's cells on the chip, and their channels."""

    cells: CellGrid
    channels: int


def layer_geometry(
    network: nn.Module, layers: Iterable[str], size: int
) -> dict[str, LayerGeometry]:
    """Work out the grids of layers from one pass of a blank chip.

    Parameters
    ----------
    network : nn.Module
        Any network of chips (n, 3, size, size), in eval mode, on any device (also meta).
    layers : iterable of str
        Names of modules whose output is (n, channels, height, width).
    size : int
        Side of the chip in pixels.

    Returns
    -------
    dict of str to LayerGeometry
        By layer, in the order asked for.

    Raises
    ------
    LayerError
        If the network has no such layer or doesn't run it, if its output isn't a grid, or if an
        operation between chip and layer leaves no telling where the cells lie.
    """
    modules = {name: _find(network, name) for name in layers}
    chip = like(network, torch.empty(0)).new_zeros(1, 3, size, size)
    follower = _Follower(chip)
    grids: dict[str, LayerGeometry] = {}

    def read(name: str, _: nn.Module, __: Any, output: Any) -> None:
        where = follower.where.get(output) if isinstance(output, Tensor) else None
        grids[name] = _grid(name, size, output, where)

    with ExitStack() as stack, torch.no_grad():
        for name, module in modules.items():
            stack.enter_context(module.register_forward_hook(partial(read, name)))
        for module in network.modules():
            if isinstance(module, nn.Linear):
                stack.enter_context(module.register_forward_hook(follower.follow_linear))
        stack.enter_context(follower)
        network(chip)
    if idle := [name for name in modules if name not in grids]:
        raise LayerError(f"The network has a layer {idle[0]!r}, but does not run it: leave it out.")
    return {name: grids[name] for name in modules}


def _find(network: nn.Module, name: str) -> nn.Module:
    modules = dict(network.named_modules())
    if name not in modules:
        known = [key for key, module in modules.items() if isinstance(module, nn.Conv2d)]
        raise LayerError(
            f"The network has no layer {name!r}: its convolutions begin with "
            f"{', '.join(known[:9])}."
        )
    parts = name.split(".")
    for length in range(len(parts) + 1):
        around = ".".join(parts[:length])
        if isinstance(modules[around], torch.jit.ScriptModule):
            raise LayerError(
                f"Layer {name!r} lies in TorchScript, in which no layer can be watched: use the "
                "module that was scripted or traced."
            )
    return modules[name]


def _grid(name: str, size: int, output: Any, where: "_Cells | _Lost | None") -> LayerGeometry:
    if isinstance(where, _Lost):
        raise LayerError(
            f"The cells of layer {name!r} can't be placed on the chip, because the operation "
            f"{where.operation} comes before it: choose a layer nearer to the input."
        )
    if where is None or output.ndim != 4 or where.dims != (-2, -1):
        raise LayerError(
            f"The output of layer {name!r} is not a grid (n, channels, height, width) over the "
            "chip: choose a convolution."
        )
    y, x = where.axes
    if (y.stride, y.centre) != (x.stride, x.centre):
        raise LayerError(
            f"The cells of layer {name!r} lie differently in height and width: choose another."
        )
    _, channels, height, width = output.shape
    return LayerGeometry(CellGrid(height, width, y.stride, y.centre, size), channels)


@dataclass(frozen=True)
class _Axis:
    """Receptive field of the first cell, its first and last pixel, and the step to the next."""

    stride: float = 1.0
    first: float = 0.0
    last: float = 0.0

    @property
    def centre(self) -> float:
        return (self.first + self.last) / 2

    def shifted(self, cells: int) -> "_Axis":
        """Return the axis that begins so many cells later."""
        by = cells * self.stride
        return replace(self, first=self.first + by, last=self.last + by)

    def windowed(self, kernel: int, stride: int, padding: int, dilation: int) -> "_Axis":
        """Return the axis of a convolution or pool over this one."""
        begun = self.shifted(-padding)
        reach = dilation * (kernel - 1) * self.stride
        return _Axis(self.stride * stride, begun.first, begun.last + reach)


@dataclass(frozen=True)
class _Cells:
    """A tensor that is a grid over the chip: its axes y and x, and their dimensions (from -1)."""

    dims: tuple[int, int]
    axes: tuple[_Axis, _Axis]

    def kept_by(self, before: Tensor, after: Tensor) -> bool:
        """Whether the tensor after has as many cells as the one before, in the same place."""
        return after.ndim >= -min(self.dims) and all(
            after.shape[dim] == before.shape[dim] for dim in self.dims
        )


@dataclass(frozen=True)
class _Lost:
    """A tensor that depends on the chip, but of which no grid is known since an operation."""

    operation: str


class _Follower(TorchDispatchMode):
    """Record the positions of the cells of every tensor that is computed from the chip."""

    def __init__(self, chip: Tensor) -> None:
        super().__init__()
        self.where = WeakTensorKeyDictionary()
        self.where[chip] = _Cells((-2, -1), (_Axis(), _Axis()))

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else torch imports its compiler, only to disable it, which takes seconds.
        return False

    def __torch_dispatch__(
        self, func: OpOverload, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        outputs = func(*args, **(kwargs or {}))
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        sources = [(leaf, self.where[leaf]) for leaf in leaves if leaf in self.where]
        if sources:
            names = [argument.name for argument in func._schema.arguments]
            settings = dict(zip(names, args, strict=False)) | (kwargs or {})
            for output in tree_leaves(outputs):
                if isinstance(output, Tensor):
                    self.where[output] = _follow(func, settings, sources, output)
        return outputs

    def follow_linear(self, _: nn.Module, inputs: Any, output: Tensor) -> None:
        """Keep the positions of the input's cells in a linear layer on channels that come last.

        Torch flattens the cells on the way, which hides them from the operations' own rules.
        """
        source = self.where.get(inputs[0]) if inputs else None
        if isinstance(source, _Cells) and -1 not in source.dims:
            self.where[output] = source


_Source = tuple[Tensor, _Cells | _Lost]


def _follow(
    func: OpOverload, settings: dict[str, Any], sources: list[_Source], output: Tensor
) -> _Cells | _Lost:
    """Return where the cells of an operation's output lie, given its inputs that have any."""
    operation = func.overloadpacket
    where: _Cells | _Lost | None = None
    if move := _MOVES.get(operation):
        source, where = sources[0]
        if isinstance(where, _Cells):
            where = move(where, source, settings, output)
    elif torch.Tag.pointwise in func.tags or operation in _CELL_BY_CELL:
        where = _meet(sources, settings, output)
    return where or _Lost(operation.__name__)


def _meet(
    sources: list[_Source], settings: dict[str, Any], output: Tensor
) -> _Cells | _Lost | None:
    """Unite the receptive fields of inputs that an operation combines cell by cell."""
    dims = next((where.dims for _, where in sources if isinstance(where, _Cells)), None)
    if dims is None:
        return sources[0][1]
    if output.ndim < -min(dims) or _along(settings, sources[0][0]).intersection(dims):
        return None
    met: list[_Cells] = []
    for source, where in sources:
        if _is_one_cell(source, output, dims):
            continue  # as the weights of squeeze-and-excitation: moves no centre
        if isinstance(where, _Lost):
            return where
        if where.dims != dims or not where.kept_by(source, output):
            return None
        met.append(where)
    if len({(y.stride, x.stride) for y, x in (where.axes for where in met)}) != 1:
        return None
    y, x = zip(*(where.axes for where in met), strict=True)
    return _Cells(dims, (_union(y), _union(x)))


def _along(settings: dict[str, Any], source: Tensor) -> set[int]:
    """Return the dimensions, counted from -1, that an operation works along."""
    dims = settings.get("dim", settings.get("dims"))
    dims = [] if dims is None else [dims] if isinstance(dims, int) else dims
    return {dim if dim < 0 else dim - source.ndim for dim in dims}


def _is_one_cell(source: Tensor, output: Tensor, dims: tuple[int, int]) -> bool:
    return all(
        source.ndim < -dim or (source.shape[dim] == 1 and output.shape[dim] != 1) for dim in dims
    )


def _union(axes: Sequence[_Axis]) -> _Axis:
    first, last = min(axis.first for axis in axes), max(axis.last for axis in axes)
    return _Axis(axes[0].stride, first, last)


def _window(
    where: _Cells, source: Tensor, settings: dict[str, Any], output: Tensor
) -> _Cells | None:
    if source.ndim != 4 or where.dims != (-2, -1) or settings.get("transposed"):
        return None
    kernel = settings["weight"].shape[2:] if "weight" in settings else settings["kernel_size"]
    window = (
        kernel,
        settings.get("stride") or kernel,
        settings.get("padding", 0),
        settings.get("dilation", 1),
    )
    y, x = zip(*map(_both, window), strict=True)
    return replace(where, axes=(where.axes[0].windowed(*y), where.axes[1].windowed(*x)))


def _both(value: Any) -> tuple[int, int]:
    """Return a setting for y and x that torch lets be given as one number."""
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])


def _pad(where: _Cells, source: Tensor, settings: dict[str, Any], output: Tensor) -> _Cells:
    pads = [*settings.get("pad", settings.get("padding", ())), 0, 0, 0, 0, 0, 0]
    y, x = (
        axis.shifted(-pads[2 * (-dim - 1)])
        for dim, axis in zip(where.dims, where.axes, strict=True)
    )
    return replace(where, axes=(y, x))


def _slice(where: _Cells, source: Tensor, settings: dict[str, Any], output: Tensor) -> _Cells:
    (along,) = _along({"dim": settings.get("dim", 0)}, source)
    start = settings.get("start") or 0
    start += source.shape[along] if start < 0 else 0
    y, x = (
        replace(axis.shifted(start), stride=axis.stride * settings.get("step", 1))
        if dim == along
        else axis
        for dim, axis in zip(where.dims, where.axes, strict=True)
    )
    return replace(where, axes=(y, x))


def _permute(where: _Cells, source: Tensor, settings: dict[str, Any], output: Tensor) -> _Cells:
    order = [dim % source.ndim for dim in settings["dims"]]
    y, x = (order.index(dim % source.ndim) - source.ndim for dim in where.dims)
    return replace(where, dims=(y, x))


def _transpose(where: _Cells, source: Tensor, settings: dict[str, Any], output: Tensor) -> _Cells:
    order = list(range(source.ndim))
    a, b = settings["dim0"], settings["dim1"]
    order[a], order[b] = order[b], order[a]
    return _permute(where, source, {"dims": order}, output)


def _view(where: _Cells, source: Tensor, settings: dict[str, Any], output: Tensor) -> _Cells | None:
    from_first = min(where.dims)
    same = output.ndim >= -from_first and output.shape[from_first:] == source.shape[from_first:]
    return where if same else None


_aten = torch.ops.aten
_MOVES: Final = {
    _aten.convolution: _window,
    _aten.max_pool2d_with_indices: _window,
    _aten.avg_pool2d: _window,
    _aten.constant_pad_nd: _pad,
    _aten.reflection_pad2d: _pad,
    _aten.replication_pad2d: _pad,
    _aten.slice: _slice,
    _aten.permute: _permute,
    _aten.transpose: _transpose,
    _aten.view: _view,
    _aten._unsafe_view: _view,
}
"""Rules for operations that move, merge or reorder cells."""

_CELL_BY_CELL: Final = {
    *(_aten.native_batch_norm, _aten.cudnn_batch_norm, _aten.miopen_batch_norm),
    *(_aten._native_batch_norm_legit_no_training, _aten._batch_norm_no_update),
    *(_aten.native_layer_norm, _aten.native_group_norm),
    *(_aten._prelu_kernel, _aten.hardswish, _aten.hardswish_, _aten.mish_),
    *(_aten.cat, _aten.split, _aten.split_with_sizes, _aten.flip, _aten._softmax),
    *(_aten.channel_shuffle, _aten.native_channel_shuffle),
    *(_aten.mean, _aten.sum, _aten.amax, _aten.max, _aten.linalg_vector_norm),
    *(_aten._to_copy, _aten.copy_, _aten.alias, _aten.detach, _aten.expand),
}
"""Operations that leave cells where they are, as long as they don't work along y or x.

Torch tags the others of this kind as pointwise. A norm's statistics are shared by all cells.
"""
