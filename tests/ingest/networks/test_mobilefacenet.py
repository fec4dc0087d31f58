import pytest
import torch

from ingest.networks.cell_geometry import layer_geometry
from ingest.networks.mobilefacenet import MobileFaceNet, SameConv2d, read_mobilefacenet
from ingest.networks.tflite import read_tflite
from leamstore.errors import WeightsError
from tests.ingest.networks.tflite_files import computed, run_graph, tflite_file


@pytest.fixture(scope="module")
def file(real_weights):
    return real_weights("MOBILEFACENET")


@pytest.fixture(scope="module")
def state(file):
    return read_mobilefacenet(file)


def test_embeddings_are_those_of_the_files_own_operators(file, state):
    network = MobileFaceNet().eval().requires_grad_(False)
    network.load_state_dict(state)
    chips = torch.rand(2, 3, 112, 112, generator=torch.Generator().manual_seed(1)) * 2 - 1

    embeddings, expected = network(chips), run_graph(read_tflite(file), chips)

    torch.testing.assert_close(embeddings, expected, rtol=0, atol=1e-4)
    assert expected.std() > 0.5


def test_every_parameter_of_the_network_is_in_the_file(state):
    with torch.device("meta"):
        own = MobileFaceNet().state_dict()

    assert {name: value.shape for name, value in state.items()} == {
        name: value.shape for name, value in own.items()
    }


def test_another_networks_file_is_refused(tmp_path):
    tensors = [computed("chip", (1, 8, 8, 3))]
    (tmp_path / "w.tflite").write_bytes(tflite_file(tensors, [("RELU", (0,), (0,))]))

    with pytest.raises(WeightsError, match="DEPTHWISE_CONV_2D it holds 0 instead of 52"):
        read_mobilefacenet(tmp_path / "w.tflite")


def test_same_padding_at_stride_2_lies_below_and_right():
    convolution = SameConv2d(1, 1, 3, stride=2, bias=False)
    torch.nn.init.ones_(convolution.weight)

    cells = convolution(torch.arange(16.0).view(1, 1, 4, 4))

    # Windows begin in rows and columns 0 and 2; the last ones reach beyond the end.
    assert cells.flatten().tolist() == [45.0, 39.0, 66.0, 50.0]


def test_same_padding_at_stride_1_lies_on_all_sides():
    same, padded = SameConv2d(2, 3, 3), torch.nn.Conv2d(2, 3, 3, padding=1)
    padded.load_state_dict(same.state_dict())
    x = torch.rand(1, 2, 5, 5)

    torch.testing.assert_close(same(x), padded(x))


def test_cells_lie_where_the_padding_puts_them():
    with torch.device("meta"):
        network = MobileFaceNet().eval()
        grids = layer_geometry(network, ["conv1", "conv2", "level1.0.depthwise"], 112)

    placed = {name: (grid.cells.stride, grid.cells.offset) for name, grid in grids.items()}
    # Centres of the pixels 0 to 2; the second halving adds the cells 0 to 2 of the first.
    assert placed == {"conv1": (2, 1), "conv2": (2, 1), "level1.0.depthwise": (4, 3)}


def test_its_first_nine_convolutions_run_in_the_stated_order():
    ran = []
    with torch.device("meta"):
        network = MobileFaceNet().eval()
        for name, module in network.named_modules():
            if isinstance(module, torch.nn.Conv2d):
                module.register_forward_hook(lambda *_, name=name: ran.append(name))
        network(torch.empty(1, 3, 112, 112))

    blocks = [f"level1.{block}.{name}" for block in (0, 1)
              for name in ("expand", "depthwise", "project")]  # fmt: skip
    assert ran[:9] == ["conv1", "depthwise1", "conv2", *blocks]
