import numpy as np
import onnx
import pytest
import torch
from onnx.reference import ReferenceEvaluator

from ingest.networks.onnx_file import read_onnx
from tests.ingest.networks.onnx_graphs import CHIP, node, weights, write

WHOLE = {
    "shape": [0, -1, 4], "repeats": [1, 2, 1, 1], "starts": [1, -1], "ends": [3, -9],
    "axes": [1, 3], "steps": [1, -2], "pads": [0, 0, 1, 2, 0, 0, 3, 0], "places": [[2, 0], [1, -1]],
    "sizes": [1, 2], "last": [-1], "all": [2, 3], "one": 1,
}  # fmt: skip
REAL = {
    "w": weights(4, 3, 3, 3), "depthwise": weights(3, 1, 3, 3), "b": weights(4),
    "scale": weights(3), "shift": weights(3, seed=1), "mean": weights(3, seed=2),
    "variance": weights(3) ** 2, "row": weights(CHIP), "slope": weights(3, 1, 1),
    "half": np.float32(0.5), "top": np.float32(2), "matrix": weights(CHIP, 5), "affine": weights(5),
}  # fmt: skip
CASES = [
    ("Conv", ["w", "b"], {"pads": [1, 1, 1, 1], "strides": [2, 1]}),
    ("Conv", ["w", "b"], {"pads": [0, 1, 2, 0], "dilations": [2, 1]}),
    ("Conv", ["depthwise"], {"group": 3, "auto_pad": "SAME_UPPER", "strides": [2, 2]}),
    ("Conv", ["depthwise"], {"group": 3, "auto_pad": "SAME_LOWER", "strides": [2, 2]}),
    ("BatchNormalization", ["scale", "shift", "mean", "variance"], {"epsilon": 0.1}),
    ("InstanceNormalization", ["scale", "shift"], {}),
    ("LayerNormalization", ["row", "row"], {"epsilon": 0.1}),
    ("PRelu", ["slope"], {}),
    ("PRelu", ["row"], {}),
    ("MatMul", ["matrix"], {}),
    ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]}),
    ("MaxPool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}),
    ("AveragePool", [], {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [0, 0, 1, 1]}),
    ("Clip", ["", "half"], {}),
    ("Clip", ["half", "top"], {}),
    ("Div", ["top"], {}),
    ("Pow", ["top"], {}),
    ("Max", ["half", "row"], {}),
    ("Sum", ["half", "row"], {}),
    ("LeakyRelu", [], {"alpha": 0.3}),
    ("HardSigmoid", [], {}),
    ("HardSwish", [], {}),
    ("Softmax", [], {"axis": 1}),
    ("Reshape", ["shape"], {}),
    ("Flatten", [], {"axis": 2}),
    ("Transpose", [], {"perm": [0, 2, 3, 1]}),
    ("Unsqueeze", ["all"], {}),
    ("Tile", ["repeats"], {}),
    ("Slice", ["starts", "ends", "axes", "steps"], {}),
    ("Gather", ["places"], {"axis": 1}),
    ("Gather", ["one"], {"axis": 2}),
    ("Pad", ["pads", "half"], {}),
    ("Pad", ["pads"], {"mode": "reflect"}),
    ("Concat", ["itself"], {"axis": 1}),
    ("Split", ["sizes"], {"axis": 1}),
    ("ReduceMean", [], {"axes": [2, 3], "keepdims": 0}),
    ("ReduceSum", ["all"], {}),
    ("ReduceL2", [], {"axes": [1]}),
    ("Einsum", [], {"equation": "nchw->nhc"}),
    ("Mod", ["half"], {"fmod": 1}),
    ("LpNormalization", [], {"axis": 1, "p": 2}),
]


@pytest.mark.parametrize(("kind", "others", "attributes"), CASES, ids=lambda one: str(one)[:40])
def test_an_operator_gives_what_onnxs_reference_gives(tmp_path, kind, others, attributes):
    inputs = ["x", *("x" if name == "itself" else name for name in others)]
    tensors = {name: value for name, value in REAL.items() if name in others}
    tensors |= {name: np.array(value) for name, value in WHOLE.items() if name in others}
    outputs = ["y", "z"] if kind == "Split" else ["y"]
    path = write(tmp_path / "n.onnx", [node(kind, inputs, outputs, **attributes)], tensors)
    chips = weights(2, 3, CHIP, CHIP, seed=3)
    (expected,) = ReferenceEvaluator(onnx.load(path)).run(None, {"x": chips})
    found = read_onnx(path, CHIP)(torch.from_numpy(chips)).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("attributes", [{}, {"transB": 1, "alpha": 0.5, "beta": 2.0}])
def test_a_matrix_product_with_a_bias_is_torchs_linear_layer(tmp_path, attributes):
    matrix = REAL["matrix"][:3].T if attributes else REAL["matrix"][:3]
    nodes = [
        node("ReduceMean", ["x"], ["m"], axes=[2, 3], keepdims=0),
        node("Gemm", ["m", "matrix", "affine"], ["y"], "product", **attributes),
    ]
    path = write(tmp_path / "n.onnx", nodes, {"matrix": matrix, "affine": REAL["affine"]})
    chips = weights(2, 3, CHIP, CHIP, seed=3)
    (expected,) = ReferenceEvaluator(onnx.load(path)).run(None, {"x": chips})
    network = read_onnx(path, CHIP)
    assert isinstance(network.product, torch.nn.Linear)
    np.testing.assert_allclose(network(torch.from_numpy(chips)), expected, rtol=1e-4, atol=1e-5)


def test_before_version_13_softmax_is_over_all_axes_that_follow(tmp_path):
    path = write(tmp_path / "n.onnx", [node("Softmax", ["x"], ["y"], axis=1)], opset=11)
    found = read_onnx(path, CHIP)(torch.rand(2, 3, CHIP, CHIP))
    torch.testing.assert_close(found.sum((1, 2, 3)), torch.ones(2))
