from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from ingest.leam.maps import arithmetic, backward_passes, embed, explain, relevance_maps
from ingest.leam.targets import TARGETS, mean_of_positives
from ingest.networks.cell_geometry import layer_geometry
from ingest.networks.cell_layout import ChannelsLast, TokenGrid
from leamstore.errors import LeamError
from tests.ingest import reference


class Block(nn.Module):
    """A residual block that overwrites all it can."""

    def __init__(self, channels, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=1)
        self.shortcut = nn.Conv2d(channels, channels, 1, stride)

    def forward(self, x):
        out = self.conv2(self.relu(self.norm1(self.conv1(x))))
        out += self.shortcut(x)
        return self.relu(out)


class Residual(nn.Module):
    """A small recogniser with the traps of large ones."""

    def __init__(self):
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.norm = nn.BatchNorm2d(8)
        self.prelu = nn.PReLU(8)
        self.block1 = Block(8, 1)
        self.block2 = Block(8, 2)
        self.unused = nn.Conv2d(3, 3, 1)
        self.fc = nn.Linear(8 * 4 * 4, 16)
        self.features = nn.BatchNorm1d(16, affine=False)

    def forward(self, x):
        out = self.prelu(self.norm(self.relu(self.stem(x))))
        out = self.block2(self.block1(out))
        return self.features(self.fc(out.view(len(out), -1)))


LAYERS = (
    "stem",
    "block1.conv1",
    "block1.conv2",
    "block1.shortcut",
    "block2.conv1",
    "block2.conv2",
)
ALL_PAIRS = [(anchor, positive) for anchor in range(5) for positive in range(5)]


@pytest.fixture
def network():
    torch.manual_seed(0)
    network = Residual().double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d | nn.PReLU):
            module.weight.data.uniform_(-1, 1)
    network(torch.randn(8, 3, 8, 8, dtype=torch.float64))  # gives the batch norms statistics
    return network.eval().requires_grad_(False)


