"""Geometry against numbers worked out by hand, and against the support of real gradients."""

import pytest
import torch
from timm import create_model
from torch import nn
from torch.nn import functional as F
from torchvision.models import VisionTransformer, resnet18, shufflenet_v2_x0_5, swin_t

from ingest.networks.cell_geometry import LayerError, LayerGeometry, layer_geometry
from ingest.networks.cell_layout import ChannelsLast, TokenGrid
from ingest.networks.dlib_resnet import DlibResNet29
from ingest.networks.inception_resnet import InceptionResnetV1
from ingest.networks.iresnet import iresnet18, iresnet100
from ingest.networks.vgg_face import VggFace
from leamstore.catalog import Tokens
from leamstore.layers import CellGrid


class Net(nn.Module):
    """A network made of a function of its submodules and the chips."""

    def __init__(self, forward, **modules):
        super().__init__()
        self.function = forward
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, chips):
        return self.function(self, chips)


def conv(kernel=1, stride=1, padding=0, dilation=1, inputs=3):
    return nn.Conv2d(inputs, 3, kernel, stride, padding, dilation)


def place(network, layer="last", size=16):
    """Stride and offset of a layer."""
    cells = layer_geometry(network.eval(), [layer], size)[layer].cells
    return cells.stride, cells.offset


# By hand: a layer's stride is the product of the strides so far; its offset grows by
# ((kernel - 1) / 2 - padding) of the strides before it.
IRESNET = {
    "conv1": (112, 64, 1, 0),
    "layer1.0.conv1": (112, 64, 1, 0),
    "layer1.0.conv2": (56, 64, 2, 0),
    "layer1.1.conv2": (56, 64, 2, 0),
    "layer2.0.conv1": (56, 128, 2, 0),
    "layer2.0.conv2": (28, 128, 4, 0),
    "layer2.1.conv2": (28, 128, 4, 0),
}
BY_HAND = {
    DlibResNet29: (
        150,
        {
            "conv1": (72, 32, 2, 3),
            "layer1.0.conv1": (35, 32, 4, 5),
            "layer1.2.conv2": (35, 32, 4, 5),
            "layer2.0.conv1": (17, 64, 8, 9),
            "layer2.0.conv2": (17, 64, 8, 9),
        },
    ),
    iresnet18: (112, IRESNET),
    iresnet100: (112, IRESNET),
    InceptionResnetV1: (
        160,
        {
            "conv2d_1a.conv": (79, 32, 2, 1),
            "conv2d_2a.conv": (77, 32, 2, 1 + 2),
            "conv2d_2b.conv": (77, 64, 2, 3),
            "conv2d_3b.conv": (38, 80, 4, 3 + 2),
            "conv2d_4a.conv": (36, 192, 4, 5 + 4),
            "conv2d_4b.conv": (17, 256, 8, 9 + 4),
            "repeat_1.0.branch1.1.conv": (17, 32, 8, 13),
            "mixed_6a.branch1.2.conv": (8, 256, 16, 13 + 8),
        },
    ),
    VggFace: (
        224,
        {
            "conv1_2": (224, 64, 1, 0),
            "conv2_2": (112, 128, 2, 0.5),
            "conv3_3": (56, 256, 4, 0.5 + 1),
            "conv4_2": (28, 512, 8, 1.5 + 2),
        },
    ),
}


@pytest.mark.parametrize("build", BY_HAND)
def test_the_networks_layers_lie_where_they_do_by_hand(build):
    size, by_hand = BY_HAND[build]
    with torch.device("meta"):
        network = build().eval()

    geometry = layer_geometry(network, by_hand, size)

    assert geometry == {
        layer: LayerGeometry(CellGrid(side, side, stride, offset, size), channels)
        for layer, (side, channels, stride, offset) in by_hand.items()
    }


def linearised(network):
    """Make a network respond to every pixel that a cell can see, and to none with sign."""
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.MaxPool2d):
                pool = nn.AvgPool2d(child.kernel_size, child.stride, child.padding)
                setattr(module, name, pool)
    for parameter in network.parameters():
        parameter.data = parameter.data.abs() + 0.01
    return network.double().eval()


class ReachedError(Exception):
    """The layer of interest has run; the rest of the network needn't."""


