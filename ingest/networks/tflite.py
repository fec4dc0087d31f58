"""TFLite files: a network's operators and weights, read from the flatbuffer without TensorFlow.

A flatbuffer is a tree of tables in little-endian bytes. A table begins with the distance back to
its vtable, which says where in the table each field lies, or 0 for a field that is left out; a
vector, a string or another table is stored elsewhere and named by its distance from the field.
Field numbers are those of TensorFlow's ``schema.fbs``, version 3.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from leamstore.errors import WeightsError

_IDENTIFIER: Final = b"TFL3"
_NUMBERS: Final = {0: "<f4", 1: "<f2", 2: "<i4", 3: "|u1", 4: "<i8", 9: "|i1"}
"""Numpy's names of the schema's types of numbers."""
_KINDS: Final = {
    0: "ADD", 1: "AVERAGE_POOL_2D", 2: "CONCATENATION", 3: "CONV_2D", 4: "DEPTHWISE_CONV_2D",
    9: "FULLY_CONNECTED", 17: "MAX_POOL_2D", 18: "MUL", 19: "RELU", 22: "RESHAPE", 41: "SUB",
    101: "ABS",
}  # fmt: skip
"""Names of the operators that recognisers are made of, by the schema's numbers."""


_TORCH_LAYOUT: Final = {"CONV_2D": (0, 3, 1, 2), "DEPTHWISE_CONV_2D": (3, 0, 1, 2)}
"""Axes of a kernel in torch's order: TFLite's are output, y, x, input and 1, y, x, output."""


@dataclass(frozen=True)
class TfliteTensor:
    """A tensor of a graph: a constant, or the result of an operator."""

    name: str
    shape: tuple[int, ...]
    """With channels last."""
    values: NDArray[Any] | None
    """Those of a constant, in float32 where they are quantised; None: it is computed."""


@dataclass(frozen=True)
class TfliteOperator:
    """An operator of a graph and the numbers of its tensors."""

    kind: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class TfliteGraph:
    """A network: its tensors, and its operators in the order in which they run."""

    source: Path
    tensors: tuple[TfliteTensor, ...]
    operators: tuple[TfliteOperator, ...]

    def constants(self, names: Sequence[str], *kinds: str) -> dict[str, list[Tensor]]:
        """Return the constants of all operators of some kinds, such as kernel and bias.

        Parameters
        ----------
        names : sequence of str
            Of the operators, in the order in which they run: those of a network's modules.
        *kinds : str
            Such as CONV_2D.

        Returns
        -------
        dict of str to list of Tensor
            By the names. Kernels of convolutions have torch's layout (output, input, y, x).

        Raises
        ------
        WeightsError
            If there are more or fewer operators than names.
        """
        operators = [operator for operator in self.operators if operator.kind in kinds]
        if len(operators) != len(names):
            raise WeightsError(
                f"{self.source} is another network's file: of {' and '.join(kinds)} it holds "
                f"{len(operators)} instead of {len(names)}."
            )
        return dict(zip(names, map(self._constants, operators), strict=True))

    def _constants(self, operator: TfliteOperator) -> list[Tensor]:
        # An input that is left out has the number -1.
        inputs = (self.tensors[number].values for number in operator.inputs if number >= 0)
        constants = []
        for values in inputs:
            if values is not None:
                is_kernel = values.ndim == 4 and operator.kind in _TORCH_LAYOUT
                order = _TORCH_LAYOUT[operator.kind] if is_kernel else range(values.ndim)
                constants.append(torch.from_numpy(values.transpose(order).copy()))
        return constants


def read_tflite(path: Path) -> TfliteGraph:
    """Read the graph in a TFLite file.

    Parameters
    ----------
    path : Path
        A file of TFLite's version 3 with one subgraph. Its constants may be quantised, each with
        one scale s and zero point z: a stored q is the number s (q - z).

    Raises
    ------
    WeightsError
        If the file is missing, damaged, or something else.
    """
    try:
        return _graph(path, _Flatbuffer(path.read_bytes()))
    except (OSError, ValueError, struct.error) as error:
        raise WeightsError(
            f"{path} is no TFLite file that can be read, or is damaged: {error}. "
            "Get the file again from its own page."
        ) from error