@pytest.fixture
def images():
    return torch.randn(5, 3, 8, 8, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


class TwoSigns(nn.Module):
    """The layer is (x, -x) of one grey pixel row, the embedding their difference, 2 x."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Conv2d(1, 2, 1, bias=False)
        self.layer.weight.data = torch.tensor([1.0, -1.0]).reshape(2, 1, 1, 1)
        self.eval()

    def forward(self, x):
        out = self.layer(x)
        return (out[:, 0] - out[:, 1]).flatten(1)


def test_a_map_is_the_one_worked_out_by_hand():
    # f(a) = (2, 2, 1, 0) and f(p) = (1, 2, 2, 0), both of length 3, so cos = 8/9 and
    # dS/df = (p/3 - 8/9 a/3) / 3 = (-7, 2, 10, 0) / 81. The first channel is a/2 with weights
    # ReLU(dS/df), the second -a/2 with weights ReLU(-dS/df): the sum is (-7, 2, 5, 0) / 81.
    images = torch.tensor([[[[1, 1], [0.5, 0]]], [[[0.5, 1], [1, 0]]]])
    found = explain(TwoSigns(), images, [(0, 1)], ["layer"])
    assert_close(found.maps["layer"], torch.tensor([[[0, 0.4], [1, 0]]]))
    assert_close(found.peaks["layer"], torch.tensor([5 / 81]))
    assert_close(found.cosines, torch.tensor([8 / 9]))
    assert_close(found.embeddings, torch.tensor([[2.0, 2, 1, 0], [1, 2, 2, 0]]))


def test_a_map_without_a_positive_cell_is_zero_and_not_nan():
    # Where the anchor has pixels, they are larger than the positive's: dS/df < 0 there.
    images = torch.tensor([[[[2.0, 0], [0, 0]]], [[[1.0, 3], [0, 0]]]])
    found = explain(TwoSigns(), images, [(0, 1)], ["layer"])
    assert torch.equal(found.maps["layer"], torch.zeros(1, 2, 2))
    assert torch.equal(found.peaks["layer"], torch.zeros(1))


@pytest.mark.parametrize("layer", LAYERS)
def test_a_map_agrees_with_finite_differences(network, images, layer):
    anchor, positive = images[:1], network(images[1:2])
    module, step = network.get_submodule(layer), 1e-6
    outputs = []
    hook = module.register_forward_hook(lambda _m, _i, output: outputs.append(output.clone()))
    network(anchor)
    hook.remove()
    (activation,) = outputs

    def cosines(change):
        steps = change * torch.eye(activation.numel(), dtype=torch.float64)
        moved = activation + steps.reshape(-1, *activation.shape[1:])
        hook = module.register_forward_hook(lambda _m, _i, _o: moved)
        embeddings = network(anchor.expand(len(moved), -1, -1, -1))
        hook.remove()
        return torch.cosine_similarity(embeddings, positive)

    slopes = ((cosines(step) - cosines(-step)) / (2 * step)).reshape(activation.shape)
    expected = (slopes.relu() * activation).sum(1).relu()
    found = explain(network, images, [(0, 1)], [layer])
    assert_close(found.peaks[layer], expected.amax((1, 2)).float(), rtol=1e-5, atol=0)
    assert_close(found.maps[layer], (expected / expected.max()).float(), rtol=0, atol=1e-5)


def test_all_maps_agree_with_the_plain_reference(network, images):
    found = explain(network, images, ALL_PAIRS, LAYERS)
    for layer in LAYERS:
        plain = [reference.relevance(network, images[a], images[p], layer) for a, p in ALL_PAIRS]
        for place, (anchor, positive) in enumerate(ALL_PAIRS):
            if anchor != positive:
                expected = plain[place].float()
                assert_close(found.peaks[layer][place], expected.max())
                assert_close(found.maps[layer][place], expected / expected.max())


class StandardisedConvolution(nn.Conv2d):
    """Scales its weights by their own mean and variance, as timm's `StdConv2d` does."""

    def forward(self, x):
        weights, unit = self.weight.reshape(1, len(self.weight), -1), torch.ones(4).double()
        weights = F.batch_norm(weights, unit, unit, training=True, momentum=0.0)
        return F.conv2d(x, weights.reshape_as(self.weight), self.bias)


class SignBit(nn.Module):
    """A ReLU by the bits of its input."""

    def forward(self, x):
        return x * (x.detach().view(torch.int64) >= 0)


@pytest.mark.parametrize(
    "operation",
    [
        nn.PReLU(init=-0.5),
        nn.PReLU(4, init=1.5),
        nn.BatchNorm2d(4),
        nn.BatchNorm2d(4, affine=False),
        nn.Sequential(nn.ReLU(inplace=True), nn.Hardswish()),
        nn.Sequential(nn.MaxPool2d(3, 2), nn.GELU(), nn.AvgPool2d(2)),
        nn.Sequential(nn.PixelShuffle(2), nn.GroupNorm(1, 1)),
        StandardisedConvolution(4, 4, 3),
        SignBit(),
    ],
    ids=repr,
)
def test_what_follows_a_layer_is_differentiated_exactly(images, operation):
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(3, 4, 3), operation, nn.Flatten()).double().eval()
    for tensor in (*operation.parameters(), *operation.buffers()):
        if tensor.is_floating_point():
            tensor.data.add_(torch.rand(tensor.shape))
    found = explain(network, images, [(0, 1)], ["0"])
    expected = reference.relevance(network, images[0], images[1], "0").float()
    assert_close(found.peaks["0"][0], expected.max())
    assert_close(found.maps["0"][0], expected / expected.max())


@pytest.mark.parametrize("layer", LAYERS)
def test_a_map_agrees_with_layercam_of_grad_cam(network, images, layer):
    pytest.importorskip("pytorch_grad_cam")
    from pytorch_grad_cam import LayerCAM
    from pytorch_grad_cam.utils.image import scale_cam_image

    network, images = network.float(), images.float()
    positive = network(images[1:2])[0]
    with LayerCAM(network, [network.get_submodule(layer)]) as cam:
        # A copy of the layer's output keeps the in-place operations off what grad-cam stores.
        hook = network.get_submodule(layer).register_forward_hook(lambda _m, _i, out: out.clone())
        theirs = cam(
            images[:1].clone().requires_grad_(),
            [lambda embedding: torch.cosine_similarity(embedding, positive, dim=0)],
        )
        hook.remove()
    ours = relevance_maps(network, images, [(0, 1)], [layer])[layer]
    ours = scale_cam_image(ours.numpy(), (8, 8))
    assert_close(torch.from_numpy(ours), torch.from_numpy(theirs), rtol=0, atol=1e-4)


def test_an_image_paired_with_itself_has_zero_maps(network, images):
    network, images = network.float(), images.float()
    for batch_size in (2, 5):
        found = explain(network, images, [(i, i) for i in range(5)], LAYERS, batch_size=batch_size)
        for layer in LAYERS:
            assert torch.equal(found.peaks[layer], torch.zeros(5))
            assert torch.equal(found.maps[layer], torch.zeros_like(found.maps[layer]))


