"""Positions on the chip of the cells of every tensor that a network computes, while it runs.

Beside each tensor stands another of its shape, which holds for each element the number of its cell
in a grid over the chip, counted row by row. Operations that only move elements (a transposition,
windows, a shift that is undone later) are applied to these numbers, too. A convolution or pool
begins a new grid, whose cells are centred on their receptive field.

Attention mixes all tokens, so that their receptive field is the whole chip. The result for a query
is added to the token that asks: it keeps the place of the query.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import torch
from torch import Tensor
from torch._ops import OpOverload
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.weak import WeakTensorKeyDictionary

from ingest.networks.cell_layout import CellLayout, ChannelsFirst, ChannelsLast, TokenGrid


@dataclass(frozen=True)
class Axis:
    """Receptive field of the first cell, its first and last pixel, and the step to the next."""

    stride: float = 1.0
    first: float = 0.0
    last: float = 0.0

    @property
    def centre(self) -> float:
        """Centre of the first cell in pixels."""
        return (self.first + self.last) / 2

    def windowed(self, kernel: int, stride: int, padding: int, dilation: int) -> "Axis":
        """Return the axis of a convolution or pool over this one."""
        begun = self.taken(-padding, -padding, stride)
        reach = dilation * (kernel - 1) * self.stride
        return replace(begun, last=begun.last + reach)

    def taken(self, first: int, last: int, step: int) -> "Axis":
        """Return the axis of every step-th cell, the first of which unites cells first to last."""
        begin, end = self.first + first * self.stride, self.last + last * self.stride
        return Axis(self.stride * step, begin, end)


@dataclass(frozen=True)
class Grid:
    """Cells over the chip."""

    height: int
    width: int
    y: Axis = Axis()
    x: Axis = Axis()


@dataclass(frozen=True)
class Cells:
    """A tensor whose elements belong to cells.

    Attributes
    ----------
    grid : Grid
    numbers : Tensor
        int64, of the tensor's shape: cells of the grid, counted row by row, or `_NONE` or
        `_UNKNOWN`. Its stride is 0 along each dimension in which it doesn't vary.
    mover : str, optional
        The last operation that may have put cells out of order.
    """

    grid: Grid
    numbers: Tensor
    mover: str | None = None

    @classmethod
    def of(cls, grid: Grid, layout: CellLayout, shape: torch.Size) -> "Cells":
        """Return the cells of a tensor of this shape that holds the grid in a layout."""
        numbers = torch.arange(grid.height * grid.width, device=_CPU)
        match layout:
            case TokenGrid(prefix):
                before = torch.full((prefix,), _NONE, device=_CPU)
                numbers = torch.cat([before, numbers]).unsqueeze(-1)
            case ChannelsLast():
                numbers = numbers.view(grid.height, grid.width, 1)
            case _:
                numbers = numbers.view(grid.height, grid.width)
        return cls(grid, numbers.expand(shape))

    def ordered(self) -> tuple[CellLayout, Grid] | None:
        """Return the layout of the tensor, and the grid that its cells are; None: they are none.

        Where the channels of a cell come from different cells, as in a merger of patches, it is
        the union of these.
        """
        if self.numbers.shape[0] != 1:
            return None
        if self.numbers.ndim == 3:
            found = _ordered_tokens(self.numbers[0], self.grid)
            if found is None:
                return None
            prefix, grid = found
            return TokenGrid(prefix, grid.height, grid.width), grid
        if self.numbers.ndim == 4:
            if first := _ordered_grid(self.numbers[0].movedim(0, -1), self.grid):
                return ChannelsFirst(), first
            if last := _ordered_grid(self.numbers[0], self.grid):
                return ChannelsLast(), last
        return None


_CPU: Final = torch.device("cpu")
"""Where numbers are, wherever the network is: also without data, on the meta device."""

_NONE: Final = -1
"""Number of an element that doesn't depend on the chip, as a class token at first."""

_UNKNOWN: Final = -2
"""Number of an element of which no cell is known."""


def _ordered_tokens(numbers: Tensor, grid: Grid) -> tuple[int, Grid] | None:
    """Return how many tokens of (token, channel) precede a grid of cells, and that grid."""
    columns = _columns(numbers)
    prefix = int((columns[:, 0] < 0).cumprod(0).sum())
    patches = columns[prefix:]
    if len(patches) == 0:
        return None
    rows = patches[:, 0] // grid.width
    width = int((rows == rows[0]).cumprod(0).sum())
    if len(patches) % width:
        return None
    found = _ordered_grid(patches.view(-1, width, patches.shape[1]), grid)
    return None if found is None else (prefix, found)


