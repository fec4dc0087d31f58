"""Layouts of a layer's cells in its output: channels first, channels last, or tokens.

A convolution gives (image, channel, y, x), a layer of a Swin transformer (image, y, x, channel),
and one of a vision transformer (image, token, channel): class and register tokens first, then the
patches row by row.
"""

from dataclasses import dataclass
from typing import Protocol

from torch import Tensor


class CellLayout(Protocol):
    """Order in which a layer's output holds its cells."""

    def holds(self, output: Tensor) -> bool:
        """Return whether an output has this layout's form."""
        ...

    def as_grid(self, output: Tensor) -> Tensor:
        """Return a view (image, channel, y, x) of an output, without what isn't a cell."""
        ...


@dataclass(frozen=True)
class ChannelsFirst:
    """(image, channel, y, x)."""

    def holds(self, output: Tensor) -> bool:
        """Return whether an output has four dimensions."""
        return output.ndim == 4

    def as_grid(self, output: Tensor) -> Tensor:
        """Return the output itself."""
        return output

    def __str__(self) -> str:
        return "(image, channel, y, x)"


@dataclass(frozen=True)
class ChannelsLast:
    """(image, y, x, channel)."""

    def holds(self, output: Tensor) -> bool:
        """Return whether an output has four dimensions."""
        return output.ndim == 4

    def as_grid(self, output: Tensor) -> Tensor:
        """Return the output with its channels before y and x."""
        return output.permute(0, 3, 1, 2)

    def __str__(self) -> str:
        return "(image, y, x, channel)"


@dataclass(frozen=True)
class TokenGrid:
    """(image, token, channel).

    Attributes
    ----------
    prefix : int
        Tokens before the patches: they have no place on the chip.
    height, width : int
        Patches along each axis; they follow row by row.
    """

    prefix: int
    height: int
    width: int

    @property
    def tokens(self) -> int:
        """Number of all tokens."""
        return self.prefix + self.height * self.width

    def holds(self, output: Tensor) -> bool:
        """Return whether an output has three dimensions and as many tokens."""
        return output.ndim == 3 and output.shape[1] == self.tokens

    def as_grid(self, output: Tensor) -> Tensor:
        """Return the patches as (image, channel, y, x)."""
        patches = output[:, self.prefix :].transpose(1, 2)
        return patches.unflatten(2, (self.height, self.width))

    def __str__(self) -> str:
        return f"(image, {self.prefix} + {self.height} x {self.width} tokens, channel)"
