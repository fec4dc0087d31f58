import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from ingest.leam.fast_backward import Frozen


@pytest.fixture
def x():
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 4, 5, 5, generator=generator, dtype=torch.float64, requires_grad=True)


def norm(channels=4):
    module = nn.BatchNorm2d(channels).double().eval().requires_grad_(False)
    generator = torch.Generator().manual_seed(1)
    for tensor in (module.weight, module.bias, module.running_mean):
        tensor.copy_(torch.randn(channels, generator=generator, dtype=torch.float64))
    module.running_var.copy_(torch.rand(channels, generator=generator, dtype=torch.float64) + 0.5)
    return module


def outcome(function, x, frozen):
    """Output and gradient of a function, of torch's own form or of the frozen one."""
    if frozen:
        with Frozen():
            out = function(x)
    else:
        out = function(x)
    generator = torch.Generator().manual_seed(2)
    weights = torch.randn(out.shape, generator=generator, dtype=out.dtype)
    (gradient,) = torch.autograd.grad((weights * out).sum(), x)
    return out.detach(), gradient


def convolution(**settings):
    torch.manual_seed(3)
    return nn.Conv2d(4, 6, 3, **settings).double().requires_grad_(False)


def prelu():
    module = nn.PReLU(4).double().requires_grad_(False)
    module.weight.copy_(torch.tensor([-0.5, 0.1, 0.3, 2.0]))
    return module


SCALE, SHIFT = (
    torch.tensor(values).double().reshape(4, 1, 1) for values in ([2, -1, 0.5, 0], [1, 2, -3, 0.5])
)

