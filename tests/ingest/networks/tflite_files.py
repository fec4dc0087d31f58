"""TFLite files made for tests, and graphs of such files run operator by operator."""

import struct

import numpy as np
import torch
from torch.nn import functional as F

KINDS = {"ADD": 0, "CONV_2D": 3, "DEPTHWISE_CONV_2D": 4, "MUL": 18, "RELU": 19}
NUMBERS = {"float32": 0, "float16": 1, "int32": 2, "uint8": 3, "int64": 4, "int8": 9}


def constant(name, values, scale=None, zero_point=0):
    """The table of a constant, whose values `tflite_file` puts into a buffer of its own."""
    table = {0: np.array(values.shape, np.int32), 1: NUMBERS[str(values.dtype)], 2: values,
             3: name.encode()}  # fmt: skip
    if scale is not None:
        scales = np.atleast_1d(np.float32(scale))
        table[4] = {2: scales, 3: np.full(scales.size, zero_point, np.int64)}
    return table


def computed(name, shape):
    """The table of a tensor that an operator computes."""
    return {0: np.array(shape, np.int32), 1: 0, 3: name.encode()}


def tflite_file(tensors, operators):
    """The bytes of a file; an operator is its kind and the numbers of its inputs and outputs."""
    buffers = [{}]  # the first is empty by custom, for tensors that are computed
    for tensor in tensors:
        values = tensor.get(2)
        tensor[2] = 0 if values is None else len(buffers)
        if values is not None:
            buffers.append({0: values.tobytes()})
    kinds = list(dict.fromkeys(kind for kind, _, _ in operators))
    steps = [
        {0: kinds.index(kind), 1: np.array(inputs, np.int32), 2: np.array(outputs, np.int32)}
        for kind, inputs, outputs in operators
    ]
    codes = [{0: KINDS[kind], 3: KINDS[kind]} for kind in kinds]
    return flatbuffer({0: 3, 1: codes, 2: [{0: tensors, 3: steps}], 4: buffers})


def flatbuffer(root):
    """The bytes of a table: integers, bytes, arrays, tables or lists of them by field."""
    content = bytearray(struct.pack("<I4s", 0, b"TFL3"))

    def refer(place, value):
        """Put the value at the end, and its distance at a place."""
        if isinstance(value, dict):
            position = table(value)
        else:
            position = len(content)
            content.extend(struct.pack("<I", len(value)))
            if isinstance(value, list):
                places = range(len(content), len(content) + 4 * len(value), 4)
                content.extend(bytes(4 * len(value)))
                for inner, one in zip(places, value, strict=True):
                    refer(inner, one)
            else:
                content.extend(bytes(value))
        struct.pack_into("<I", content, place, position - place)

    def table(fields):
        count = max(fields, default=-1) + 1
        vtable = len(content)
        content.extend(bytes(4 + 2 * count))
        start = len(content)
        content.extend(struct.pack("<i", start - vtable) + bytes(8 * count))
        struct.pack_into("<HH", content, vtable, 4 + 2 * count, 4 + 8 * count)
        for index, value in fields.items():
            offset = 4 + 8 * index
            struct.pack_into("<H", content, vtable + 4 + 2 * index, offset)
            if isinstance(value, int):
                struct.pack_into("<q", content, start + offset, value)
            else:
                refer(start + offset, value)
        return start

    refer(0, root)
    return bytes(content)


def run_graph(graph, chips):
    """Return the last operator's output for chips (n, 3, y, x), by float arithmetic.

    A quantised file writes a ReLU as a range of numbers that begins at 0, and cuts all other
    outputs to the same range: only outputs named for a ReLU are cut here, and at 0 alone. Strides
    and paddings follow from the shapes that the file states.
    """
    known = {graph.operators[0].inputs[0]: chips.permute(0, 2, 3, 1)}
    for number, tensor in enumerate(graph.tensors):
        if tensor.values is not None:
            known[number] = torch.from_numpy(tensor.values)
    for operator in graph.operators:
        inputs = [known[number] for number in operator.inputs]
        (number,) = operator.outputs
        output = graph.tensors[number]
        result = _OPERATORS[operator.kind](output.shape, *inputs)
        known[number] = F.relu(result) if output.name.endswith("/Relu") else result
    return result


def _convolve(shape, x, kernel, bias):
    padded, strides = _windows(x, kernel, shape)
    return _last(F.conv2d(_first(padded), kernel.permute(0, 3, 1, 2), bias, strides))


def _convolve_depthwise(shape, x, kernel, bias):
    padded, strides = _windows(x, kernel, shape)
    kernels = kernel.permute(3, 0, 1, 2)
    return _last(F.conv2d(_first(padded), kernels, bias, strides, groups=len(kernels)))


def _windows(x, kernel, shape):
    """Return x as a convolution pads it, and its strides, by the shape of its output."""
    (stride_y, *pads_y), (stride_x, *pads_x) = (
        _stride_and_pads(x.shape[axis], kernel.shape[axis], shape[axis]) for axis in (1, 2)
    )
    return F.pad(x, (0, 0, *pads_x, *pads_y)), (stride_y, stride_x)


def _stride_and_pads(cells, kernel, outputs):
    for stride in (1, 2):
        if (cells - kernel) // stride + 1 == outputs:  # VALID
            return stride, 0, 0
        if -(-cells // stride) == outputs:  # SAME
            missing = max((outputs - 1) * stride + kernel - cells, 0)
            return stride, missing // 2, missing - missing // 2
    raise ValueError(f"no stride makes {cells} cells {outputs}")


_OPERATORS = {
    "CONV_2D": _convolve,
    "DEPTHWISE_CONV_2D": _convolve_depthwise,
    "ADD": lambda _, one, other: one + other,
    "SUB": lambda _, one, other: one - other,
    "MUL": lambda _, one, other: one * other,
    "ABS": lambda _, x: x.abs(),
    "RELU": lambda _, x: x.clamp(min=0),
    "CONCATENATION": lambda _, *parts: torch.cat(parts, 3),
    "MAX_POOL_2D": lambda _, x: _last(F.max_pool2d(_first(x), 3, 2)),
    "AVERAGE_POOL_2D": lambda _, x: x.mean((1, 2), keepdim=True),
    "FULLY_CONNECTED": lambda _, x, weight, bias: x.flatten(1) @ weight.T + bias,
    "RESHAPE": lambda shape, x, _: x.reshape(len(x), *shape[1:]),
}


def _first(x):
    return x.permute(0, 3, 1, 2)


def _last(x):
    return x.permute(0, 2, 3, 1)
