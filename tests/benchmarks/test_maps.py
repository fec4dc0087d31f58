import pytest
import torch
from torch import nn

from benchmarks.maps import explain_pairs, rank_correlations
from benchmarks.material import Study


@pytest.fixture
def study():
    """Three images and a network of two layers."""
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.Conv2d(4, 4, 3, padding=1), nn.Flatten()
    ).eval()
    pairs = [(0, 1), (1, 2), (2, 0)]
    return Study("toy", "TOY", network, torch.rand(3, 3, 8, 8), pairs, ("0", "2"))


def test_maps_of_all_pairs_take_one_forward_pass_of_the_identity(study):
    batches = []
    study.network.register_forward_hook(lambda _, inputs, __: batches.append(len(inputs[0])))
    explain_pairs(*study.leam)
    assert batches == [3]


def test_maps_in_bfloat16_rank_cells_much_as_those_in_float32_do(study):
    found = rank_correlations(*study.leam, "bfloat16")
    assert found.shape == (2 * 3,)
    assert (found > 0.9).all()
    assert not torch.equal(found, torch.ones(6))
