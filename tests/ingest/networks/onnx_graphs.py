"""ONNX files for tests: exported by torch, or written node by node."""

import numpy as np
import torch
from onnx import TensorProto, helper, numpy_helper, save_model

CHIP = 8
"""Side of the chips of graphs that are written node by node."""


def perturbed(network, seed=0):
    """The network in eval mode with distinct weights, since torch's exporter merges equal ones."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in (*network.parameters(), *network.buffers()):
            if tensor.is_floating_point():
                tensor.mul_(1 + 0.2 * torch.rand(tensor.shape, generator=generator))
                tensor.add_(0.01 * torch.randn(tensor.shape, generator=generator))
    return network.eval()


def export(network, path, size, any_batch=True, **settings):
    """Write a network by torch's exporter that needs no other package."""
    torch.onnx.export(
        network, (torch.rand(2 if any_batch else 1, 3, size, size),), path, dynamo=False,
        input_names=["chips"], dynamic_axes={"chips": {0: "n"}} if any_batch else None, **settings,
    )  # fmt: skip
    return path


def write(path, nodes, constants=None, outputs=("y",), sides=("n", 3, CHIP, CHIP), opset=17):
    """Write a graph from chips x to outputs; constants are arrays by their names."""
    tensors = [
        numpy_helper.from_array(np.asarray(value), name)
        for name, value in (constants or {}).items()
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, sides)],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        tensors,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    save_model(model, path)
    return path


def weights(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


node = helper.make_node