def test_an_image_agrees_with_itself_whatever_its_batch(network, images):
    class Unsteady(nn.Module):
        """Its embeddings depend a little on the size of the batch, as rounding makes them do."""

        def __init__(self):
            super().__init__()
            self.network = network
            self.eval()

        def forward(self, x):
            return self.network(x) + 1e-6 * len(x)

    pairs = [(0, 0), (1, 1), (2, 2)]  # image 2 is embedded beside image 3, and explained alone
    found = explain(Unsteady(), images, pairs, ["network.stem"], batch_size=2)
    assert torch.equal(found.peaks["network.stem"], torch.zeros(3))


def test_a_layer_that_the_embedding_ignores_has_zero_maps(images):
    class Beside(nn.Module):
        def __init__(self):
            super().__init__()
            self.heard, self.unheard = nn.Conv2d(3, 2, 3), nn.Conv2d(3, 2, 3)
            self.double().eval()

        def forward(self, x):
            self.unheard(x)
            return self.heard(x).flatten(1)

    found = explain(Beside(), images, [(0, 1)], ["unheard", "heard"])
    assert found.peaks["heard"] > 0
    assert torch.equal(found.maps["unheard"], torch.zeros(1, 6, 6))


def test_maps_are_scaled_to_maximum_one_in_float32(network, images):
    found = explain(network, images, [(0, 1), (0, 2), (3, 4)], LAYERS)
    for layer in LAYERS:
        assert found.maps[layer].dtype == found.peaks[layer].dtype == torch.float32
        assert_close(found.maps[layer].amax((1, 2)), torch.ones(3))
        assert (found.maps[layer] >= 0).all()


@pytest.mark.parametrize("batch_size", [1, 2, 3, 4])
def test_the_batch_size_does_not_change_the_result(network, images, batch_size):
    network, images = network.float(), images.float()
    pairs = [(4, 0), (0, 1), (4, 1), (2, 3), (4, 2), (0, 4)]
    whole = explain(network, images, pairs, LAYERS, batch_size=5)
    parts = explain(network, images, pairs, LAYERS, batch_size=batch_size)
    assert_close(parts.cosines, whole.cosines, rtol=0, atol=1e-5)
    assert_close(parts.embeddings, whole.embeddings, rtol=0, atol=1e-5)
    for layer in LAYERS:
        assert_close(parts.maps[layer], whole.maps[layer], rtol=0, atol=1e-5)
        assert_close(parts.peaks[layer], whole.peaks[layer], rtol=1e-4, atol=1e-7)


def test_maps_come_in_the_order_of_the_pairs(network, images):
    pairs = [(4, 0), (0, 1), (4, 1), (2, 3), (4, 2), (0, 4)]
    together = relevance_maps(network, images, pairs, ["stem"])["stem"]
    for place, pair in enumerate(pairs):
        alone = relevance_maps(network, images, [pair], ["stem"])["stem"]
        assert_close(together[place], alone[0])


@pytest.mark.parametrize("batch_size", [2, 5])
def test_rounds_hold_every_pair_once_and_an_anchor_at_most_once_each(network, images, batch_size):
    made = list(backward_passes(network, images, ALL_PAIRS, ["stem"], batch_size=batch_size))
    assert sorted(torch.cat([part.pairs for part in made]).tolist()) == list(range(25))
    for part in made:
        anchors = [ALL_PAIRS[pair][0] for pair in part.pairs]
        assert len(set(anchors)) == len(anchors) <= batch_size


def test_anchors_with_alike_numbers_of_pairs_share_their_backward_passes(network, images):
    pairs = [(0, 1), (1, 0), (2, 3), (2, 4), (3, 2), (3, 4), (4, 2), (4, 3)]
    made = backward_passes(network, images, pairs, ["stem"], batch_size=3)
    assert [len(part.pairs) for part in made] == [3, 3, 2]


def forward_passes(network, images, **settings):
    calls = []
    hook = network.register_forward_hook(lambda _m, inputs, _o: calls.append(len(inputs[0])))
    explain(network, images, ALL_PAIRS, LAYERS, **settings)
    hook.remove()
    return calls


def test_images_that_fit_a_batch_take_one_forward_pass(network, images):
    assert forward_passes(network, images, batch_size=5) == [5]


