from pathlib import Path

import facenet_pytorch
import pytest
import torch
from torch.nn.functional import normalize

from ingest.networks import inception_resnet
from ingest.networks.inception_resnet import InceptionResnetV1, read_folded_inception_resnet
from ingest.networks.tflite import TfliteGraph, TfliteOperator, TfliteTensor, read_tflite
from leamstore.errors import WeightsError
from tests.ingest.networks.tflite_files import run_graph

NINE = (
    "conv2d_1a.conv",
    "conv2d_2a.conv",
    "conv2d_2b.conv",
    "conv2d_3b.conv",
    "conv2d_4a.conv",
    "conv2d_4b.conv",
    "repeat_1.0.branch0.conv",
    "repeat_1.0.branch1.0.conv",
    "repeat_1.0.branch1.1.conv",
)


@pytest.fixture(scope="module")
def published():
    """facenet-pytorch's own network with a classifier, as its checkpoints have one."""
    return facenet_pytorch.InceptionResnetV1(classify=True, num_classes=10).eval()


def test_a_checkpoint_with_its_classifier_loads_and_gives_the_packages_embeddings(published):
    with torch.device("meta"):
        network = InceptionResnetV1().eval()
    chips = torch.rand(1, 3, 160, 160, generator=torch.Generator().manual_seed(1)) * 2 - 1

    network.load_state_dict(published.state_dict(), strict=True, assign=True)

    published.classify = False
    with torch.no_grad():
        embeddings, expected = network(chips), published(chips)
    torch.testing.assert_close(embeddings, expected, rtol=0, atol=1e-6)
    torch.testing.assert_close(embeddings.norm(), torch.tensor(1.0))


def test_a_checkpoint_that_lacks_a_layer_is_refused():
    with torch.device("meta"):
        network = InceptionResnetV1()
        state = InceptionResnetV1().state_dict()
    del state["last_linear.weight"]

    with pytest.raises(RuntimeError, match=r"last_linear\.weight"):
        network.load_state_dict(state)


def test_its_first_nine_convolutions_run_in_the_stated_order():
    ran = []
    with torch.device("meta"):
        network = InceptionResnetV1().eval()
        for name, module in network.named_modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(lambda *_, name=name: ran.append(name))
        network(torch.empty(1, 3, 160, 160))

    assert tuple(ran[:9]) == NINE


def fold(network):
    """The kernel and bias of each layer, with its norm and its block's factor folded in."""
    for name, module in network.named_modules():
        if not isinstance(module, torch.nn.Conv2d | torch.nn.Linear):
            continue
        around, _, own = name.rpartition(".")
        if module.bias is not None:
            factor = network.get_submodule(around).scale
            yield factor * module.weight, factor * module.bias
            continue
        norm = network.get_submodule("last_bn" if own == "last_linear" else f"{around}.bn")
        factor = 1 / (norm.running_var + norm.eps).sqrt()
        weight = module.weight * factor.view(-1, *[1] * (module.weight.ndim - 1))
        yield weight, norm.bias - norm.running_mean * factor


def as_graph(layers):
    """A graph of layers, in TFLite's layout."""
    tensors, operators = [], []
    for weight, bias in layers:
        kind = "CONV_2D" if weight.ndim == 4 else "FULLY_CONNECTED"
        kernel = weight.permute(0, 2, 3, 1) if weight.ndim == 4 else weight
        operators.append(TfliteOperator(kind, (len(tensors), len(tensors) + 1), ()))
        tensors += [TfliteTensor("", (), values.numpy()) for values in (kernel, bias)]
    return TfliteGraph(Path("w.tflite"), tuple(tensors), tuple(operators))


def test_folded_norms_and_factors_of_blocks_are_divided_out(monkeypatch):
    generator = torch.manual_seed(0)
    trained = InceptionResnetV1().eval().requires_grad_(False)
    for module in trained.modules():
        if isinstance(module, torch.nn.BatchNorm1d | torch.nn.BatchNorm2d):
            module.running_mean.normal_(generator=generator).mul_(0.1)
            module.running_var.uniform_(0.2, 0.4, generator=generator)
            module.bias.normal_(generator=generator)
    graph = as_graph(fold(trained))
    monkeypatch.setattr(inception_resnet, "read_tflite", lambda _: graph)

    state = read_folded_inception_resnet(Path("w.tflite"))

    with torch.device("meta"):
        network = InceptionResnetV1().eval().requires_grad_(False)
    network.load_state_dict(state, strict=True, assign=True)
    chips = torch.rand(2, 3, 160, 160, generator=generator) * torch.tensor([1, 9]).view(2, 1, 1, 1)
    expected = trained(chips)
    assert (expected[0] - expected[1]).norm() > 0.01
    torch.testing.assert_close(network(chips), expected, rtol=0, atol=1e-5)
    kernel = "block8.conv2d.weight"
    torch.testing.assert_close(state[kernel], trained.state_dict()[kernel])


def test_another_networks_file_is_refused(monkeypatch):
    graph = as_graph([(torch.ones(2, 3), torch.ones(2))])
    monkeypatch.setattr(inception_resnet, "read_tflite", lambda _: graph)

    with pytest.raises(WeightsError, match="FULLY_CONNECTED it holds 1 instead of 133"):
        read_folded_inception_resnet(Path("w.tflite"))


def test_embeddings_of_8_bit_weights_are_those_of_the_files_own_operators(real_weights):
    file = real_weights("IR_VGG_INT8")
    with torch.device("meta"):
        network = InceptionResnetV1().eval().requires_grad_(False)
    network.load_state_dict(read_folded_inception_resnet(file), strict=True, assign=True)
    chips = torch.rand(2, 3, 160, 160, generator=torch.Generator().manual_seed(1)) * 2 - 1

    expected = normalize(run_graph(read_tflite(file), chips))

    torch.testing.assert_close(network(chips), expected, rtol=0, atol=1e-4)
    assert (expected[0] - expected[1]).norm() > 0.01
