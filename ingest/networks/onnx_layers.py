"""Layers of an ONNX graph: their names, and norms that were folded into them."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Final

from ingest.networks.onnx_network import Node, OnnxNetwork

if TYPE_CHECKING:
    import onnx

_BARE: Final = OnnxNetwork([], {}, "", "", {})


def layer_names(nodes: Sequence["onnx.NodeProto"], asked: Iterable[str] = ()) -> list[str]:
    """Name each node by its name in the file, or by that of its output if it has none.

    Parameters
    ----------
    nodes : sequence of onnx.NodeProto
    asked : iterable of str
        ``convolution_N`` among them becomes the name of convolution number N in the order of the
        nodes, from 0, shortcuts left out: those that only bring a residual block's input to the
        size of its output.

    Returns
    -------
    list of str
        All distinct, and names of torch modules: no name begins another one up to a dot.
    """
    plain = [_plain(node) for node in nodes]
    taken = {
        name[: dot.start()] for name in set(plain) for dot in re.finditer(r"\.", name)
    }  # fmt: skip
    names = []
    for stem in plain:
        name, repeated = stem, 0
        while name in taken:
            repeated += 1
            name = f"{stem}_{repeated}"
        taken.add(name)
        names.append(name)
    for number, place in enumerate(_numbered_convolutions(nodes)):
        by_number = f"convolution_{number}"
        if by_number in asked and by_number not in taken:
            names[place] = by_number
    return names


def _numbered_convolutions(nodes: Sequence["onnx.NodeProto"]) -> list[int]:
    """Return the positions of all convolutions that are no shortcuts."""
    readers: dict[str, list[onnx.NodeProto]] = defaultdict(list)
    for node in nodes:
        for name in node.input:
            readers[name].append(node)

    def is_shortcut(node: "onnx.NodeProto") -> bool:
        """Whether it reads what its block reads, and is added to what the block makes of it."""
        after = readers[node.output[0]]
        if [one.op_type for one in after] == ["BatchNormalization"]:
            after = readers[after[0].output[0]]
        is_added = [one.op_type for one in after] == ["Add"]
        return is_added and len(readers[node.input[0]]) > 1 and node.input[0] not in after[0].input

    return [
        place
        for place, node in enumerate(nodes)
        if node.op_type == "Conv" and not is_shortcut(node)
    ]


def _plain(node: "onnx.NodeProto") -> str:
    """Return a node's name with a dot for whatever can't be in a layer's name."""
    words = re.findall(r"\w+", node.name or node.output[0], re.ASCII) or [node.op_type]
    # An attribute of torch's modules can't be the name of a module.
    return ".".join(f"{word}_" if hasattr(_BARE, word) else word for word in words)


def folded_norms(nodes: Sequence[Node]) -> dict[str, bool | None]:
    """Find the convolutions into whose weights a batch norm that followed was folded.

    A convolution whose output a batch norm reads, or that adds no bias, has none in it. Any other
    one has where the graph has batch norms elsewhere: exporters fold each norm that follows a
    convolution, and leave those that precede one. In a graph without batch norms it can't be
    known, since a bias of the convolution's own looks the same.

    Returns
    -------
    dict of str to bool or None
        By the names of the convolutions; None: not known.
    """
    normed = {name for node in nodes if node.kind == "BatchNormalization" for name in node.inputs}
    return {
        node.name: (True if normed else None)
        if len(node.inputs) > 2 and normed.isdisjoint(node.outputs)
        else False
        for node in nodes
        if node.kind == "Conv"
    }
