import pytest
import torch
from torch import nn

from ingest.run.network_check import check_network
from leamstore.catalog import read_catalog
from leamstore.errors import LeamError

ENTRY = read_catalog().model("DLIB_R29").model_copy(
    update={"name": "MINE", "input_size": 8, "embedding_size": 16}
)  # fmt: skip


class Apart(nn.Module):
    """Gives what a function makes of its embeddings."""

    def __init__(self, change):
        super().__init__()
        self.layer = nn.Conv2d(3, 4, 3, 2, 1)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.change = change

    def forward(self, chips):
        return self.change(self.pool(self.layer(chips).relu()).flatten(1))


def check(change):
    torch.manual_seed(0)
    return check_network(Apart(change).eval(), ENTRY, ["layer"], "float32")


def test_a_network_that_can_be_explained_says_where_its_cells_lie():
    (layer,) = check(lambda embeddings: embeddings).values()
    assert (layer.cells.height, layer.cells.width, layer.channels) == (4, 4, 4)
    assert (layer.cells.stride, layer.cells.offset) == (2, 0)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda embeddings: (embeddings, None), "gives a tuple where an embedding of each chip"),
        (lambda embeddings: embeddings[:1], r"gives \(1, 16\) of 2 chips"),
        (lambda embeddings: embeddings[:, :5], r"write embedding_size: 5\."),
        (lambda embeddings: embeddings.detach(), "MINE can't be explained: "),
    ],
)
def test_a_network_that_cannot_is_refused_by_name_before_any_photograph_is_read(change, sentence):
    with pytest.raises(LeamError, match=sentence):
        check(change)
