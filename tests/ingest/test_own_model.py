"""The page that tells how to bring a model of one's own, followed to the letter."""

import contextlib
import re
from pathlib import Path

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
