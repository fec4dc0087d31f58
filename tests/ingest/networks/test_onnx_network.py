import copy
import pickle

import numpy as np
import pytest
import torch

from ingest.networks import load
from ingest.networks.cell_geometry import layer_geometry
from ingest.networks.onnx_file import read_onnx
from ingest.run.models import Request, open_model
from ingest.run.recorded import recorded_model
from leamstore.catalog import read_catalog
from tests.ingest.networks.onnx_graphs import CHIP, node, weights, write

NODES = [
    node("Conv", ["x", "w", "b"], ["c"], "conv", pads=[1, 1, 1, 1]),
    node("BatchNormalization", ["c", "s", "s", "s", "v"], ["n"], "norm"),
    node("Transpose", ["n"], ["t"], perm=[0, 2, 3, 1]),
    node("MatMul", ["t", "m"], ["u"], "product"),
    node("Add", ["u", "a"], ["z"], "added"),
    node("Mul", ["z", "half"], ["k"], "halved"),
    node("Transpose", ["k"], ["last"], "back", perm=[0, 3, 1, 2]),
    node("ReduceMean", ["last"], ["y"], "mean", axes=[2, 3], keepdims=0),
]
TENSORS = {
    "w": weights(4, 3, 3, 3), "b": weights(4), "s": weights(4), "v": weights(4) ** 2,
    "m": weights(4, 5), "a": weights(5), "half": np.float32(0.5),
}  # fmt: skip

ENTRY = """
models:
  MINE:
    network: onnx
    family: mine
    loss: none
    trained_on: nothing
    weights: {file: n.onnx, page: "http://example.org", licence: none}
    input_size: 8
    alignment: crop
    colour_order: BGR
    mean: [1, 2, 3]
    std: [2, 2, 2]
    embedding_size: 5
    layers: [conv]
    citation: none
"""


def network(folder):
    return read_onnx(write(folder / "n.onnx", NODES, TENSORS), CHIP)


def test_cells_behind_a_product_over_channels_that_come_last_keep_their_place(tmp_path):
    grids = layer_geometry(network(tmp_path), ["conv", "back"], CHIP)
    assert grids["back"].cells == grids["conv"].cells
    assert grids["back"].channels == 5


def test_a_network_can_be_copied_and_pickled(tmp_path):
    one, chips = network(tmp_path), torch.rand(2, 3, CHIP, CHIP)
    for other in (copy.deepcopy(one), pickle.loads(pickle.dumps(one))):
        assert torch.equal(other(chips), one(chips))


def test_an_entry_of_an_onnx_file_becomes_a_network_fed_whole_chips(tmp_path):
    plain = network(tmp_path)
    (tmp_path / "my.yaml").write_text(ENTRY)
    chips = 255 * torch.rand(2, 3, CHIP, CHIP)
    mean = torch.tensor([1.0, 2.0, 3.0]).view(3, 1, 1)
    loaded = load("MINE", catalog=read_catalog(tmp_path / "my.yaml"))
    torch.testing.assert_close(loaded(chips), plain((chips.flip(1) - mean) / 2))


def request(folder, entry, weights):
    """A model of the entry as it is asked for, its file being there."""
    network(folder)
    (folder / "my.yaml").write_text(entry)
    catalog = read_catalog(folder / "my.yaml")
    return Request(
        entry=catalog.model("MINE"), catalog=catalog, weights=weights, layers=("conv",),
        target="cosine", positives="all", precision="float32", seed=3,
    )  # fmt: skip


def test_a_lakes_model_of_random_weights_finds_the_file_of_its_structure(tmp_path):
    asked = request(tmp_path, ENTRY, "random")
    row = asked.row()
    assert (row["weights"], row["weights_sha256"]) == ("random, seed 3", None)
    chips = 255 * torch.rand(1, 3, CHIP, CHIP)
    expected = load("MINE", "random", asked.catalog, 3)(chips)
    assert torch.equal(recorded_model(row).load()(chips), expected)


@pytest.mark.parametrize(("stated", "folded"), [("null", False), ("true", True)])
def test_an_ingest_records_whether_norms_are_folded(tmp_path, stated, folded):
    asked = request(tmp_path, f"{ENTRY}    folded_norms: {stated}\n", None)
    opened = open_model(asked, device=torch.device("cpu"), batch_size=1, keep_pairs=0, visible=())
    assert opened.layers["folded_norm"].to_list() == [folded]


def test_random_weights_keep_the_structure_of_the_file_and_none_of_its_values(tmp_path):
    given = network(tmp_path)
    (tmp_path / "my.yaml").write_text(ENTRY)
    catalog = read_catalog(tmp_path / "my.yaml")
    random, again, other = (load("MINE", "random", catalog, seed) for seed in (1, 1, 2))
    before, after = given.state_dict(), random.state_dict()
    assert before.keys() == after.keys()
    same = {
        name for name in after
        if torch.equal(before[name], after[name]) and after[name].is_floating_point()
    }  # fmt: skip
    assert same == {name for name in after if after[name].numel() == 1 and "value" in name}
    assert all(torch.equal(after[name], value) for name, value in again.state_dict().items())
    assert not torch.equal(after["constants.value_0"], other.state_dict()["constants.value_0"])