NETWORKS = {
    "norm": norm(),
    "relu": nn.ReLU(),
    "prelu": prelu(),
    "norm, relu": nn.Sequential(norm(), nn.ReLU()),
    "norm, relu in place": nn.Sequential(norm(), nn.ReLU(inplace=True)),
    "norm, prelu": nn.Sequential(norm(), prelu()),
    "norm, convolution": nn.Sequential(norm(), convolution(padding=1)),
    "norm, striding convolution": nn.Sequential(norm(), convolution(stride=2, dilation=2)),
    "norm, convolution in groups": nn.Sequential(norm(), convolution(groups=2)),
    "norm, convolution padded by name": nn.Sequential(norm(), convolution(padding="same")),
    "norm, convolution, norm, relu": nn.Sequential(norm(), convolution(), norm(6), nn.ReLU()),
    "affine, relu": lambda x: F.relu(torch.addcmul(SHIFT, x, SCALE)),
    "affine, convolution": lambda x: convolution()(torch.addcmul(SHIFT, x, SCALE)),
    "scaled cell by cell, convolution": lambda x: convolution()(
        torch.addcmul(SHIFT, x, torch.linspace(-1, 1, 25).double().reshape(5, 5))
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_frozen_form_gives_torchs_output_and_gradient(name, x):
    plain, frozen = (outcome(NETWORKS[name], x, frozen) for frozen in (False, True))
    assert_close(frozen, plain)


def dead_channel(x):
    """Channel 3 of a batch norm, far below 0, as a channel that training has left behind."""
    normalise = norm()
    normalise.bias[3] = -50
    return normalise(x)


MEETINGS = {
    "norm, relu, mean, square root": lambda x: dead_channel(x).relu().mean((2, 3)).sqrt(),
    "norm, F.relu, mean, square root": lambda x: F.relu(dead_channel(x)).mean((2, 3)).sqrt(),
    "norm, F.relu, mean pool, square root": lambda x: F.avg_pool2d(
        F.relu(dead_channel(x)), 5
    ).sqrt(),
    "norm, F.relu, maximum pool, square root": lambda x: F.max_pool2d(
        F.relu(dead_channel(x)), 5
    ).sqrt(),
    "norm, F.relu, square root cell by cell": lambda x: F.relu(dead_channel(x)).sqrt(),
    "norm, F.relu, power": lambda x: F.relu(dead_channel(x)).mean((2, 3)).pow(0.3),
    "norm, F.relu, logarithm": lambda x: F.relu(dead_channel(x)).sum((2, 3)).log(),
    "norm, F.relu, division": lambda x: 1 / F.relu(dead_channel(x)).sum((2, 3)),
    "norm, F.relu, norm of 0": lambda x: F.relu(dead_channel(x)).norm(dim=(2, 3)),
    "norm, F.relu, clamp, square root": lambda x: F.relu(dead_channel(x))
    .clamp(min=0, max=2)
    .mean((2, 3))
    .sqrt(),
    "norm, prelu of slope 0, square root": lambda x: F.prelu(
        dead_channel(x), torch.zeros(4).double()
    )
    .mean((2, 3))
    .sqrt(),
    "norm, relu6, square root": lambda x: F.relu6(dead_channel(x)).mean((2, 3)).sqrt(),
    "norm, relu in place, square root": lambda x: F.relu(dead_channel(x), inplace=True)
    .mean((2, 3))
    .sqrt(),
    "norm of weight 0, relu, division": lambda x: 1
    / F.relu(F.batch_norm(x, torch.zeros(4).double(), torch.ones(4).double(),
                          weight=torch.tensor([1.0, 0, 1, 1]).double())).sum((2, 3)),
    "norm, convolution, F.relu, square root": lambda x: F.relu(
        convolution()(dead_channel(x)) - 100
    )
    .mean((2, 3))
    .sqrt(),
    "affine, relu, square root": lambda x: F.relu(torch.addcmul(SHIFT - 50, x, SCALE))
    .mean((2, 3))
    .sqrt(),
}  # fmt: skip


@pytest.mark.parametrize("name", MEETINGS)
def test_where_an_infinite_gradient_meets_a_slope_of_0_the_numbers_are_torchs(name, x):
    plain, frozen = (outcome(MEETINGS[name], x, frozen) for frozen in (False, True))
    assert_close(frozen, plain, equal_nan=True)
    assert not plain[1].isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
@pytest.mark.parametrize("slope", [-0.7, 0.1, 0.3, 1.7])
def test_activations_alone_are_torchs_to_the_bit(x, dtype, slope):
    x = x.detach().to(dtype).requires_grad_()
    for activation in (F.relu, lambda x: F.prelu(x, torch.full((4,), slope, dtype=dtype))):
        plain, frozen = (outcome(activation, x, frozen) for frozen in (False, True))
        assert all(torch.equal(*pair) for pair in zip(plain, frozen, strict=True))


@pytest.mark.parametrize(
    "call",
    [
        lambda x: F.conv2d(input=x, weight=torch.ones(2, 4, 3, 3).double(), padding=1),
        lambda x: F.prelu(input=x, weight=torch.full((4,), 0.25).double()),
        lambda x: F.relu(input=x, inplace=False),
        lambda x: F.batch_norm(
            input=x, running_mean=torch.ones(4).double(), running_var=torch.ones(4).double()
        ),
        lambda x: F.batch_norm(
            x, torch.ones(4).double(), torch.ones(4).double(), None, None, False
        ),
        lambda x: torch.addcmul(input=SHIFT, tensor1=x, tensor2=SCALE),
        lambda x: torch.addcmul(SHIFT, x, SCALE, value=2),
    ],
)
def test_torchs_names_of_arguments_are_those_of_the_forms(call, x):
    assert_close(outcome(call, x, True), outcome(call, x, False))


def test_a_view_is_had_of_memory_in_another_layout(x):
    images = x.detach().to(memory_format=torch.channels_last)
    with Frozen():
        flat, alike = images.view(len(images), -1), images.view_as(torch.empty(2, 100))
    assert torch.equal(flat, images.flatten(1))
    assert torch.equal(alike, images.flatten(1))


def test_a_norm_that_is_used_twice_gets_both_gradients(x):
    normalise, convolve = norm(), convolution()

    def both(x):
        out = normalise(x)
        return F.relu(out)[..., :3, :3].sum(1) + convolve(out).sum(1) + out[..., 1:4, 1:4].sum(1)

    assert_close(outcome(both, x, True), outcome(both, x, False))


def test_a_norm_that_was_overwritten_since_is_not_taken_for_it(x):
    normalise = norm()

    def overwritten(x):
        return F.relu(normalise(x).mul_(3))

    assert_close(outcome(overwritten, x, True), outcome(overwritten, x, False))


def test_a_norm_whose_source_was_overwritten_since_is_left_alone(x):
    normalise = norm()

    def overwritten(x):
        source = x * 1
        out = normalise(source)
        source.mul_(3)
        return F.relu(out) + source

    # Torch's own norm can't go back past what was overwritten; so the same is written otherwise.
    expected = outcome(lambda x: F.relu(normalise(x)) + 3 * x, x, False)
    assert_close(outcome(overwritten, x, True), expected)


def test_an_activation_after_a_norm_goes_back_in_one_step(x):
    with Frozen():
        out = nn.Sequential(norm(), nn.ReLU())(x)
    ((behind, _), *_) = out.grad_fn.next_functions
    assert type(behind).__name__ == "AccumulateGrad"


def test_bfloat16_stays_bfloat16(x):
    network = nn.Sequential(norm(), convolution(), nn.ReLU()).float()
    with torch.autocast("cpu", torch.bfloat16):
        plain, frozen = (outcome(network, x.detach().float().requires_grad_(), frozen)
                         for frozen in (False, True))  # fmt: skip
    assert frozen[0].dtype == torch.bfloat16
    assert_close(frozen[0], plain[0], rtol=0.05, atol=0.05)
    assert_close(frozen[1], plain[1], rtol=0.1, atol=0.1)
