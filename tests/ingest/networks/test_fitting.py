import pytest
import torch
from torch import nn

from ingest.networks.fitting import fill
from ingest.networks.weights import read_state_dict
from leamstore.catalog import Weights
from leamstore.errors import WeightsError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 4, 3)
        self.bn = nn.BatchNorm2d(4)


def state(value=7.0):
    return {name: torch.full_like(tensor, value) for name, tensor in Net().state_dict().items()}


def under(prefix, value=7.0):
    return {f"{prefix}{name}": tensor for name, tensor in state(value).items()}


def entry(**facts):
    return Weights(file="w.pth", page="http://example.org", licence="none", **facts)


def filled(tmp_path, checkpoint, weights=None):
    """The values that a network has when it is filled from a file of that content."""
    torch.save(checkpoint, tmp_path / "w.pth")
    network = Net()
    fill(network, read_state_dict(tmp_path / "w.pth"), "w.pth does not fit NET", weights)
    return set(torch.cat([one.float().ravel() for one in network.state_dict().values()]).tolist())


HEAD = {"head.weight": torch.ones(2, 2), "loss.centres": torch.ones(5)}


@pytest.mark.parametrize(
    "checkpoint",
    [
        state(),
        under("_orig_mod."),
        under("module._orig_mod."),
        {"state_dict": under("model.") | HEAD, "epoch": 3, "hyper_parameters": {"lr": 0.1}},
        {"state_dict": under("model.backbone.")},
        {"net": state()},
        {"params": state(), "iter": 5},
        {"backbone": state(), "head": {"weight": torch.ones(3)}},
        under("backbone.") | HEAD,
        {"model": {"net": state()}},
        under("network.module."),
        {name: tensor for name, tensor in state().items() if "num_batches" not in name},
    ],
)
def test_a_network_is_found_wherever_a_training_program_puts_it(tmp_path, checkpoint):
    assert filled(tmp_path, checkpoint) <= {7.0, 0.0}


def test_the_networks_own_names_go_before_any_prefix(tmp_path):
    assert filled(tmp_path, state(7) | under("teacher.", 8), entry(leave_out=("teacher",))) == {7.0}


def test_a_network_that_is_held_twice_is_chosen_by_the_entry(tmp_path):
    checkpoint = under("online.", 7) | under("target.", 8)
    with pytest.raises(
        WeightsError, match=r"2 times, under online\., target\.\. .* prefix: online\."
    ):
        filled(tmp_path, checkpoint)
    assert filled(tmp_path, checkpoint, entry(prefix="target")) == {8.0}
    assert filled(tmp_path, checkpoint, entry(prefix="target.")) == {8.0}


def test_a_head_beside_the_networks_own_names_is_left_out_where_the_entry_says_so(tmp_path):
    checkpoint = state() | HEAD
    with pytest.raises(WeightsError) as caught:
        filled(tmp_path, checkpoint)
    assert str(caught.value) == (
        "w.pth does not fit NET: the network has no head.weight, loss.centres. If that is a head "
        "which the embedding does without, write leave_out: [head, loss] under weights in the "
        "catalog entry."
    )
    assert filled(tmp_path, checkpoint, entry(leave_out=("head", "loss"))) == {7.0}


@pytest.mark.parametrize(
    "checkpoint",
    [
        {"encoder.weight": torch.ones(3)},
        under("net.") | {"net.conv1.weight": torch.ones(9, 9)},
        {name.replace("conv1", "stem"): tensor for name, tensor in state().items()},
    ],
)
def test_a_file_that_does_not_fit_says_what_to_write_in_the_entry(tmp_path, checkpoint):
    with pytest.raises(WeightsError) as caught:
        filled(tmp_path, checkpoint)
    for words in ("prefix: backbone.", "reader: package.module:function", "catalog entry"):
        assert words in str(caught.value)


def test_a_prefix_that_is_not_in_the_file_is_told_with_what_is_lacking(tmp_path):
    with pytest.raises(WeightsError, match=r"under model\.: it lacks conv1\.weight"):
        filled(tmp_path, under("net."), entry(prefix="model"))