class _Flatbuffer:
    """Bytes of a flatbuffer."""

    def __init__(self, content: bytes) -> None:
        if content[4:8] != _IDENTIFIER:
            raise ValueError(f"it lacks the mark {_IDENTIFIER.decode()} of the format")
        self.content = content
        self.root = self.follow(0)

    def number(self, kind: str, position: int) -> int:
        """Return an integer, of one of struct's kinds."""
        if position < 0:
            raise ValueError("it refers to bytes before its beginning")
        return struct.unpack_from(f"<{kind}", self.content, position)[0]

    def follow(self, position: int) -> int:
        """Return the position that an offset refers to."""
        return position + self.number("I", position)

    def field(self, table: int, index: int) -> int | None:
        """Return the position of a field of a table, or None where it is left out."""
        vtable = table - self.number("i", table)
        place = 4 + 2 * index
        if place >= self.number("H", vtable):
            return None
        offset = self.number("H", vtable + place)
        return table + offset if offset else None

    def scalar(self, table: int, index: int, kind: str) -> int:
        """Return a field that is an integer; 0 where it is left out, as in all of the schema's."""
        position = self.field(table, index)
        return 0 if position is None else self.number(kind, position)

    def vector(self, table: int, index: int, numbers: str) -> NDArray[Any]:
        """Return a field that is a vector of numbers; an empty one where it is left out."""
        position = self.field(table, index)
        if position is None:
            return np.empty(0, numbers)
        start = self.follow(position)
        return np.frombuffer(self.content, numbers, self.number("I", start), start + 4)

    def tables(self, table: int, index: int) -> list[int]:
        """Return the positions of the tables in a field that is a vector of them."""
        position = self.field(table, index)
        if position is None:
            return []
        first = self.follow(position) + 4
        offsets = self.vector(table, index, "<u4")
        return [first + 4 * place + int(offset) for place, offset in enumerate(offsets)]


def _graph(path: Path, file: _Flatbuffer) -> TfliteGraph:
    codes = [_code(file, table) for table in file.tables(file.root, 1)]
    subgraphs = file.tables(file.root, 2)
    if len(subgraphs) != 1:
        raise ValueError(f"it holds {len(subgraphs)} graphs instead of one")
    buffers = [file.vector(table, 0, "|u1") for table in file.tables(file.root, 4)]
    tensors = tuple(_tensor(file, table, buffers) for table in file.tables(subgraphs[0], 0))
    operators = tuple(_operator(file, table, codes) for table in file.tables(subgraphs[0], 3))
    used = {number for operator in operators for number in operator.inputs + operator.outputs}
    if not used or max(used) >= len(tensors):
        raise ValueError("its operators name tensors that it lacks")
    return TfliteGraph(path, tensors, operators)


def _code(file: _Flatbuffer, table: int) -> str:
    # Numbers below 127 were once stored in a byte of their own.
    code = max(file.scalar(table, 0, "b"), file.scalar(table, 3, "i"))
    return _KINDS.get(code, f"operator {code}")


def _operator(file: _Flatbuffer, table: int, codes: list[str]) -> TfliteOperator:
    code = file.scalar(table, 0, "I")
    if code >= len(codes):
        raise ValueError("its operators are of kinds that it lacks")
    inputs, outputs = (tuple(file.vector(table, index, "<i4").tolist()) for index in (1, 2))
    return TfliteOperator(codes[code], inputs, outputs)


def _tensor(file: _Flatbuffer, table: int, buffers: list[NDArray[Any]]) -> TfliteTensor:
    name = file.vector(table, 3, "|u1").tobytes().decode(errors="replace")
    shape = tuple(file.vector(table, 0, "<i4").tolist())
    buffer = file.scalar(table, 2, "I")
    if buffer >= len(buffers):
        raise ValueError(f"the values of {name} are missing")
    if not buffers[buffer].size:
        return TfliteTensor(name, shape, None)
    kind = file.scalar(table, 1, "b")
    if kind not in _NUMBERS:
        raise ValueError(f"{name} holds numbers of a kind ({kind}) that is not read")
    stored = buffers[buffer].view(_NUMBERS[kind]).reshape(shape)
    scales, zero_points = _quantization(file, table)
    if scales.size > 1 or scales.size != zero_points.size:
        raise ValueError(f"{name} is not quantised by one scale and one zero point")
    if scales.size:
        stored = scales[0] * (stored.astype(np.float64) - zero_points[0])
    is_integer = stored.dtype.kind in "iu"
    return TfliteTensor(name, shape, stored.astype(stored.dtype if is_integer else np.float32))


def _quantization(file: _Flatbuffer, tensor: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return a tensor's scales and zero points, which are empty where it isn't quantised."""
    position = file.field(tensor, 4)
    if position is None:
        return np.empty(0), np.empty(0)
    table = file.follow(position)
    return file.vector(table, 2, "<f4").astype(np.float64), file.vector(table, 3, "<i8")
