import pickle
import sys
from pkgutil import resolve_name

import dlib
import numpy as np
import pytest
import torch
from torch.nn.functional import interpolate

from ingest.networks import load
from ingest.networks.cell_geometry import layer_geometry
from leamstore.catalog import ONNX, Catalog, read_catalog
from leamstore.errors import CatalogError, WeightsError

CATALOG = read_catalog()

MODULE = """
from torch import nn

class Mean(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 3, 1, bias=False))

    def forward(self, chips):
        return self.body(chips).mean((2, 3))

def means(channels):
    network = Mean()
    network.body[0] = nn.Conv2d(3, channels, 1, bias=False)
    return network

def nothing():
    pass

def broken():
    raise ValueError("no licence key")
"""

READERS = """
import torch

def fails(path):
    raise KeyError("weights")

def lists(path):
    return [path]

def nans(path):
    return {"body.0.weight": torch.full((3, 3, 1, 1), torch.nan)}
"""

ENTRY = """
models:
  MINE:
    network: {network}
    family: mine
    loss: none
    trained_on: nothing
    weights: null
    input_size: 64
    alignment: crop
    colour_order: BGR
    mean: [1, 2, 3]
    std: [2, 2, 2]
    embedding_size: 3
    layers: [body.0]
    citation: none
"""


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A function from an entry point to a catalog with a model MINE of that network."""
    (tmp_path / "my_networks.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    # Another test may have imported a module of this name from its own folder.
    monkeypatch.delitem(sys.modules, "my_networks", raising=False)

    def catalog(network="my_networks:Mean"):
        (tmp_path / "my.yaml").write_text(ENTRY.format(network=network))
        return read_catalog(tmp_path / "my.yaml")

    return catalog


def as_tensor(chips, size):
    """Float chips (n, 3, size, size), 0 to 255, of uint8 (n, h, w, 3)."""
    return interpolate(torch.from_numpy(chips).permute(0, 3, 1, 2).float(), (size, size))


def test_dlib_r29_takes_whole_chips_to_dlibs_own_embeddings(chips, dlib_models):
    file = dlib_models / "dlib_face_recognition_resnet_model_v1.dat"
    reference = dlib.face_recognition_model_v1(str(file))
    expected = np.array([reference.compute_face_descriptor(chip) for chip in chips])

    embeddings = load("DLIB_R29")(as_tensor(chips, 150))

    np.testing.assert_allclose(embeddings.numpy(), expected, rtol=0, atol=1e-5)


def test_a_loaded_network_is_in_eval_mode_and_without_gradients():
    network = load("DLIB_R29")

    assert not any(module.training for module in network.modules())
    assert not any(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize(
    "name", [name for name, model in CATALOG.models.items() if model.network != ONNX]
)
def test_a_network_has_the_layers_and_embeddings_that_the_catalog_states(name):
    model = CATALOG.model(name)
    with torch.device("meta"):
        network = resolve_name(model.network)(**model.arguments).eval()
        embeddings = network(torch.empty(2, 3, model.input_size, model.input_size))

    grids = layer_geometry(network, model.layers, model.input_size)

    assert embeddings.shape == (2, model.embedding_size)
    assert len(model.layers) == 9
    assert [(grid.cells.height, grid.cells.width) for grid in grids.values()] == [
        (size, size) for size in model.layer_sizes
    ]


def test_random_weights_follow_from_their_seed_alone():
    first = load("DLIB_R29", "random", seed=5).state_dict()
    torch.rand(7)
    second = load("DLIB_R29", "random", seed=5).state_dict()
    other = load("DLIB_R29", "random", seed=6).state_dict()

    assert all(torch.equal(first[name], second[name]) for name in first)
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])


def test_random_weights_leave_the_global_random_state_alone():
    before = torch.get_rng_state()

    load("DLIB_R29", "random")

    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("name", ["AF_R100", "IR_VGG", "VGG_16", "DLIB_R29"])
def test_random_weights_neither_vanish_nor_explode_on_faces(name, chips):
    network = load(name, "random")
    deviations = []
    for module in network.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(lambda _, __, output: deviations.append(output.std()))

    one, other = network(as_tensor(chips, CATALOG.model(name).input_size))

    assert 0.1 < min(deviations) < max(deviations) < 10
    assert torch.cosine_similarity(one, other, dim=0) < 0.999


def test_chips_of_a_network_of_ones_own_are_normalised_as_its_entry_says(mine):
    network = load("MINE", catalog=mine())
    network.load_state_dict({"body.0.weight": torch.eye(3).view(3, 3, 1, 1)}, strict=True)

    embedding = network(torch.tensor([10.0, 20.0, 30.0]).view(1, 3, 1, 1).expand(1, 3, 64, 64))

    # Blue, green, red, less 1, 2, 3, in halves.
    assert embedding.tolist() == [[14.5, 9.0, 3.5]]


def test_a_network_of_ones_own_keeps_the_names_of_its_layers_and_parameters(mine):
    network = load("MINE", "random", catalog=mine())

    assert list(network.state_dict()) == ["body.0.weight"]
    assert layer_geometry(network, ["body.0"], 64)["body.0"].cells.stride == 1


def test_a_network_of_torchvision_needs_an_entry_and_no_code(mine):
    network = load("MINE", "random", catalog=mine("torchvision.models:resnet18"))

    grid = layer_geometry(network, ["layer1.0.conv1"], 64)["layer1.0.conv1"].cells

    assert (grid.height, grid.stride, grid.offset) == (16, 4, 0)
    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 1000)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            {"channels": 3, "depth": 2},
            r"can't be built with the arguments channels, depth: .*'depth'",
        ),
        ({}, "can't be built: TypeError.*'channels'"),
    ],
)
def test_arguments_that_a_callable_does_not_take_are_refused(mine, arguments, sentence):
    entry = mine("my_networks:means").model("MINE").model_copy(update={"arguments": arguments})

    with pytest.raises(CatalogError, match=sentence):
        load("MINE", catalog=Catalog(models={"MINE": entry.model_dump()}))


def test_a_callable_is_called_with_the_arguments_of_its_entry(mine):
    entry = mine("my_networks:means").model("MINE").model_dump() | {"arguments": {"channels": 5}}

    network = load("MINE", catalog=Catalog(models={"MINE": entry}))

    assert network(torch.rand(2, 3, 64, 64)).shape == (2, 5)


def test_a_network_that_is_sent_elsewhere_still_normalises(mine):
    network = load("MINE", catalog=mine())
    chips = torch.rand(1, 3, 64, 64)

    arrived = pickle.loads(pickle.dumps(network))

    assert torch.equal(arrived(chips), network(chips))


def test_weights_come_from_the_path_that_is_given(mine, tmp_path):
    torch.save({"state_dict": {"module.body.0.weight": torch.ones(3, 3, 1, 1)}}, tmp_path / "w.pth")

    network = load("MINE", tmp_path / "w.pth", catalog=mine())

    assert network.state_dict()["body.0.weight"].unique().tolist() == [1.0]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ({"head.weight": torch.ones(1)}, "lacks body.0.weight; the network has no head.weight"),
        ({"body.0.weight": torch.ones(3, 3, 3, 3)}, "of another shape is body.0.weight"),
        (
            {"body.0.weight": torch.ones(3, 3, 1, 1)} | {f"h{i}": torch.ones(1) for i in range(5)},
            "the network has no h0, h1, h2 and 2 more",
        ),
    ],
)
def test_weights_of_another_network_are_refused_by_their_names(mine, tmp_path, state, sentence):
    torch.save(state, tmp_path / "w.pth")

    with pytest.raises(WeightsError, match=f"w.pth .*{sentence}"):
        load("MINE", str(tmp_path / "w.pth"), catalog=mine())


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ("my_networks:Median", "my_networks:Median, .* can't be imported"),
        ("nowhere.at_all:Net", "No module named 'nowhere'"),
        ("my_networks:nothing", "is built as a NoneType"),
        ("my_networks:broken", r"can't be built: ValueError\('no licence key'\)"),
    ],
)
def test_an_entry_that_leads_to_no_network_is_refused(mine, network, sentence):
    with pytest.raises(CatalogError, match=sentence):
        load("MINE", catalog=mine(network))


@pytest.mark.parametrize(
    ("reader", "sentence"),
    [
        ("fails", r"my_networks:fails can't read .*w\.pth: KeyError\('weights'\)"),
        ("lists", r"my_networks:lists makes a list of .*w\.pth: let it return the network's"),
        ("nans", "MINE, with .*w.pth, holds NaN or infinite numbers in body.0.weight"),
    ],
)
def test_a_reader_of_ones_own_that_goes_wrong_is_a_sentence(mine, tmp_path, reader, sentence):
    catalog = mine()
    with (tmp_path / "my_networks.py").open("a") as file:
        file.write(READERS)
    (tmp_path / "w.pth").write_bytes(b"weights")
    entry = catalog.model("MINE").model_dump()
    entry["weights"] = {
        "file": "w.pth", "page": "http://example.org", "licence": "none",
        "reader": f"my_networks:{reader}",
    }  # fmt: skip
    with pytest.raises(WeightsError, match=sentence):
        load("MINE", tmp_path / "w.pth", catalog=Catalog(models={"MINE": entry}))
