"""Position of a layer's cells on the chip, measured by running the network.

A cell is placed at the centre of its receptive field, as in Araujo, Norris and Sim, "Computing
Receptive Fields of Convolutional Neural Networks" (Distill, 2019): the field begins as a pixel of
the chip, grows through every convolution and pool by kernel, stride, padding and dilation, and
is the union of the branches' fields wherever branches meet. A token is placed where its patch lies,
though attention lets it see the whole chip.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from math import isqrt
from typing import Any

import torch
from torch import Tensor, nn

from ingest.networks.cell_following import Axis, Cells, Follower, Grid, Lost, Where
from ingest.networks.cell_layout import CellLayout, ChannelsFirst, ChannelsLast, TokenGrid
from ingest.networks.device import like
from leamstore.catalog import Tokens
from leamstore.errors import LeamError
from leamstore.layers import CellGrid

Stated = Tokens | str | None
"""What a catalog entry says of layers that aren't (image, channel, y, x): its field `tokens`."""


class LayerError(LeamError):
    """A layer that a network lacks or doesn't run, or whose cells can't be placed."""


@dataclass(frozen=True)
class LayerGeometry:
    """A layer's cells on the chip, their channels, and how the layer's output holds them."""

    cells: CellGrid
    channels: int
    layout: CellLayout = field(default_factory=ChannelsFirst)


def layer_geometry(
    network: nn.Module, layers: Iterable[str], size: int, stated: Stated = None
) -> dict[str, LayerGeometry]:
    """Work out the grids of layers from one pass of a blank chip.

    Parameters
    ----------
    network : nn.Module
        Any network of chips (n, 3, size, size), in eval mode, on any device (also meta).
    layers : iterable of str
        Names of modules whose output is (n, channels, height, width), (n, height, width, channels)
        or (n, tokens, channels).
    size : int
        Side of the chip in pixels.
    stated : Tokens or "channels-last" or None
        How the outputs hold their cells where this can't be worked out; patches then divide the
        chip evenly.

    Returns
    -------
    dict of str to LayerGeometry
        By layer, in the order asked for.

    Raises
    ------
    LayerError
        If the network has no such layer or doesn't run it, if its output isn't a grid, if an
        operation between chip and layer leaves no telling where the cells lie, or if what was
        stated isn't so.
    """
    modules = {name: _find(network, name) for name in layers}
    grids: dict[str, LayerGeometry] = {}

    def read(name: str, output: Any, where: Where | None) -> None:
        grids[name] = _geometry(name, size, output, where, stated)

    _watch(network, modules, size, read)
    if idle := [name for name in modules if name not in grids]:
        raise LayerError(f"The network has a layer {idle[0]!r}, but does not run it: leave it out.")
    return {name: grids[name] for name in modules}


def placed_layers(network: nn.Module, size: int, stated: Stated = None) -> dict[str, LayerGeometry]:
    """Work out the grids of all layers that can be explained; parameters as `layer_geometry`'s.

    Returns
    -------
    dict of str to LayerGeometry
        By layer, in forward order: those that run once and whose cells can be placed. Of modules
        within each other that give the same output, the innermost.
    """
    grids: dict[str, LayerGeometry] = {}
    runs: Counter[str] = Counter()
    outputs: list[Any] = []

    def read(name: str, output: Any, where: Where | None) -> None:
        runs[name] += 1
        if not any(output is one for one in outputs):
            outputs.append(output)
            with suppress(LayerError):
                grids[name] = _geometry(name, size, output, where, stated)

    modules = {name: module for name, module in network.named_modules() if name}
    _watch(network, modules, size, read)
    return {name: grid for name, grid in grids.items() if runs[name] == 1}


def _watch(
    network: nn.Module,
    modules: Mapping[str, nn.Module],
    size: int,
    read: Callable[[str, Any, Where | None], None],
) -> None:
    """Run a blank chip, and have each module's output read with where its cells lie."""
    chip = like(network, torch.empty(0)).new_zeros(1, 3, size, size)
    follower = Follower(chip)

    def hear(name: str, _: nn.Module, __: Any, output: Any) -> None:
        read(name, output, follower.where.get(output) if isinstance(output, Tensor) else None)

    with ExitStack() as stack, torch.no_grad():
        for name, module in modules.items():
            stack.enter_context(module.register_forward_hook(partial(hear, name)))
        stack.enter_context(follower)
        network(chip)


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


def _geometry(
    name: str, size: int, output: Any, where: Where | None, stated: Stated
) -> LayerGeometry:
    found = where.ordered() if isinstance(where, Cells) else None
    if where is not None and found is None:
        found = _as_stated(name, size, output, stated)
    if found is None:
        raise _unplaced(name, output, where)
    layout, grid = found
    if isinstance(layout, TokenGrid) and isinstance(stated, Tokens):
        _compare(name, layout, stated)
    if (grid.y.stride, grid.y.centre) != (grid.x.stride, grid.x.centre):
        raise LayerError(
            f"The cells of layer {name!r} lie differently in height and width: choose another."
        )
    cells = CellGrid(grid.height, grid.width, grid.y.stride, grid.y.centre, size)
    return LayerGeometry(cells, layout.as_grid(output).shape[1], layout)


def _as_stated(name: str, size: int, output: Any, stated: Stated) -> tuple[CellLayout, Grid] | None:
    """Return the layout that was stated for an output of its form; patches divide the chip."""
    layout: CellLayout
    if not isinstance(output, Tensor) or len(output) != 1:
        return None
    if isinstance(stated, Tokens) and output.ndim == 3:
        layout = TokenGrid(stated.prefix, *stated.grid)
        if not layout.holds(output):
            raise LayerError(
                f"The catalog entry says {stated}, which are {layout.tokens} tokens, but layer "
                f"{name!r} gives {output.shape[1]}: correct tokens in the entry."
            )
    elif stated == "channels-last" and output.ndim == 4:
        layout = ChannelsLast()
    else:
        return None
    height, width = layout.as_grid(output).shape[2:]
    y, x = (Axis(size / cells, 0, size / cells - 1) for cells in (height, width))
    return layout, Grid(height, width, y, x)


def _compare(name: str, found: TokenGrid, stated: Tokens) -> None:
    """Raise an error if the tokens found aren't those stated."""
    if found != TokenGrid(stated.prefix, *stated.grid):
        right = Tokens(prefix=found.prefix, grid=(found.height, found.width))
        raise LayerError(
            f"The catalog entry says {stated}, but layer {name!r} gives {found.tokens} tokens, "
            f"{found.prefix} before {found.height} x {found.width} patches: write {right}, or "
            "leave it out."
        )


def _unplaced(name: str, output: Any, where: Where | None) -> LayerError:
    operation = where.operation if isinstance(where, Lost) else where and where.mover
    is_grid = isinstance(output, Tensor) and output.ndim in (3, 4) and len(output) == 1
    if operation is None or not is_grid:
        return LayerError(
            f"The output of layer {name!r} is not a grid (n, channels, height, width) over the "
            "chip: choose a convolution, or a block of a transformer."
        )
    side = isqrt(output.shape[1])
    guess = Tokens(prefix=output.shape[1] - side**2, grid=(side, side))
    stating = guess if output.ndim == 3 else "tokens: channels-last"
    return LayerError(
        f"The cells of layer {name!r} can't be placed on the chip, because the operation "
        f"{operation} comes before it: choose a layer nearer to the input, or say in the catalog "
        f"entry how it holds them, such as {stating}."
    )
