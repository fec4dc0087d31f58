"""ONNX files read as networks whose layers can be explained."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import torch
from torch import Tensor

from ingest.networks.device import like
from ingest.networks.onnx_layers import folded_norms, layer_names
from ingest.networks.onnx_modules import KINDS
from ingest.networks.onnx_network import Node, OnnxNetwork
from leamstore.errors import WeightsError, line_of, some

if TYPE_CHECKING:
    import onnx


def read_onnx(path: str | Path, size: int, layers: Iterable[str] = ()) -> OnnxNetwork:
    """Read an ONNX file as a network.

    A layer has the name of its node in the file, or of the node's output where that has none, with
    a dot for whatever is no letter, digit or underscore: ``/layer1/conv1/Conv`` is
    ``layer1.conv1.Conv``. Of layers whose names are the same, the later ones end in ``_1`` and so
    on.

    Parameters
    ----------
    path : str or Path
        The file. What it keeps in other files, its external data, lies in the same folder.
    size : int
        Side of the chip in pixels.
    layers : iterable of str
        Layers that will be asked for. ``convolution_N`` among them, if no node is called so,
        becomes the name of a convolution by its number (`ingest.networks.onnx_layers`).

    Returns
    -------
    OnnxNetwork
        From normalised chips (n, 3, size, size), of any n, to the graph's output; in eval mode,
        and without gradients of its parameters.

    Raises
    ------
    WeightsError
        If the file isn't ONNX or isn't whole, has an operator that isn't known here, doesn't take
        such chips or takes only one at a time, or has several outputs.
    """
    path = Path(path)
    model = _load(path)
    graph = model.graph
    constants = _constants(path, graph)
    chips = _chips(path, graph, constants, size)
    embedding = _embedding(path, graph)
    nodes = _nodes(path, model, layers)
    if chips.type.tensor_type.shape.dim[0].dim_value == 1:
        nodes, constants = _of_any_batch(nodes, constants)
    try:
        network = OnnxNetwork(nodes, constants, chips.name, embedding, folded_norms(nodes))
    except Exception as error:  # a graph can be wrong in as many ways as a program
        raise WeightsError(f"{path} has a graph that can't be run: {line_of(error)}.") from error
    network.eval().requires_grad_(False)
    _check_batches(path, network, size)
    return network


def require_onnx(source: str) -> None:
    """Raise a `WeightsError` that begins with `source` unless the package onnx is installed."""
    if find_spec("onnx") is None:
        raise WeightsError(
            f"{source} is read by the package onnx, which isn't installed: `uv sync --extra onnx`, "
            "or `pip install onnx`."
        )


_STANDARD: Final = ("", "ai.onnx")
"""Names of the domain of ONNX's own operators."""


def _load(path: Path) -> "onnx.ModelProto":
    """Return the model in a file with its external data, and its own functions written out."""
    require_onnx(str(path))
    import onnx  # noqa: PLC0415 - an extra
    from onnx import inliner  # noqa: PLC0415

    try:
        model = onnx.load(path, load_external_data=False)
    except OSError as error:
        raise WeightsError(f"{path} cannot be read: {error.strerror}.") from error
    except Exception as error:  # protobuf's errors have no common base
        raise WeightsError(f"{path} {_NO_MODEL}") from error
    if not model.graph.node:
        raise WeightsError(f"{path} {_NO_MODEL}")
    try:
        onnx.load_external_data_for_model(model, str(path.parent))
    except Exception as error:
        raise WeightsError(
            f"{path} keeps its weights in other files, which can't be read: {line_of(error)} Put "
            "these next to it, as they came with it."
        ) from error
    return inliner.inline_local_functions(model) if model.functions else model


_NO_MODEL: Final = "is damaged, incomplete, or no ONNX file: get it again from its own page."


def _constants(path: Path, graph: "onnx.GraphProto") -> dict[str, Tensor]:
    """Return the tensors in the file by their names."""
    from onnx import numpy_helper  # noqa: PLC0415 - an extra

    given = {one.name: one for one in graph.initializer}
    values: dict[str, Any] = {name: numpy_helper.to_array(one) for name, one in given.items()}
    for node in graph.node:
        if node.op_type == "Constant":
            values |= dict.fromkeys(node.output, *_attributes(node).values())
    try:
        return {name: torch.from_numpy(np.array(value)) for name, value in values.items()}
    except TypeError as error:
        raise WeightsError(
            f"{path} holds numbers of a kind that torch can't take: {line_of(error)}"
        ) from error