@pytest.mark.parametrize(
    ("build", "size", "layer"),
    [
        (DlibResNet29, 150, "conv1"),
        (DlibResNet29, 150, "layer1.1.conv2"),
        (DlibResNet29, 150, "layer2.0.conv2"),
        (iresnet18, 112, "layer1.0.conv2"),
        (iresnet18, 112, "layer2.1.conv2"),
        (InceptionResnetV1, 160, "conv2d_4a.conv"),
        (InceptionResnetV1, 160, "repeat_1.0.branch1.1.conv"),
    ],
)
def test_cells_are_centred_on_the_pixels_that_move_them(build, size, layer):
    with torch.device("meta"):
        cells = layer_geometry(build().eval(), [layer], size)[layer].cells
    network = linearised(build())
    y, x = cells.height // 2, cells.width // 2 - 1
    chip = torch.ones(1, 3, size, size, dtype=torch.float64, requires_grad=True)

    def differentiate(module, inputs, output):
        output[0, :, y, x].sum().backward()
        raise ReachedError

    network.get_submodule(layer).register_forward_hook(differentiate)
    with pytest.raises(ReachedError):
        network(chip)

    rows, columns = chip.grad[0].sum(0).nonzero().double().unbind(1)
    centre = [(pixels.min() + pixels.max()) / 2 for pixels in (rows, columns)]
    assert centre == [cells.stride * cell + cells.offset for cell in (y, x)]


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (conv(4, 2, 1), (2, 0.5)),  # the first cell sees -1 to 2
        (conv(3, 1, 0, dilation=2), (1, 2)),  # 0 to 4
        (nn.AvgPool2d(2), (2, 0.5)),
        (nn.MaxPool2d(3, 2, padding=1), (2, 0)),
        (nn.ZeroPad2d((2, 1, 2, 1)), (1, -2)),
        (nn.ReflectionPad2d(1), (1, -1)),
    ],
)
def test_each_kind_of_window_moves_cells_as_by_hand(layer, expected):
    assert place(nn.Sequential(layer, conv()), "1") == expected


def test_where_branches_meet_a_cell_is_centred_on_all_that_it_sees():
    # The first cell sees 0 to 1 through the pool and -1 to 1 through the convolution.
    network = Net(
        lambda net, x: net.last(torch.cat([F.max_pool2d(x, 2), net.branch(x)], 1)),
        branch=conv(3, 2, 1),
        last=conv(inputs=6),
    )

    assert place(network) == (2, 0)


CELL_BY_CELL = {
    "in-place activation and sum": lambda net, x: F.relu(x, inplace=True).add_(1).mul_(x),
    "norms": lambda net, x: F.group_norm(F.instance_norm(x), 3),
    "squeeze and excitation": lambda net, x: x * x.mean((2, 3), keepdim=True).sigmoid(),
    "reversed channels": lambda net, x: x.flip(1),
    "shuffled channels": lambda net, x: F.channel_shuffle(x, 3),
    "attention over channels": lambda net, x: x * x.amax(1, keepdim=True) * x.softmax(1),
    "linear layer on channels that come last": lambda net, x: net.linear(
        x.permute(0, 2, 3, 1)
    ).permute(0, 3, 1, 2),
}


@pytest.mark.parametrize("change", CELL_BY_CELL.values(), ids=CELL_BY_CELL)
def test_what_treats_cells_alike_leaves_them_in_their_place(change):
    network = Net(
        lambda net, x: net.last(change(net, net.first(x))),
        first=conv(3, 2),
        linear=nn.Linear(3, 3),
        last=conv(),
    )

    assert place(network) == (2, 1)


def test_a_slice_takes_its_cells_from_where_it_begins():
    network = Net(lambda net, x: net.last(x[:, :, -15::4, 1::4]), last=conv())

    assert place(network) == (4, 1)


@pytest.mark.parametrize("build", [resnet18, shufflenet_v2_x0_5])
def test_networks_of_torchvision_are_followed_to_their_last_convolution(build):
    with torch.device("meta"):
        network = build()
    last = [name for name, module in network.named_modules() if isinstance(module, nn.Conv2d)][-1]

    # Every window in these is of odd size and padded by half of it.
    assert place(network, last, 224) == (32, 0)


UNFOLLOWED = {
    "roll": lambda x: x.roll(1, 2),
    "cat": lambda x: torch.cat([x, x], 2),
    "view": lambda x: x.flatten(1).view(1, 3, 8, 32),
    "convolution": lambda x: F.conv_transpose2d(x, torch.ones(3, 3, 2, 2), stride=2),
    "add": lambda x: x + x.roll(1, 2),
    "flip": lambda x: x.flip(3),
}


@pytest.mark.parametrize("operation", UNFOLLOWED)
def test_an_operation_that_leaves_no_telling_is_named_with_the_layer(operation):
    change = UNFOLLOWED[operation]
    network = Net(lambda net, x: net.last(change(x)), last=conv())
    named = "roll" if operation == "add" else operation

    with pytest.raises(LayerError, match=f"'last' .* the operation {named} comes before it"):
        layer_geometry(network, ["last"], 16)


def test_branches_of_different_stride_leave_no_telling():
    network = Net(
        lambda net, x: net.last(x[:, :, ::2, ::2] + x[:, :, :8, :8]),
        last=conv(),
    )

    with pytest.raises(LayerError, match="the operation add"):
        layer_geometry(network, ["last"], 16)


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        ("convolution", "no layer 'convolution': its convolutions begin with first, uneven"),
        ("unused", "a layer 'unused', but does not run it"),
        ("linear", "'linear' is not a grid"),
        ("uneven", "'uneven' lie differently in height and width"),
    ],
)
def test_a_layer_without_a_grid_is_refused_by_name(layer, sentence):
    network = Net(
        lambda net, x: (net.uneven(net.first(x)), net.linear(torch.ones(1, 3))),
        first=conv(),
        uneven=conv((3, 1)),
        unused=conv(),
        linear=nn.Linear(3, 3),
    )

    with pytest.raises(LayerError, match=sentence):
        layer_geometry(network, [layer], 16)