def _ordered_grid(numbers: Tensor, grid: Grid) -> Grid | None:
    """Return the grid that (y, x, channel) cells of another one are, if they lie like one."""
    height, width, _ = numbers.shape
    columns = _columns(numbers.flatten(0, 1)).view(height, width, -1)
    if bool((columns < 0).any()) or columns.numel() == 0:
        return None
    y, x = columns // grid.width, columns % grid.width
    step_y = int(y[1, 0, 0] - y[0, 0, 0]) if height > 1 else 1
    step_x = int(x[0, 1, 0] - x[0, 0, 0]) if width > 1 else 1
    rows = step_y * torch.arange(height, device=_CPU)[:, None, None]
    places = step_x * torch.arange(width, device=_CPU)[:, None]
    is_regular = bool((y == y[0, 0] + rows).all() and (x == x[0, 0] + places).all())
    if min(step_y, step_x) < 1 or not is_regular:
        return None
    return Grid(
        height,
        width,
        grid.y.taken(int(y[0, 0].min()), int(y[0, 0].max()), step_y),
        grid.x.taken(int(x[0, 0].min()), int(x[0, 0].max()), step_x),
    )


def _columns(numbers: Tensor) -> Tensor:
    """Return the different columns (cell, n), without those that hold no cell at all."""
    if not _varies(numbers, -1):
        return numbers[:, :1]
    columns = numbers.unique(dim=1)
    depends = (columns != _NONE).any(0)
    return columns[:, depends] if bool(depends.any()) else columns[:, :1]


@dataclass(frozen=True)
class Lost:
    """A tensor that depends on the chip, but of whose cells nothing is known since an operation."""

    operation: str


Where = Cells | Lost