def test_images_that_do_not_fit_a_batch_are_embedded_first(network, images):
    assert forward_passes(network, images, batch_size=3) == [3, 2, 3, 2]


def hooks(network):
    return [hook for module in network.modules() for hook in module._forward_hooks.values()]


def test_no_hook_is_left_after_success(network, images):
    explain(network, images, ALL_PAIRS, LAYERS)
    assert not hooks(network)


def test_no_hook_is_left_while_rounds_are_handed_out(network, images):
    next(backward_passes(network, images, ALL_PAIRS, LAYERS))
    assert not hooks(network)


def test_no_hook_is_left_after_an_exception(network, images):
    with pytest.raises(RuntimeError, match="shapes cannot be multiplied"):
        explain(network, images[..., :6], ALL_PAIRS, LAYERS)
    assert not hooks(network)


def test_no_gradient_reaches_the_parameters(network, images):
    network.requires_grad_(True)
    maps = relevance_maps(network, images, ALL_PAIRS, LAYERS)
    assert all(parameter.grad is None for parameter in network.parameters())
    assert not any(relevance.requires_grad for relevance in maps.values())


def test_embeddings_are_those_of_the_network_and_carry_no_gradient(network, images):
    network.requires_grad_(True)
    embeddings = embed(network, images, batch_size=2)
    assert not embeddings.requires_grad
    assert_close(embeddings, network(images).detach())


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_caller_without_gradients_gets_the_same_maps(network, images, mode):
    expected = relevance_maps(network, images, ALL_PAIRS, LAYERS)
    with mode():
        found = relevance_maps(network, images.clone(), ALL_PAIRS, LAYERS)
        assert not torch.is_grad_enabled()
    for layer in LAYERS:
        assert_close(found[layer], expected[layer])


def test_the_mean_of_positives_may_stand_for_the_positive(network, images):
    identities = ["Ada", "Ada", "Ada", "Bob", "Bob"]
    found = explain(
        network,
        images,
        [(image, image) for image in range(5)],
        ["stem"],
        counterparts=lambda embeddings: mean_of_positives(embeddings, identities),
    )
    means = mean_of_positives(network(images), identities)
    assert_close(found.cosines, torch.cosine_similarity(network(images), means))
    # An identity of two has one positive: its map is the pair's.
    pair = relevance_maps(network, images, [(3, 4)], ["stem"])["stem"]
    assert_close(found.maps["stem"][3], pair[0])


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_that_ignores_the_counterpart_has_one_map_an_anchor(network, images, name):
    target = TARGETS[name]
    references = target.references(network(images), ["a", "a", "b", "b", "c"], 0)
    maps = relevance_maps(network, images, [(0, 1), (0, 4)], ["stem"], name, references=references)[
        "stem"
    ]
    assert torch.equal(maps[0], maps[1]) == (not target.uses_counterpart)


def test_references_are_those_of_the_anchor(network, images):
    strangers = embed(network, images)[[4, 3, 0, 1, 2]]
    found = relevance_maps(
        network, images, [(2, 1), (1, 2)], LAYERS, "impostor", references=strangers
    )
    expected = relevance_maps(network, images, [(2, 0), (1, 3)], LAYERS)
    for layer in LAYERS:
        assert_close(found[layer], expected[layer])


def test_bfloat16_gives_float32_maps_of_nearly_the_same_order(network, images):
    network, images = network.float(), images.float()
    pairs = [(0, 1), (2, 3), (4, 1)]
    exact = relevance_maps(network, images, pairs, ["stem", "block1.conv2"])
    rough = explain(network, images, pairs, ["stem", "block1.conv2"], precision="bfloat16")
    assert rough.embeddings.dtype == torch.float32
    for layer, relevance in rough.maps.items():
        assert relevance.dtype == torch.float32
        both = torch.stack([relevance.flatten(), exact[layer].flatten()])
        assert torch.corrcoef(both)[0, 1] > 0.95
        assert not torch.equal(relevance, exact[layer])


@pytest.mark.parametrize(
    ("precision", "rounds_factors"), [("float32", False), ("tf32", True), ("bfloat16", False)]
)
def test_a_gpu_rounds_factors_where_tf32_is_asked_for_only(
    network, images, precision, rounds_factors
):
    def settings():
        return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32

    seen = []
    network.block1.conv2.register_forward_hook(lambda *_: seen.append(settings()))

    def counterparts(embeddings):
        seen.append(settings())
        return embeddings

    before = settings()
    made = backward_passes(
        network, images, [(0, 1), (0, 2)], ["stem"], counterparts=counterparts, precision=precision
    )
    for _ in made:
        assert settings() == before
    assert seen == [(rounds_factors, rounds_factors)] * 3


