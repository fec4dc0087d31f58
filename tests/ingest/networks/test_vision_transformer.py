import torch
from timm.models.vision_transformer import VisionTransformer as TimmsTransformer
from torch import nn

from ingest.networks import load
from ingest.networks.vision_transformer import VisionTransformer
from leamstore.catalog import read_catalog


def transformer():
    torch.manual_seed(0)
    return VisionTransformer(patch=16, width=24, depth=2, heads=3, expansion=3).eval()


def test_tokens_and_parameters_are_those_of_timms_transformer():
    network = transformer()
    timms = TimmsTransformer(
        img_size=112, patch_size=16, embed_dim=24, depth=2, num_heads=3, mlp_ratio=3,
        qkv_bias=False, class_token=False, global_pool="", num_classes=0, act_layer=nn.ReLU6,
        norm_layer=nn.LayerNorm,
    ).eval()  # fmt: skip
    state = {name: value for name, value in network.state_dict().items() if "feature" not in name}
    timms.load_state_dict(state, strict=True)
    chips = torch.randn(2, 3, 112, 112)

    tokens = timms(chips)

    torch.testing.assert_close(network(chips), network.feature(tokens.flatten(1)))


def test_a_checkpoint_of_the_hub_fills_it_without_its_mask_token(tmp_path):
    entry = read_catalog().model("ADA_VIT_B")
    small = {"patch": 16, "width": 24, "depth": 2, "heads": 3}
    catalog = read_catalog().model_copy(
        update={"models": {entry.name: entry.model_copy(update={"arguments": small})}}
    )
    trained = VisionTransformer(**small)
    state = {f"model.net.{name}": value for name, value in trained.state_dict().items()}
    torch.save(state | {"model.net.mask_token": torch.zeros(1, 1, 24)}, tmp_path / "model.pt")

    network = load(entry.name, tmp_path / "model.pt", catalog)

    assert torch.equal(network.pos_embed, trained.pos_embed)
