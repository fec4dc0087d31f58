"""IResNet against a second implementation, written from the description of its layers."""

from math import prod

import pytest
import torch
from torch.nn.functional import conv2d, linear

from ingest.networks.iresnet import iresnet18, iresnet50, iresnet100

DEPTHS = {
    iresnet18: (2, 2, 2, 2),
    iresnet50: (3, 4, 14, 3),
    iresnet100: (3, 13, 30, 3),
}


def insightface_shapes(blocks):
    """Names and shapes in a state_dict of InsightFace's iresnet, in its job."""
    shapes = {}

    def norm(name, channels):
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (channels,)
        shapes[f"{name}.num_batches_tracked"] = ()

    shapes["conv1.weight"] = (64, 3, 3, 3)
    norm("bn1", 64)
    shapes["prelu.weight"] = (64,)
    inputs = 64
    for stage, (width, count) in enumerate(zip((64, 128, 256, 512), blocks, strict=True), 1):
        for block in range(count):
            name = f"layer{stage}.{block}"
            norm(f"{name}.bn1", inputs)
            shapes[f"{name}.conv1.weight"] = (width, inputs, 3, 3)
            norm(f"{name}.bn2", width)
            shapes[f"{name}.prelu.weight"] = (width,)
            shapes[f"{name}.conv2.weight"] = (width, width, 3, 3)
            norm(f"{name}.bn3", width)
            if block == 0:
                shapes[f"{name}.downsample.0.weight"] = (width, inputs, 1, 1)
                norm(f"{name}.downsample.1", width)
            inputs = width
    norm("bn2", 512)
    shapes["fc.weight"] = (512, 512 * 7 * 7)
    shapes["fc.bias"] = (512,)
    norm("features", 512)
    return shapes


def random_state(shapes):
    """A state in which every number matters and activations stay near 1."""
    generator = torch.Generator().manual_seed(1)
    state = {}
    for name, shape in shapes.items():
        draw = torch.rand(shape, generator=generator)
        if name.endswith("num_batches_tracked"):
            state[name] = torch.tensor(7)
        elif name.endswith("running_var"):
            state[name] = 0.5 + draw
        elif len(shape) > 1:
            state[name] = (2 * draw - 1) * (6 / prod(shape[1:])) ** 0.5
        else:
            state[name] = draw * (0.3 if name.endswith(("bn3.weight", "features.weight")) else 0.8)
    return state


def plain_iresnet(state, blocks, x):
    def norm(name, x):
        mean, variance, weight, bias = (
            state[f"{name}.{part}"].view(-1, *[1] * (x.ndim - 2))
            for part in ("running_mean", "running_var", "weight", "bias")
        )
        return (x - mean) / (variance + 1e-5).sqrt() * weight + bias

    def prelu(name, x):
        return torch.where(x > 0, x, x * state[f"{name}.weight"].view(-1, 1, 1))

    def conv(name, x, stride=1, padding=1):
        return conv2d(x, state[f"{name}.weight"], None, stride, padding)

    x = prelu("prelu", norm("bn1", conv("conv1", x)))
    for stage, count in enumerate(blocks, 1):
        for block in range(count):
            name, stride = f"layer{stage}.{block}", 1 if block else 2
            y = conv(f"{name}.conv1", norm(f"{name}.bn1", x))
            y = conv(f"{name}.conv2", prelu(f"{name}.prelu", norm(f"{name}.bn2", y)), stride)
            if block == 0:
                shortcut = conv(f"{name}.downsample.0", x, stride, padding=0)
                x = norm(f"{name}.downsample.1", shortcut)
            x = norm(f"{name}.bn3", y) + x
    flat = norm("bn2", x).reshape(len(x), -1)
    return norm("features", linear(flat, state["fc.weight"], state["fc.bias"]))


@pytest.mark.parametrize("build", DEPTHS)
def test_a_state_with_insightfaces_names_loads_strictly(build):
    with torch.device("meta"):
        state = {
            name: torch.empty(shape) for name, shape in insightface_shapes(DEPTHS[build]).items()
        }
        network = build()

    network.load_state_dict(state, strict=True)

    assert list(network.state_dict()) == list(state)


@pytest.mark.parametrize("build", [iresnet18, iresnet100])
def test_embeddings_equal_those_of_a_plain_implementation(build):
    state = random_state(insightface_shapes(DEPTHS[build]))
    with torch.device("meta"):
        network = build().eval().requires_grad_(False)
    network.load_state_dict(state, strict=True, assign=True)
    generator = torch.Generator().manual_seed(2)
    chips = 2 * torch.rand(1, 3, 112, 112, generator=generator) - 1

    embeddings = network(chips)

    assert embeddings.shape == (1, 512)
    assert 0.1 < embeddings.std() < 2
    torch.testing.assert_close(
        embeddings, plain_iresnet(state, DEPTHS[build], chips), rtol=0, atol=1e-5
    )
