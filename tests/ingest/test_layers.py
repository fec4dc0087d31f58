import json
import subprocess

from typer.testing import CliRunner

from ingest.layers import app, list_layers
from ingest.networks import load
from ingest.networks.vision_transformer import VisionTransformer
from leamstore.catalog import read_catalog
from tests.commandlines import run_command


def test_the_layers_of_an_entry_are_listed_with_the_sizes_that_it_states():
    entry = read_catalog().model("DLIB_R29")
    listed = list_layers(load("DLIB_R29"), entry)
    stated = [one for one in listed if one.position is not None]
    assert [one.layer for one in stated] == list(entry.layers)
    assert [one.height for one in stated] == [one.width for one in stated] == [*entry.layer_sizes]
    assert {one.kind for one in stated} == {"Conv2d"}
    assert {one.folded_norm for one in listed} == {False}
    assert len(listed) > 2 * len(stated)


def test_the_blocks_of_a_transformer_are_listed_with_their_patches():
    network = VisionTransformer(patch=28, width=16, depth=2, heads=2).eval()
    listed = {one.layer: one for one in list_layers(network, read_catalog().model("LV_VIT_T"))}
    for layer in ("patch_embed.proj", "blocks.0", "blocks.1"):
        assert (listed[layer].channels, listed[layer].height, listed[layer].width) == (16, 4, 4)
    assert "blocks" not in listed, "its output is that of its last block"


def test_the_catalog_command_lists_the_layers_of_a_model(monkeypatch):
    asked = []
    ended = subprocess.CompletedProcess((), 0)
    monkeypatch.setattr(subprocess, "run", lambda words, **_: asked.append(words) or ended)
    assert run_command("leamstore", "catalog", "DLIB_R29", "--layers", "--json").returncode == 0
    [[_, _, module, *words]] = asked
    assert module == "ingest.layers"
    (first, *_) = json.loads(CliRunner().invoke(app, words).stdout)
    assert (first["layer"], first["channels"], first["height"]) == ("conv1", 32, 72)


def test_layers_of_no_model_are_a_sentence():
    done = run_command("leamstore", "catalog", "--layers")
    assert "name the model whose layers are asked for" in done.stderr
