import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from torch import nn

from ingest.run.network_check import check_network
from leamstore.catalog import Tokens, read_catalog
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


class Patches(nn.Module):
    """Gives the mean of its tokens, which are 2 x 2 patches."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.layer = nn.Linear(16, 16)

    def forward(self, chips):
        return self.layer(self.patches(chips).flatten(2).transpose(1, 2)).mean(1)


def test_tokens_are_explained_as_the_entry_says_and_refused_if_they_are_not_so():
    right, wrong = (
        ENTRY.model_copy(update={"tokens": Tokens(prefix=prefix, grid=(2, 2))}) for prefix in (0, 1)
    )

    (layer,) = check_network(Patches().eval(), right, ["layer"], "float32").values()

    assert (layer.cells.height, layer.cells.stride, layer.cells.offset) == (2, 4, 1.5)
    with pytest.raises(LeamError, match=r"MINE can't be explained: .* 0 before 2 x 2 patches"):
        check_network(Patches().eval(), wrong, ["layer"], "float32")


def test_a_layer_of_another_size_than_the_entry_states_is_refused():
    entry = ENTRY.model_copy(update={"layers": ("layer",), "layer_sizes": (7,)})
    network = Apart(lambda embeddings: embeddings).eval()
    with pytest.raises(LeamError, match="'layer' has 7 x 7 cells, but it has 4 x 4: name the"):
        check_network(network, entry, ["layer"], "float32")


class Forgetful(Apart):
    """Keeps what it computes in an attribute, which the next forward pass overwrites."""

    def __init__(self):
        super().__init__(lambda embeddings: embeddings)
        self.inside = 0
        self.most_inside = 0

    def forward(self, chips):
        self.inside += 1
        self.most_inside = max(self.most_inside, self.inside)
        threading.Event().wait(0.01)
        self.inside -= 1
        return super().forward(chips)


def test_a_network_that_sets_attributes_runs_one_forward_pass_at_a_time():
    network = Forgetful().eval()
    check_network(network, ENTRY, ["layer"], "float32")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(network, [torch.zeros(1, 3, 8, 8)] * 8))
    assert network.most_inside == 1


def test_a_network_that_sets_none_is_left_as_it_is():
    network = Apart(lambda embeddings: embeddings).eval()
    check_network(network, ENTRY, ["layer"], "float32")
    assert "forward" not in vars(network)
