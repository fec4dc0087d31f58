import sys

import numpy as np
import onnx
import pytest
import torch
from torch import nn
from torchvision.models import ConvNeXt, VisionTransformer
from torchvision.models.convnext import CNBlockConfig

from ingest.leam.maps import explain
from ingest.networks.iresnet import IResNet
from ingest.networks.onnx_file import read_onnx
from ingest.networks.weights import network_file
from leamstore.catalog import read_catalog
from leamstore.errors import WeightsError
from tests.ingest.networks.onnx_graphs import CHIP, export, node, perturbed, weights, write

NORMED = (
    "bn1",
    *(f"layer{s}.{b}.bn{norm}" for s in (1, 2) for b in (0, 1) for norm in (2, 3)),
)
"""Norms that follow the paper's nine convolutions of an IResNet, into which they are folded."""


def iresnet(*blocks):
    """An IResNet of chips of 32, whose embedding has 16 numbers."""
    network = IResNet(blocks)
    network.fc, network.features = nn.Linear(512 * 2 * 2, 16), nn.BatchNorm1d(16)
    return network


def iresnet18():
    return iresnet(2, 2, 2, 2)


def vit():
    return VisionTransformer(64, 16, 2, 4, 32, 64, num_classes=16)


def convnext():
    return ConvNeXt([CNBlockConfig(16, 32, 1), CNBlockConfig(32, None, 1)], num_classes=16)


@pytest.mark.parametrize(
    ("make", "size", "layers"),
    [
        (iresnet18, 32, NORMED),
        (vit, 64, ["conv_proj"]),
        (
            convnext, 64,
            ["features.0.0", "features.1.0.block.0", "features.2.1", "features.3.0.block.0"],
        ),
    ],
)  # fmt: skip
def test_maps_of_the_file_are_those_of_the_torch_module_layer_by_layer(
    tmp_path, make, size, layers
):
    torch.manual_seed(0)
    network = perturbed(make())
    by_number = [f"convolution_{number}" for number in range(len(layers))]
    read = read_onnx(export(network, tmp_path / "n.onnx", size), size, by_number)
    chips, pairs = torch.rand(3, 3, size, size), [(0, 1), (1, 2)]
    expected = explain(network, chips, pairs, layers)
    found = explain(read, chips, pairs, by_number)
    torch.testing.assert_close(found.embeddings, expected.embeddings, rtol=1e-4, atol=1e-4)
    for ours, theirs in zip(by_number, layers, strict=True):
        assert expected.peaks[theirs].max() > 0
        torch.testing.assert_close(found.maps[ours], expected.maps[theirs], rtol=0, atol=1e-4)


def test_the_catalogs_numbers_are_the_papers_layers_of_the_deeper_iresnets(tmp_path):
    torch.manual_seed(0)
    network = perturbed(iresnet(3, 2, 1, 1))  # as deep as AF_R50 up to the last of its layers
    asked = read_catalog().model("AURAFACE").layers
    read = read_onnx(export(network, tmp_path / "n.onnx", 32), 32, asked)
    chips = torch.rand(1, 3, 32, 32)
    for layer, torchs in zip(asked, NORMED, strict=True):
        torch.testing.assert_close(
            output(read, layer, chips), output(network, torchs, chips), rtol=1e-3, atol=1e-3
        )


def output(network, layer, chips):
    kept = []
    hook = network.get_submodule(layer).register_forward_hook(lambda *given: kept.append(given[2]))
    with torch.no_grad():
        network(chips)
    hook.remove()
    return kept[0]


CONVOLUTION = [
    node("Conv", ["x", "w", "b"], ["c"], "conv"),
    node("GlobalAveragePool", ["c"], ["p"]),
]
TENSORS = {"w": weights(4, 3, 3, 3), "b": weights(4)}


def test_a_file_of_one_chip_takes_any_number_of_them(tmp_path):
    shape = {"s": np.array([1, 4])}
    path = write(
        tmp_path / "one.onnx", [*CONVOLUTION, node("Reshape", ["p", "s"], ["y"])], TENSORS | shape,
        sides=(1, 3, CHIP, CHIP),
    )  # fmt: skip
    assert read_onnx(path, CHIP)(torch.rand(5, 3, CHIP, CHIP)).shape == (5, 4)