def test_pairs_may_be_a_tensor(network, images):
    pairs = torch.tensor([[0, 1], [2, 3]])
    assert_close(
        relevance_maps(network, images, pairs, LAYERS),
        relevance_maps(network, images, [(0, 1), (2, 3)], LAYERS),
    )


@pytest.mark.parametrize(
    ("layers", "sentence"),
    [
        (["stem", "block9"], "no layer 'block9'"),
        ([], "no layer"),
        (["unused"], "'unused' takes no part in the forward pass"),
        (["fc"], r"'fc' gives \(5, 16\), not \(image, channel, y, x\)"),
        (["block1.relu"], "'block1.relu' is used twice"),
    ],
)
def test_a_layer_that_cannot_be_used_is_refused(network, images, layers, sentence):
    with pytest.raises(LeamError, match=sentence):
        explain(network, images, ALL_PAIRS, layers)
    assert not hooks(network)


@pytest.mark.parametrize("pair", [(0, 5), (-1, 0)])
def test_a_pair_outside_the_images_is_refused(network, images, pair):
    with pytest.raises(LeamError, match=r"names an image outside 0\.\.4"):
        explain(network, images, [(0, 1), pair], LAYERS)


def test_no_pairs_are_refused(network, images):
    with pytest.raises(LeamError, match="no pair to explain"):
        explain(network, images, [], LAYERS)


def test_a_network_in_training_mode_is_refused(network, images):
    network.block1.norm1.train()
    with pytest.raises(LeamError, match="training mode"):
        explain(network, images, ALL_PAIRS, LAYERS)


def test_a_network_that_hides_its_gradient_is_refused(network, images):
    class Hidden(nn.Module):
        def __init__(self):
            super().__init__()
            self.network = network
            self.eval()

        @torch.no_grad()
        def forward(self, x):
            return self.network(x)

    with pytest.raises(LeamError, match=r"depends on none of the layers network\.stem"):
        explain(Hidden(), images, ALL_PAIRS, ["network.stem"])


def test_a_network_without_an_embedding_an_image_is_refused(network, images):
    with pytest.raises(LeamError, match="does not give one embedding"):
        explain(network.block1, torch.ones(2, 8, 4, 4).double(), [(0, 1)], ["conv1"])


def test_a_target_without_its_references_is_refused(network, images):
    with pytest.raises(LeamError, match="'contrastive' needs references"):
        explain(network, images, ALL_PAIRS, LAYERS, "contrastive")


def test_references_of_other_images_are_refused(network, images):
    with pytest.raises(LeamError, match="4 references for 5 images"):
        explain(network, images, ALL_PAIRS, LAYERS, "impostor", references=torch.ones(4, 16))


def test_threads_that_share_a_network_get_the_maps_that_one_gets(network, images):
    alone = explain(network, images, ALL_PAIRS, LAYERS, batch_size=1)
    with ThreadPoolExecutor(4) as pool:
        shared = pool.map(
            lambda _: explain(network, images, ALL_PAIRS, LAYERS, batch_size=1), range(8)
        )
        for found in shared:
            assert_close(found.maps, alone.maps, rtol=0, atol=0)


