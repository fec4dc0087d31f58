import torch
from torch import nn

from ingest.networks.device import like

CHIPS = torch.zeros(1)


def test_a_network_computes_on_the_type_of_its_first_floating_tensor():
    network = nn.Sequential(nn.BatchNorm1d(2, affine=False), nn.Linear(2, 2).double())
    assert like(network, CHIPS).dtype == torch.float64


def test_whole_numbers_tell_nothing_of_it():
    network = nn.Module()
    network.register_buffer("steps", torch.tensor(7))
    network.register_buffer("mean", torch.zeros(1, dtype=torch.bfloat16))
    assert like(network, CHIPS).dtype == torch.bfloat16


def test_a_network_without_numbers_takes_what_it_is_given():
    assert like(nn.ReLU(), CHIPS) is CHIPS