def test_weights_in_other_files_are_read(tmp_path):
    path = write(tmp_path / "n.onnx", [*CONVOLUTION, node("Flatten", ["p"], ["y"])], TENSORS)
    expected = read_onnx(path, CHIP)(torch.ones(1, 3, CHIP, CHIP))
    onnx.save_model(
        onnx.load(path), path, save_as_external_data=True, location="n.data", size_threshold=0
    )
    torch.testing.assert_close(read_onnx(path, CHIP)(torch.ones(1, 3, CHIP, CHIP)), expected)
    (tmp_path / "n.data").unlink()
    assert refusal(path).startswith("keeps its weights in other files, which can't be read: ")


def refusal(path, size=CHIP):
    with pytest.raises(WeightsError) as caught:
        read_onnx(path, size)
    return str(caught.value).removeprefix(f"{path} ")


@pytest.mark.parametrize("content", [b"", b"no model", b"PK\x03\x04", b"\x08\x08\x12\x03abc"])
def test_what_is_no_onnx_file_is_a_sentence(tmp_path, content):
    (tmp_path / "n.onnx").write_bytes(content)
    assert "no ONNX file" in refusal(tmp_path / "n.onnx")


FLAT = node("Flatten", ["p"], ["y"])


@pytest.mark.parametrize(
    ("nodes", "settings", "sentence"),
    [
        (
            [*CONVOLUTION, node("Det", ["p"], ["y"]), node("Hole", ["p"], ["z"], domain="my.own")],
            {}, "has operators that are not known here: Det, my.own.Hole. Give the network",
        ),
        (
            [*CONVOLUTION, FLAT], {"outputs": ("c", "y")},
            "has 2 outputs (c, y), where the embedding alone belongs: write another file by "
            "onnx.utils.extract_model(FILE, OTHER_FILE, ['x'], ['c'])",
        ),
        ([*CONVOLUTION, FLAT], {"sides": ("n", 3, 9, 9)}, "takes (n, 3, 9, 9), not chips (n, 3, 8"),
        ([*CONVOLUTION, FLAT], {"sides": ("n", 8, 8, 3)}, "takes (n, 8, 8, 3), not chips"),
        (
            [
                *CONVOLUTION, node("Reshape", ["p", "s"], ["q"]),
                node("Concat", ["q", "k"], ["y"], axis=1),
            ],
            {"sides": (1, 3, CHIP, CHIP), "s": [1, 1, 4]}, "takes one chip at a time",
        ),
        ([*CONVOLUTION, node("Reshape", ["p", "s"], ["y"])], {"s": [1, -1]}, "takes one chip at a"),
        (
            [*CONVOLUTION, node("MaxPool", ["p"], ["y"], kernel_shape=[1, 1], strange=1)], {},
            "has a graph that can't be run: MaxPool got an unexpected keyword argument 'strange'",
        ),
        ([*CONVOLUTION, node("Gemm", ["p", "b"], ["y"])], {}, "has a graph that can't be run: "),
    ],
)  # fmt: skip
def test_a_graph_that_is_no_network_of_chips_is_a_sentence(tmp_path, nodes, settings, sentence):
    settings = dict(settings)
    tensors = TENSORS | {"s": np.array(settings.pop("s", [0, 4])), "k": weights(1, 1, 4)}
    assert sentence in refusal(write(tmp_path / "n.onnx", nodes, tensors, **settings))


def test_without_the_package_the_sentence_says_how_to_get_it(tmp_path, monkeypatch):
    path = write(tmp_path / "n.onnx", [*CONVOLUTION, FLAT], TENSORS)
    monkeypatch.setitem(sys.modules, "onnx", None)
    assert "`uv sync --extra onnx`" in refusal(path)
    with pytest.raises(WeightsError, match=r"^AURAFACE is read by the package onnx"):
        network_file(read_catalog().model("AURAFACE"), None)