class Follower(TorchDispatchMode):
    """Context that records the cells of all tensors that are computed from a chip.

    Parameters
    ----------
    chip : Tensor
        (1, channels, height, width)

    Attributes
    ----------
    where : mapping of Tensor to Cells or Lost
    """

    def __init__(self, chip: Tensor) -> None:
        super().__init__()
        self.where = WeakTensorKeyDictionary()
        self.where[chip] = Cells.of(Grid(*chip.shape[2:]), ChannelsFirst(), chip.shape)

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Else torch imports its compiler, only to disable it, which takes seconds.
        return False

    def __torch_dispatch__(
        self, func: OpOverload, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        """Run an operation, and record where the cells of its outputs lie."""
        kwargs = kwargs or {}
        outputs = func(*args, **kwargs)
        leaves = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        sources = [(leaf, self.where[leaf]) for leaf in leaves if leaf in self.where]
        if sources and func.overloadpacket not in _CONSTANTS:
            call = _Call(func, args, kwargs, self.where, sources)
            tensors = [leaf for leaf in tree_leaves(outputs) if isinstance(leaf, Tensor)]
            for tensor, where in zip(tensors, _follow(call, tensors), strict=True):
                self.where[tensor] = where
        return outputs


@dataclass(frozen=True)
class _Call:
    """A call of an operation, and those of its inputs that depend on the chip."""

    func: OpOverload
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    where: WeakTensorKeyDictionary
    sources: list[tuple[Tensor, Where]]

    def setting(self, *names: str) -> Any:
        """Return the argument of one of these names, or None."""
        declared = [argument.name for argument in self.func._schema.arguments]
        given = dict(zip(declared, self.args, strict=False)) | self.kwargs
        return next((given[name] for name in names if name in given), None)

    @property
    def name(self) -> str:
        return self.func.overloadpacket.__name__

    def dims(self, source: Tensor) -> list[int]:
        """Return the dimensions, counted from 0, that an operation works along; none: all."""
        dims = self.setting("dim", "dims")
        dims = [dims] if isinstance(dims, int) else dims
        return [dim % source.ndim for dim in dims] if dims else list(range(source.ndim))


def _follow(call: _Call, outputs: list[Tensor]) -> list[Where]:
    """Return where the cells of an operation's outputs lie."""
    operation = call.func.overloadpacket
    if operation in _MOVES:
        found = _move(call, outputs)
    elif rule := _RULES.get(operation):
        found = [rule(call, output) for output in outputs]
    elif torch.Tag.pointwise in call.func.tags or operation in _CELL_BY_CELL:
        found = [_meet(call, output) for output in outputs]
    else:
        found = [None] * len(outputs)
    return [where or _lost(call) for where in found]


def _lost(call: _Call) -> Lost:
    """Return the operation to blame: an earlier one, if cells were lost or out of order already."""
    for _, where in call.sources:
        if isinstance(where, Lost):
            return where
        is_grid = where.numbers.ndim in (3, 4)
        if is_grid and where.mover is not None and where.ordered() is None:
            return Lost(where.mover)
    return Lost(call.name)


def _move(call: _Call, outputs: list[Tensor]) -> Sequence[Where | None]:
    """Move numbers as their tensors are moved."""
    held = [where for _, where in call.sources if isinstance(where, Cells)]
    if not held:
        return [None] * len(outputs)
    if len({where.grid for where in held}) > 1:
        return [_join(call, output) for output in outputs]

    def numbers_of(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        where = call.where.get(leaf)
        if isinstance(where, Cells):
            return where.numbers
        number = torch.tensor(_NONE if where is None else _UNKNOWN, device=_CPU)
        return number.expand(leaf.shape)

    operation = call.func.overloadpacket
    if operation in _VIEWS:
        moved = [held[0].numbers.reshape(outputs[0].shape)]
    else:
        moved = tree_leaves(call.func(*tree_map(numbers_of, call.args), **call.kwargs))
    lost = [where.operation for _, where in call.sources if isinstance(where, Lost)]
    mover = (*lost, call.name)[0] if operation in _MOVERS else held[0].mover
    return [Cells(held[0].grid, _compact(numbers), mover) for numbers in moved]


def _compact(numbers: Tensor) -> Tensor:
    """Give numbers a stride of 0 along each dimension in which they don't vary."""
    for dim in range(numbers.ndim):
        one = numbers.narrow(dim, 0, min(1, numbers.shape[dim]))
        if _varies(numbers, dim) and bool((numbers == one).all()):
            numbers = one.expand(numbers.shape)
    return numbers


def _varies(numbers: Tensor, dim: int) -> bool:
    return numbers.shape[dim] > 1 and numbers.stride(dim) != 0


def _join(call: _Call, output: Tensor) -> Cells | None:
    """Unite branches that are joined along their channels."""
    along = {dim - output.ndim for dim in call.dims(output)}
    united = _unite([where for _, where in call.sources], output.shape, along)
    return united if call.func.overloadpacket == _aten.cat else None


def _meet(call: _Call, output: Tensor) -> Where | None:
    """Unite the cells of inputs that an operation combines element by element."""
    placed = [
        (source, where)
        for source, where in call.sources
        if isinstance(where, Cells) and _broadcasts(source, output)
    ]
    if not placed:
        return None
    most = max((where for _, where in placed), key=lambda where: where.numbers.numel())
    varying = [
        dim - most.numbers.ndim for dim in range(most.numbers.ndim) if _varies(most.numbers, dim)
    ]
    # Weights of squeeze-and-excitation are for all cells: they move none.
    met = [where for source, where in call.sources if not _is_for_all(source, varying)] or [most]
    numbers = _agreed(met, output.shape)
    if numbers is not None:
        return most if numbers is most.numbers else replace(most, numbers=numbers)
    return _unite(met, output.shape)


def _broadcasts(source: Tensor, output: Tensor) -> bool:
    return source.ndim <= output.ndim and all(
        source.shape[dim] in (1, output.shape[dim]) for dim in range(-source.ndim, 0)
    )


def _is_for_all(source: Tensor, varying: Sequence[int]) -> bool:
    """Return whether a source is the same along all dimensions in which cells vary."""
    return bool(varying) and all(source.ndim < -dim or source.shape[dim] == 1 for dim in varying)


def _agreed(met: Sequence[Where], shape: torch.Size) -> Tensor | None:
    """Return the numbers that inputs of one grid have in common."""
    if len({where.grid if isinstance(where, Cells) else None for where in met}) != 1:
        return None
    if isinstance(met[0], Lost):
        return None
    agreed = met[0].numbers
    if agreed.shape != shape:
        agreed = agreed.expand(shape)
    for where in met[1:]:
        assert isinstance(where, Cells)
        other = where.numbers.expand(shape)
        if bool(((agreed != other) & (agreed != _NONE) & (other != _NONE)).any()):
            return None
        if bool((agreed == _NONE).any()):
            agreed = _compact(torch.where(agreed == _NONE, other, agreed))
    return agreed


def _unite(
    met: Sequence[Where], shape: torch.Size, along: Sequence[int] | set[int] = ()
) -> Cells | None:
    """Return the cells of branches in order, each the union of what the branches' cells see."""
    ordered = [where.ordered() if isinstance(where, Cells) else None for where in met]
    branches = [branch for branch in ordered if branch is not None]
    if len(branches) < len(met) or len({layout for layout, _ in branches}) != 1:
        return None
    layout, grids = branches[0][0], [grid for _, grid in branches]
    if len({(grid.height, grid.width, grid.y.stride, grid.x.stride) for grid in grids}) != 1:
        return None
    if set(along) & set(_DIMS[type(layout)]):
        return None
    grid = replace(
        grids[0], y=_union([grid.y for grid in grids]), x=_union([grid.x for grid in grids])
    )
    return Cells.of(grid, layout, shape)


_DIMS: Final[dict[type, tuple[int, ...]]] = {
    ChannelsFirst: (-2, -1),
    ChannelsLast: (-3, -2),
    TokenGrid: (-2,),
}
"""Dimensions of the cells in each layout."""


def _union(axes: Sequence[Axis]) -> Axis:
    first, last = min(axis.first for axis in axes), max(axis.last for axis in axes)
    return Axis(axes[0].stride, first, last)


def _window(call: _Call, output: Tensor) -> Cells | None:
    """Begin the grid of a convolution or pool."""
    _, where = call.sources[0]
    found = where.ordered() if isinstance(where, Cells) else None
    if found is None or found[0] != ChannelsFirst() or call.setting("transposed"):
        return None
    weight = call.setting("weight")
    kernel = call.setting("kernel_size") if weight is None else weight.shape[2:]
    window = (
        kernel,
        call.setting("stride") or kernel,
        call.setting("padding") or 0,
        call.setting("dilation") or 1,
    )
    y, x = zip(*map(_both, window), strict=True)
    height, width = output.shape[2:]
    grid = Grid(height, width, found[1].y.windowed(*y), found[1].x.windowed(*x))
    return Cells.of(grid, ChannelsFirst(), output.shape)


def _both(value: Any) -> tuple[int, int]:
    """Return a setting for y and x that torch lets be given as one number."""
    values = [value] if isinstance(value, int) else list(value)
    return (values[0], values[-1])


def _pad(call: _Call, output: Tensor) -> Cells | None:
    """Begin the grid of a tensor with cells around it; cells out of order get none around them."""
    _, where = call.sources[0]
    pads = list(call.setting("pad", "padding"))
    if not isinstance(where, Cells) or not any(pads):
        return where if isinstance(where, Cells) else None
    found = where.ordered()
    if found is None and call.func.overloadpacket == _aten.constant_pad_nd:
        padded = _aten.constant_pad_nd(where.numbers, pads, _NONE)
        return replace(where, numbers=_compact(padded))
    if found is None or isinstance(found[0], TokenGrid):
        return None
    layout, grid = found
    pads += [0] * 8
    (height, before_y), (width, before_x) = (
        (output.shape[dim], pads[2 * (-dim - 1)]) for dim in _DIMS[type(layout)]
    )
    y, x = grid.y.taken(-before_y, -before_y, 1), grid.x.taken(-before_x, -before_x, 1)
    return Cells.of(Grid(height, width, y, x), layout, output.shape)


def _reduce(call: _Call, output: Tensor) -> Cells | None:
    """Keep the cells of an operation along dimensions in which they don't vary."""
    source, where = call.sources[0]
    if not isinstance(where, Cells):
        return None
    numbers = where.numbers
    for dim in call.dims(source):
        if _varies(numbers, dim):
            return None
        numbers = numbers.narrow(dim, 0, 1)
    keeps = output.ndim == numbers.ndim
    numbers = numbers.expand(output.shape) if keeps else numbers.reshape(output.shape)
    return replace(where, numbers=numbers)


def _multiply(call: _Call, output: Tensor) -> Cells | None:
    """Place the rows of a matrix product where those of its first factor lie, else its columns."""
    rows = call.where.get(call.setting("mat1", "batch1", "input", "self"))
    columns = call.where.get(call.setting("mat2", "batch2"))
    if isinstance(rows, Cells):
        return _by_row(rows, output)
    if rows is None and isinstance(columns, Cells) and not _varies(columns.numbers, -2):
        return replace(columns, numbers=columns.numbers[..., :1, :].expand(output.shape))
    return None


def _attend(call: _Call, output: Tensor) -> Cells | None:
    """Place the outputs of attention where their queries lie."""
    queries = call.where.get(call.args[0])
    is_result = isinstance(queries, Cells) and output.shape[:-1] == queries.numbers.shape[:-1]
    return _by_row(queries, output) if is_result else None


def _by_row(where: Cells, output: Tensor) -> Cells | None:
    """Place the rows of an output where those of its source lie."""
    numbers = where.numbers
    if not _varies(numbers, -1):
        return replace(where, numbers=numbers[..., :1].expand(output.shape))
    # Each row is a sum over elements of several cells: it is their union.
    if numbers.shape[:-1].numel() != numbers.shape[-2]:
        return None
    found = _ordered_tokens(numbers.reshape(-1, numbers.shape[-1]), where.grid)
    if found is None:
        return None
    prefix, grid = found
    return Cells.of(grid, TokenGrid(prefix, grid.height, grid.width), output.shape)


_aten = torch.ops.aten

_CONSTANTS: Final = {
    *(_aten.new_zeros, _aten.new_ones, _aten.new_full, _aten.new_empty),
    *(_aten.zeros_like, _aten.ones_like, _aten.full_like, _aten.empty_like),
}
"""Operations whose output takes no more than form from their input."""

_VIEWS: Final = {_aten.view, _aten._unsafe_view, _aten.squeeze, _aten.unsqueeze}
"""Operations that keep the order of elements."""

_MOVERS: Final = {
    *(_aten.view, _aten._unsafe_view, _aten.cat, _aten.stack, _aten.repeat),
    *(_aten.slice, _aten.roll, _aten.flip, _aten.channel_shuffle, _aten.native_channel_shuffle),
    *(_aten.pixel_shuffle, _aten.pixel_unshuffle, _aten.unfold),
}
"""Operations that may put cells out of order."""

_MOVES: Final = {
    *_VIEWS,
    *_MOVERS,
    *(_aten.permute, _aten.transpose, _aten.t, _aten.expand, _aten.select, _aten.unbind),
    *(_aten.split, _aten.split_with_sizes, _aten.unsafe_split),
}
"""Operations whose outputs consist of elements of their inputs."""

_RULES: Final[dict[Any, Callable[[_Call, Tensor], Where | None]]] = {
    operation: rule
    for rule, operations in (
        (_window, (_aten.convolution, _aten.max_pool2d_with_indices, _aten.avg_pool2d)),
        (_pad, (_aten.constant_pad_nd, _aten.reflection_pad2d, _aten.replication_pad2d)),
        (_reduce, (_aten.mean, _aten.sum, _aten.amax, _aten.max, _aten.linalg_vector_norm)),
        (_reduce, (_aten._softmax, _aten._safe_softmax)),
        (_multiply, (_aten.mm, _aten.addmm, _aten.bmm, _aten.baddbmm, _aten.linear)),
        (_attend, (_aten._native_multi_head_attention, _aten._transformer_encoder_layer_fwd)),
        (_attend, (_aten._scaled_dot_product_flash_attention_for_cpu,)),
        (_attend, (_aten._scaled_dot_product_flash_attention,)),
        (_attend, (_aten._scaled_dot_product_efficient_attention,)),
        (_attend, (_aten._scaled_dot_product_cudnn_attention,)),
    )
    for operation in operations
}
"""Operations with a rule of their own."""

_CELL_BY_CELL: Final = {
    *(_aten.native_batch_norm, _aten.cudnn_batch_norm, _aten.miopen_batch_norm),
    *(_aten._native_batch_norm_legit_no_training, _aten._batch_norm_no_update),
    *(_aten.native_layer_norm, _aten.native_group_norm),
    *(_aten._prelu_kernel, _aten.hardswish, _aten.hardswish_, _aten.mish_),
    *(_aten._to_copy, _aten.copy_, _aten.alias, _aten.detach),
}
"""Operations that leave cells where they are, besides those that torch tags as pointwise.

A norm's statistics are shared by all cells.
"""
