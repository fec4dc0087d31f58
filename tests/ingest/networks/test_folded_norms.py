import pytest
from torch import nn

from ingest.networks.folded_norms import folded_norm
from ingest.networks.onnx_network import OnnxNetwork
from leamstore.catalog import read_catalog


@pytest.mark.parametrize(
    ("stated", "network", "found"),
    [
        (None, nn.Conv2d(3, 3, 1), False),
        (True, nn.Conv2d(3, 3, 1), True),
        (None, OnnxNetwork([], {}, "x", "y", {"a": True}), True),
        (None, OnnxNetwork([], {}, "x", "y", {"a": None}), None),
        (None, OnnxNetwork([], {}, "x", "y", {"b": True}), False),
        (False, OnnxNetwork([], {}, "x", "y", {"a": True}), False),
    ],
)
def test_what_the_entry_states_comes_before_what_the_file_shows(stated, network, found):
    entry = read_catalog().model("VGG_16").model_copy(update={"folded_norms": stated})
    assert folded_norm(network, "a", entry) is found