@pytest.mark.parametrize("layer", ["first", "unused"])
def test_no_hook_is_left_behind(layer):
    network = Net(lambda net, x: net.first(x), first=conv(), unused=nn.Linear(3, 3))

    try:
        layer_geometry(network, [layer], 16)
    except LayerError:
        assert layer == "unused"

    assert not any(module._forward_hooks for module in network.modules())


def vit():
    """A transformer with a class token and four registers before 7 x 7 patches of 8 pixels."""
    return create_model(
        "vit_tiny_patch16_224", img_size=56, patch_size=8, embed_dim=16, depth=2, num_heads=2,
        reg_tokens=4, num_classes=0,
    )  # fmt: skip


def swin():
    """A Swin transformer whose windows don't divide its 10 x 10 cells: it pads and shifts them."""
    return create_model(
        "swin_tiny_patch4_window7_224", img_size=40, embed_dim=8, depths=(2, 2), num_heads=(1, 2),
        window_size=4, num_classes=0,
    )  # fmt: skip


# By hand: side, stride, offset and layout. A patch of p pixels is centred on its (p - 1) / 2.
TRANSFORMERS = {
    "timm's ViT": (
        vit,
        56,
        {
            "patch_embed": (7, 8, 3.5, TokenGrid(0, 7, 7)),
            "blocks.0.norm1": (7, 8, 3.5, TokenGrid(5, 7, 7)),
            "blocks.0.attn": (7, 8, 3.5, TokenGrid(5, 7, 7)),
            "blocks.1": (7, 8, 3.5, TokenGrid(5, 7, 7)),
        },
    ),
    "torchvision's ViT": (
        lambda: VisionTransformer(64, 16, 2, 2, 16, 32),
        64,
        {"encoder.layers.encoder_layer_1": (4, 16, 7.5, TokenGrid(1, 4, 4))},
    ),
    "timm's Swin": (
        swin,
        40,
        {
            "layers.0.blocks.1": (10, 4, 1.5, ChannelsLast()),
            "layers.1.blocks.1": (5, 8, 3.5, ChannelsLast()),
        },
    ),
    "torchvision's Swin": (swin_t, 64, {"features.3.1": (8, 8, 3.5, ChannelsLast())}),
}


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_tokens_lie_where_their_patches_do(name):
    build, size, by_hand = TRANSFORMERS[name]

    geometry = layer_geometry(build().eval(), by_hand, size)

    found = {
        layer: (at.cells.height, at.cells.stride, at.cells.offset, at.layout)
        for layer, at in geometry.items()
    }
    assert found == by_hand


def test_a_shift_that_is_undone_leaves_cells_in_their_place():
    network = Net(
        lambda net, x: net.last((net.first(x).roll((-2, -1), (2, 3)) * 2).roll((2, 1), (2, 3))),
        first=conv(3, 2),
        last=conv(),
    )

    assert place(network) == (2, 1)


class Mixed(nn.Module):
    """Patches whose places are mixed by a linear layer, behind a class token."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 4, 4, 4)
        self.mixer = nn.Linear(17, 17)
        self.last = nn.Identity()

    def forward(self, chips):
        tokens = self.patches(chips).flatten(2).transpose(1, 2)
        tokens = torch.cat([torch.zeros(len(chips), 1, 4), tokens], 1)
        return self.last(self.mixer(tokens.transpose(1, 2)).transpose(1, 2))


def test_tokens_that_are_mixed_lie_where_the_entry_says():
    (layer,) = layer_geometry(Mixed(), ["last"], 16, Tokens(prefix=1, grid=(4, 4))).values()

    assert layer == LayerGeometry(CellGrid(4, 4, 4, 1.5, 16), 4, TokenGrid(1, 4, 4))


WRONG = {
    "nothing said": (
        Mixed, 16, "last", None,
        r"operation (add)?mm comes .*, such as tokens: \{prefix: 1, grid: \[4, 4\]\}",
    ),
    "too many": (
        Mixed, 16, "last", Tokens(grid=(7, 7)),
        r"says tokens: \{prefix: 0, grid: \[7, 7\]\}, which are 49 tokens, but .* gives 17",
    ),
    "another prefix": (
        vit, 56, "blocks.1", Tokens(prefix=1, grid=(7, 7)),
        r"gives 54 tokens, 5 before 7 x 7 patches: write tokens: \{prefix: 5, grid: \[7, 7\]\}",
    ),
    "another grid": (vit, 56, "blocks.1", Tokens(prefix=5, grid=(49, 1)), "5 before 7 x 7 patches"),
    "windows": (swin, 40, "layers.0.blocks.0.attn", Tokens(grid=(4, 4)), "is not a grid"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_an_entry_that_is_wrong_about_tokens_is_told_what_they_are(case):
    build, size, layer, stated, sentence = WRONG[case]

    with pytest.raises(LayerError, match=sentence):
        layer_geometry(build().eval(), [layer], size, stated)