def _chips(
    path: Path, graph: "onnx.GraphProto", constants: Mapping[str, Tensor], size: int
) -> "onnx.ValueInfoProto":
    """Return the graph's input, which has to take chips (n, 3, size, size)."""
    inputs = [one for one in graph.input if one.name not in constants]
    if len(inputs) != 1:
        names = some([one.name for one in inputs]) or "none"
        raise WeightsError(
            f"{path} has {len(inputs)} inputs ({names}), where one of chips belongs: cut it out "
            "by onnx.utils.extract_model."
        )
    sides = [dim.dim_value for dim in inputs[0].type.tensor_type.shape.dim]
    if len(sides) != 4 or any(
        side > 0 and side != asked for side, asked in zip(sides[1:], (3, size, size), strict=True)
    ):
        form = ", ".join(str(side) if side > 0 else "n" for side in sides)
        raise WeightsError(
            f"{path} takes ({form}), not chips (n, 3, {size}, {size}): write the side of its chips "
            "as input_size in the catalog entry; a file whose colours come last must be converted "
            "again with colours first."
        )
    return inputs[0]


def _embedding(path: Path, graph: "onnx.GraphProto") -> str:
    names = [one.name for one in graph.output]
    if len(names) != 1:
        raise WeightsError(
            f"{path} has {len(names)} outputs ({some(names)}), where the embedding alone belongs: "
            f"write another file by onnx.utils.extract_model(FILE, OTHER_FILE, "
            f"[{graph.input[0].name!r}], [{names[0]!r}]), with the output that is the embedding."
        )
    return names[0]


def _nodes(path: Path, model: "onnx.ModelProto", layers: Iterable[str]) -> list[Node]:
    """Return the graph's nodes but its constants, if all their operators are known."""
    graph = [node for node in model.graph.node if node.op_type != "Constant"]
    version = max(one.version for one in model.opset_import if one.domain in _STANDARD)
    nodes = [
        Node(name, _kind(node, version), tuple(node.input), tuple(node.output), _attributes(node))
        for name, node in zip(layer_names(graph, layers), graph, strict=True)
    ]
    unknown = sorted({node.kind for node in nodes} - KINDS)
    if unknown:
        raise WeightsError(
            f"{path} has operators that are not known here: {some(unknown, most=5)}. Give the "
            "network as a torch module (docs/models.md), or add the operators to "
            "ingest/networks/onnx_operators.py."
        )
    return nodes


def _kind(node: "onnx.NodeProto", version: int) -> str:
    if node.op_type == "Softmax" and version < 13:
        return "Softmax before 13"
    return node.op_type if node.domain in _STANDARD else f"{node.domain}.{node.op_type}"


def _attributes(node: "onnx.NodeProto") -> dict[str, Any]:
    """Return a node's attributes, texts as str and tensors as arrays."""
    from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - an extra

    found = {one.name: helper.get_attribute_value(one) for one in node.attribute}
    for name, value in found.items():
        if isinstance(value, bytes):
            found[name] = value.decode()
        elif isinstance(value, TensorProto):
            found[name] = numpy_helper.to_array(value)
    return found


def _of_any_batch(
    nodes: Sequence[Node], constants: Mapping[str, Tensor]
) -> tuple[list[Node], dict[str, Tensor]]:
    """Return nodes and constants in which shapes for one chip are shapes for any number."""
    found, shapes = [], {}
    for node in nodes:
        shape = constants.get(node.inputs[1]) if node.kind == "Reshape" else None
        if shape is not None and shape[0] == 1 and node.inputs[0] not in constants:
            others = shape[1:].tolist()
            name = f"shape of {node.name}"
            # 0 takes the input's own size, and -1 what the other sizes leave.
            shapes[name] = torch.tensor([0 if -1 in others else -1, *others])
            node = replace(node, inputs=(node.inputs[0], name))  # noqa: PLW2901
        found.append(node)
    return found, {**constants, **shapes}


@torch.no_grad()
def _check_batches(path: Path, network: OnnxNetwork, size: int) -> None:
    """Run the network on noise, and raise an error unless each chip's output is its own."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.rand(2, 3, size, size, generator=generator)
    chips = noise.to(like(network, noise))
    try:
        alone = torch.cat([network(chips[:1]), network(chips[1:])])
    except Exception as error:
        raise WeightsError(
            f"{path} can't be run on a chip (1, 3, {size}, {size}): {line_of(error)}."
        ) from error
    try:
        together = network(chips)
        agree = together.shape == alone.shape and _are_close(together, alone)
    except Exception:  # torch's own words about sizes would not help
        agree = False
    if not agree:
        raise WeightsError(
            f"{path} takes one chip at a time: its nodes state the size of a batch. Export it with "
            'a batch axis of any size, as by torch.onnx.export(..., dynamic_axes={"chips": {0: '
            '"n"}}).'
        )


def _are_close(a: Tensor, b: Tensor) -> bool:
    if not bool(a.isfinite().all() and b.isfinite().all()):
        return True  # of noise; faces may do better
    return torch.allclose(a, b, rtol=0.01, atol=0.01 * float(b.abs().max()))
