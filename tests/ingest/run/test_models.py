import pytest
import torch

from ingest.leam.maps import embed
from ingest.run.models import Request, open_model
from leamstore.catalog import Catalog
from leamstore.errors import LeamError

MODULE = "tests.ingest.run.networks_of_users"


def opened(network, layers=("conv1", "conv2"), embedding_size=6):
    """The model of an entry with that network."""
    entry = {
        "network": f"{MODULE}:{network}",
        "family": "a user's", "loss": "none", "trained_on": "nothing", "weights": None,
        "input_size": 32, "alignment": "crop", "colour_order": "RGB",
        "mean": [127.5] * 3, "std": [127.5] * 3,
        "embedding_size": embedding_size, "layers": layers, "citation": "none",
    }  # fmt: skip
    catalog = Catalog(models={"MINE": entry})
    request = Request(
        entry=catalog.model("MINE"), catalog=catalog, weights=None, layers=layers,
        target="cosine", positives="all", precision="float32", seed=0,
    )  # fmt: skip
    return open_model(request, device=torch.device("cpu"), batch_size=4, keep_pairs=0, visible=())


def chips():
    generator = torch.Generator().manual_seed(1)
    return 255 * torch.rand(3, 3, 32, 32, generator=generator)


@pytest.mark.parametrize(
    "network",
    [
        "Plain", "Children", "Lazy", "OldFlatten", "ViewAs", "Keywords", "double",
        "parallel", "compiled", "compiled_within",
    ],
)  # fmt: skip
def test_a_network_of_any_shape_embeds_as_it_does_in_plain_torch(network):
    model = opened(network)
    run = model.run.network
    plain = run.to(memory_format=torch.contiguous_format)(chips().to(next(run.parameters())))
    torch.testing.assert_close(
        embed(run, chips()), plain.to(torch.promote_types(plain.dtype, torch.float32))
    )
    assert model.layers["height"].to_list() == [15, 7]


@pytest.mark.parametrize("network", ["half", "bfloat16"])
def test_a_network_in_half_precision_embeds_as_the_same_one_in_float32(network):
    halved = opened(network)
    assert next(halved.run.network.parameters()).element_size() == 2
    found, expected = (
        embed(halved.run.network, chips()),
        embed(opened("Plain").run.network, chips()),
    )
    assert torch.cosine_similarity(found, expected).min() > 0.999


def test_a_sequential_is_a_whole_network_and_keeps_its_steps():
    model = opened("sequential", layers=("0", "2"))
    assert len(model.run.network) == 5
    assert model.layers["layer"].to_list() == ["0", "2"]


@pytest.mark.parametrize(
    ("network", "sentence"),
    [
        ("scripted", "is TorchScript, in which no layer can be watched: let it return the module"),
        ("Tuple", "gives a tuple where an embedding of each chip"),
        ("Mapping", "gives a dict where an embedding of each chip"),
        ("OneForAll", r"gives \(1, 12\) of 2 chips, not an embedding of each \(2, 6\)"),
        ("Grid", r"gives \(2, 6, 1, 1\) of 2 chips"),
        ("Raises", r"can't be run: ValueError\('my own check failed'\)\. It is called with chips"),
        ("TwoArguments", "missing 1 required positional argument: 'labels'"),
        ("NoGradient", "remove no_grad or detach from the network's forward"),
        ("Unused", "has a layer 'conv2', but does not run it: leave it out"),
        ("Dropout", "leave out of its forward what is drawn at random"),
        ("Strides", "or reads memory by strides"),
        ("BrokenWeight", "holds NaN or infinite numbers in conv2.weight"),
    ],
)
def test_a_network_that_cannot_be_explained_is_one_sentence(network, sentence):
    with pytest.raises(LeamError, match=sentence) as caught:
        opened(network)
    assert "MINE" in str(caught.value)


def test_a_layer_within_torchscript_is_named():
    with pytest.raises(LeamError, match=r"Layer 'body\.conv1' lies in TorchScript"):
        opened("ScriptedWithin", layers=("body.conv1",))


def test_an_embedding_size_that_is_not_the_networks_is_refused():
    with pytest.raises(LeamError, match=r"says embedding_size: 999, .* write embedding_size: 6\."):
        opened("Plain", embedding_size=999)