def test_embeddings_that_are_given_are_not_made_again(network, images):
    calls = []
    embeddings = embed(network, images, batch_size=2)
    with network.register_forward_hook(lambda *_: calls.append(1)):
        found = explain(network, images, ALL_PAIRS, LAYERS, embeddings=embeddings, batch_size=2)
    assert len(calls) == -(-len(images) // 2)
    expected = explain(network, images, ALL_PAIRS, LAYERS, batch_size=2)
    assert_close(found.maps, expected.maps, rtol=0, atol=0)


def test_tf32_stays_allowed_until_the_last_thread_has_left():
    before = torch.backends.cudnn.allow_tf32
    first, second = arithmetic("tf32"), arithmetic("tf32")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert torch.backends.cuda.matmul.allow_tf32
    second.__exit__(None, None, None)
    assert not torch.backends.cuda.matmul.allow_tf32
    assert torch.backends.cudnn.allow_tf32 == before


class Transformer(nn.Module):
    """Blocks of attention on patches of four pixels behind a class token, which is the embedding.

    Parameters
    ----------
    side : int
        Patches along each axis.
    """

    def __init__(self, side):
        super().__init__()
        self.side = side
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.class_token = nn.Parameter(torch.randn(1, 1, 16))
        self.positions = nn.Parameter(torch.randn(1, 1 + side * side, 16))
        self.blocks = nn.Sequential(
            *[
                nn.TransformerEncoderLayer(16, 2, 32, 0, "gelu", batch_first=True, norm_first=True)
                for _ in range(2)
            ]
        )

    def tokens(self, images):
        patches = self.patches(images).flatten(2).transpose(1, 2)
        return torch.cat([self.class_token.expand(len(images), -1, -1), patches], 1)

    def forward(self, images):
        return self.blocks(self.tokens(images) + self.positions)[:, 0]


def chips(side):
    generator = torch.Generator().manual_seed(2)
    return torch.randn(3, 3, 4 * side, 4 * side, generator=generator, dtype=torch.float64)


@pytest.mark.parametrize("layer", ["blocks.0", "blocks.0.norm2", "patches"])
def test_maps_of_tokens_are_those_of_the_patches_by_hand(layer):
    torch.manual_seed(3)
    network, images = Transformer(5).double().eval().requires_grad_(False), chips(5)
    layouts = {"blocks.0": TokenGrid(1, 5, 5), "blocks.0.norm2": TokenGrid(1, 5, 5)}

    maps = relevance_maps(network, images, [(0, 1), (2, 1)], [layer], layouts=layouts)[layer]

    for image, found in zip((0, 2), maps, strict=True):
        gradient, output = reference.gradient(network, images[image], images[1], layer)
        if output.ndim == 3:  # the class token comes first, then the patches row by row
            gradient, output = (x[:, 1:].mT.reshape(1, -1, 5, 5) for x in (gradient, output))
        by_hand = (gradient.relu() * output).sum(1).relu()[0]
        assert by_hand.max() > 0
        assert_close(found.double(), by_hand / by_hand.max(), rtol=0, atol=1e-5)


def test_maps_of_channels_that_come_last_are_those_of_the_same_channels_first(network, images):
    class Turned(nn.Module):
        def __init__(self):
            super().__init__()
            self.turn = nn.Identity()

        def forward(self, x):
            return self.turn(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    network.norm = nn.Sequential(network.norm, Turned()).eval()
    first, last = "norm.0", "norm.1.turn"

    maps = relevance_maps(network, images, [(0, 1)], [first, last], layouts={last: ChannelsLast()})

    assert_close(maps[last], maps[first])


class Attentive(Transformer):
    """A transformer whose class token takes the patch that is marked, and nothing else."""

    def __init__(self, side, patch):
        super().__init__(side)
        mark = torch.full((1, side * side + 1, 1), -1e9)
        mark[:, 1 + patch] = 0
        self.mark = nn.Parameter(mark)
        self.last = nn.Identity()

    def forward(self, images):
        # Where all activations are positive, so is the sum of those that the gradient favours.
        tokens = self.last(self.tokens(images).abs())
        return (self.mark.softmax(1).mT @ tokens)[:, 0]


@pytest.mark.parametrize(("side", "patch"), [(4, 6), (7, 0), (14, 195), (14, 30)])
def test_the_peak_lies_on_the_pixels_of_the_only_patch_that_is_read(side, patch):
    torch.manual_seed(4)
    network = Attentive(side, patch).double().eval().requires_grad_(False)
    (found,) = layer_geometry(network, ["last"], 4 * side).values()
    y, x = divmod(patch, side)

    maps = relevance_maps(network, chips(side), [(0, 1)], ["last"], layouts={"last": found.layout})[
        "last"
    ]
    on_pixels = torch.from_numpy(found.cells.resample(maps.numpy(), 4 * side))[0]

    assert maps.argmax() == patch
    assert maps.count_nonzero() == 1
    assert on_pixels.argmax() // (4 * side) // 4 == y
    assert on_pixels.argmax() % (4 * side) // 4 == x


def test_a_layer_that_has_not_the_form_of_its_layout_is_refused():
    network = Transformer(4).double().eval().requires_grad_(False)

    with pytest.raises(LeamError, match=r"'blocks.0' gives \(3, 17, 16\), not \(image, 1 \+ 3 x 3"):
        explain(network, chips(4), [(0, 1)], ["blocks.0"], layouts={"blocks.0": TokenGrid(1, 3, 3)})
