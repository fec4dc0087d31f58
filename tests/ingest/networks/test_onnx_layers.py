import pytest
from torch import nn

from ingest.networks.onnx_layers import folded_norms, layer_names
from ingest.networks.onnx_network import Node
from tests.ingest.networks.onnx_graphs import node


def convolution(inputs, output, name=""):
    return node("Conv", inputs, [output], name)


def test_a_layer_has_the_name_of_its_node_or_of_its_output():
    nodes = [convolution(["x"], "a", "/layer1/layer1.0/conv1/Conv"), convolution(["a"], "Conv:7_b")]
    assert layer_names(nodes) == ["layer1.layer1.0.conv1.Conv", "Conv.7_b"]


def test_names_are_distinct_and_can_be_those_of_modules():
    called = ["a", "a/b", "a", "a_1", "forward", "a/training", "__import__('os').system('x')"]
    names = layer_names([convolution(["x"], "y", name) for name in called])
    assert names == [
        *("a_1", "a.b", "a_2", "a_1_1", "forward_", "a.training_", "__import__.os.system.x"),
    ]  # fmt: skip
    holder = nn.Module()
    for name in names:
        parent = holder
        for part in name.split(".")[:-1]:
            parent = parent._modules.setdefault(part, nn.Module())
        parent.add_module(name.rpartition(".")[2], nn.Identity())


@pytest.mark.parametrize("norm", [[], [node("BatchNormalization", ["s"], ["sn"])]])
def test_a_convolution_goes_by_its_number_if_it_is_no_shortcut(norm):
    nodes = [
        convolution(["x"], "a", "first"),
        convolution(["a"], "e", "second"),
        convolution(["e"], "b", "third"),
        convolution(["a"], "s", "shortcut"),
        *norm,
        node("Add", ["b", "sn" if norm else "s"], ["c"], "sum"),
        convolution(["c"], "d", "fourth"),
        node("Add", ["c", "d"], ["y"], "last"),
    ]
    names = layer_names(nodes, ["convolution_3", "convolution_0", "third"])
    assert [*names[:4], names[-2]] == [
        "convolution_0", "second", "third", "shortcut", "convolution_3",
    ]  # fmt: skip


def test_a_node_that_is_called_like_a_number_keeps_its_name():
    nodes = [convolution(["x"], "a", "stem"), convolution(["a"], "y", "convolution_0")]
    assert layer_names(nodes, ["convolution_0"]) == ["stem", "convolution_0"]


def test_a_norm_is_folded_into_a_convolution_with_a_bias_in_a_network_of_norms():
    biased = Node("biased", "Conv", ("x", "w", "b"), ("a",), {})
    plain = Node("plain", "Conv", ("a", "v"), ("c",), {})
    normed = Node("normed", "Conv", ("c", "u", "b"), ("d",), {})
    norm = Node("norm", "BatchNormalization", ("d", "g", "h", "m", "v"), ("y",), {})
    assert folded_norms([biased, plain, normed, norm]) == {
        "biased": True, "plain": False, "normed": False,
    }  # fmt: skip
    assert folded_norms([biased, plain]) == {"biased": None, "plain": False}
