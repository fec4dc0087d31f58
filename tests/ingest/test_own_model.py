"""The page that tells how to bring a model of one's own, followed to the letter."""

import contextlib
import json
import re
from pathlib import Path

import yaml

from leamstore.lake import Lake
from tests.commandlines import run_command


def test_the_example_of_the_docs_becomes_a_model_of_the_lake(tmp_path):
    page = Path("docs/models.md").read_text(encoding="utf-8")
    (tmp_path / "my.yaml").write_text(re.search(r"```yaml\n(.*?)```", page, re.S)[1])
    options = re.search(r"python -m ingest (.*)--lake", page)[1].split()
    with contextlib.chdir(tmp_path):
        done = run_command(
            "ingest", *options, "--lake", "mine.lake", "--max-images", "2",
            LEAM_CACHE=tmp_path / "cache",
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    layers = Lake(tmp_path / "mine.lake").sql(
        "SELECT model, layer, height, stride FROM layers ORDER BY position"
    )
    # ResNet's stem halves the chip of 112, its pool halves it again, its second stage once more.
    assert layers.rows() == [
        ("RESNET18@random", "conv1", 56, 2.0),
        ("RESNET18@random", "layer1.0.conv1", 28, 4.0),
        ("RESNET18@random", "layer1.0.conv2", 28, 4.0),
        ("RESNET18@random", "layer2.0.conv1", 14, 8.0),
    ]


FIELDS = {
    "family": "transformer", "loss": "none", "trained_on": "nothing", "weights": None,
    "input_size": 64, "alignment": "crop", "colour_order": "RGB",
    "mean": [127.5] * 3, "std": [127.5] * 3, "citation": "none",
}  # fmt: skip
TRANSFORMERS = {
    "TIMMS_VIT": FIELDS | {
        "network": "timm:create_model",
        "arguments": {
            "model_name": "vit_tiny_patch16_224", "img_size": 64, "patch_size": 8,
            "embed_dim": 32, "depth": 2, "num_heads": 2, "num_classes": 0,
        },
        "embedding_size": 32, "layers": ["patch_embed.proj", "blocks.0", "blocks.1.norm1"],
        "tokens": {"prefix": 1, "grid": [8, 8]},
    },
    "TORCHVISIONS_VIT": FIELDS | {
        "network": "torchvision.models:VisionTransformer",
        "arguments": {
            "image_size": 64, "patch_size": 16, "num_layers": 2, "num_heads": 2,
            "hidden_dim": 32, "mlp_dim": 64, "num_classes": 16,
        },
        "embedding_size": 16, "layers": ["encoder.layers.encoder_layer_0"],
    },
    "TIMMS_SWIN": FIELDS | {
        "network": "timm:create_model",
        "arguments": {
            "model_name": "swin_tiny_patch4_window7_224", "img_size": 64, "embed_dim": 16,
            "depths": [2, 2], "num_heads": [1, 2], "window_size": 4, "num_classes": 0,
        },
        "embedding_size": 32, "layers": ["layers.0.blocks.1", "layers.1.blocks.1"],
    },
}  # fmt: skip


def test_transformers_of_timm_and_torchvision_need_entries_and_no_code(tmp_path):
    (tmp_path / "my.yaml").write_text(yaml.safe_dump({"models": TRANSFORMERS}))
    done = run_command(
        "ingest", "--catalog", tmp_path / "my.yaml", "--models", ",".join(TRANSFORMERS),
        "--weights", "random", "--max-images", "2", "--max-identities", "1",
        "--lake", tmp_path / "mine.lake", LEAM_CACHE=tmp_path / "cache",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lake = Lake(tmp_path / "mine.lake")

    layers = lake.sql('SELECT catalog_name, layer, height, stride, "offset" FROM layers '
                      "JOIN models USING (model) ORDER BY catalog_name DESC, position")  # fmt: skip
    peaks = lake.sql("SELECT min(peak) AS least, count(*) AS maps FROM pair_regions")
    entries = lake.sql("SELECT catalog_name, entry FROM models")

    assert layers.rows() == [
        ("TORCHVISIONS_VIT", "encoder.layers.encoder_layer_0", 4, 16.0, 7.5),
        ("TIMMS_VIT", "patch_embed.proj", 8, 8.0, 3.5),
        ("TIMMS_VIT", "blocks.0", 8, 8.0, 3.5),
        ("TIMMS_VIT", "blocks.1.norm1", 8, 8.0, 3.5),
        ("TIMMS_SWIN", "layers.0.blocks.1", 16, 4.0, 1.5),
        ("TIMMS_SWIN", "layers.1.blocks.1", 8, 8.0, 3.5),
    ]
    assert peaks["least"][0] > 0
    assert {name: json.loads(entry)["arguments"] for name, entry in entries.iter_rows()} == {
        name: entry["arguments"] for name, entry in TRANSFORMERS.items()
    }
