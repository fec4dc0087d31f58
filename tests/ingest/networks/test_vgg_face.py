"""VGG-Face against a second implementation, written from the names in vgg_face_dag.pth."""

import pytest
import torch
from torch.nn.functional import conv2d, linear, max_pool2d

from ingest.networks.vgg_face import VggFace

CONVOLUTIONS = {
    "conv1_1": (64, 3),
    "conv1_2": (64, 64),
    "conv2_1": (128, 64),
    "conv2_2": (128, 128),
    "conv3_1": (256, 128),
    "conv3_2": (256, 256),
    "conv3_3": (256, 256),
    "conv4_1": (512, 256),
    "conv4_2": (512, 512),
    "conv4_3": (512, 512),
    "conv5_1": (512, 512),
    "conv5_2": (512, 512),
    "conv5_3": (512, 512),
}
LINEAR = {"fc6": (4096, 25088), "fc7": (4096, 4096), "fc8": (2622, 4096)}


@pytest.fixture(scope="module")
def checkpoint():
    """A random checkpoint with the names and shapes of vgg_face_dag.pth."""
    generator = torch.Generator().manual_seed(1)
    shapes = {name: (*sizes, 3, 3) for name, sizes in CONVOLUTIONS.items()} | LINEAR
    state = {}
    for name, (outputs, *inputs) in shapes.items():
        bound = (6 / torch.Size(inputs).numel()) ** 0.5
        weight = torch.empty(outputs, *inputs)
        state[f"{name}.weight"] = weight.uniform_(-bound, bound, generator=generator)
        state[f"{name}.bias"] = torch.rand(outputs, generator=generator) - 0.5
    return state


@pytest.fixture(scope="module")
def network(checkpoint):
    with torch.device("meta"):
        network = VggFace().eval().requires_grad_(False)
    network.load_state_dict(checkpoint, strict=True, assign=True)
    return network


def plain_vgg_face(state, x):
    for name in CONVOLUTIONS:
        x = conv2d(x, state[f"{name}.weight"], state[f"{name}.bias"], padding=1).clamp(min=0)
        if name in ("conv1_2", "conv2_2", "conv3_3", "conv4_3", "conv5_3"):
            x = max_pool2d(x, 2)
    x = x.reshape(len(x), -1)
    for name in ("fc6", "fc7"):
        x = linear(x, state[f"{name}.weight"], state[f"{name}.bias"]).clamp(min=0)
    return x


def test_embeddings_equal_those_of_a_plain_implementation(network, checkpoint):
    chips = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(2))

    embeddings = network(chips)

    assert embeddings.shape == (1, 4096)
    assert 0.1 < embeddings.std() < 10
    torch.testing.assert_close(embeddings, plain_vgg_face(checkpoint, chips), rtol=0, atol=1e-5)


def test_the_classifier_of_a_checkpoint_is_left_out(network, checkpoint):
    assert list(network.state_dict()) == [
        name for name in checkpoint if not name.startswith("fc8.")
    ]


def test_a_checkpoint_that_lacks_a_layer_is_refused():
    with torch.device("meta"):
        network = VggFace()
        state = VggFace().state_dict()
    del state["conv5_3.bias"]

    with pytest.raises(RuntimeError, match=r"conv5_3\.bias"):
        network.load_state_dict(state)
