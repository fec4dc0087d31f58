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
