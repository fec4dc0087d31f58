"""What an ingest does with networks that make NaN, infinite numbers or zero of photographs."""

import shutil

import numpy as np
import pytest
import torch
from rich.console import Console
from rich.progress import Progress

from ingest.faces.parsers import open_parser
from ingest.photographs.datasets import open_dataset
from ingest.run import summary
from ingest.run.models import Request
from ingest.run.outcome import Outcome
from ingest.run.pipeline import Plan, done_models, ingest_photographs
from leamstore import arrays, tables
from leamstore.catalog import Catalog
from leamstore.errors import LakeError, LeamError
from leamstore.lake import Lake
from leamstore.safety.verify import verify
from tests.ingest.run import networks_of_users
from tests.ingest.run.test_pipeline import new_lake, run


def request_of(network, target="cosine", positives="all", **facts):
    """The model MINE, of that network."""
    entry = {
        "network": f"tests.ingest.run.networks_of_users:{network}",
        "family": "a user's", "loss": "none", "trained_on": "nothing", "weights": None,
        "input_size": 32, "alignment": "crop", "colour_order": "RGB",
        "mean": [127.5] * 3, "std": [127.5] * 3,
        "embedding_size": 6, "layers": ["conv1", "conv2"], "citation": "none",
    } | facts  # fmt: skip
    catalog = Catalog(models={"MINE": entry})
    return Request(
        entry=catalog.model("MINE"), catalog=catalog, weights=None,
        layers=tuple(entry["layers"]), target=target, positives=positives,
        precision="float32", seed=0,
    )  # fmt: skip


@pytest.fixture(scope="module")
def photographs(demo_photographs, tmp_path_factory):
    """Four images of each of the demo set's people."""
    folder = tmp_path_factory.mktemp("faces")
    for path in sorted(demo_photographs.rglob("*.jpg")):
        if path.stem[-1] in "1234":
            target = folder / "faces" / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    return open_dataset("folder", folder / "faces").photographs


@pytest.fixture(scope="module")
def faces(tmp_path_factory, photographs):
    """A lake of these photographs, without any model."""
    lake = new_lake(tmp_path_factory.mktemp("lakes") / "faces.lake")
    plan = Plan(photographs, (), open_parser("landmarks"), torch.device("cpu"), 16, workers=1)
    ingest_photographs(lake, plan, Progress(disable=True))
    return lake


@pytest.fixture
def lake(faces, tmp_path):
    """A copy of that lake."""
    shutil.copytree(faces.path, tmp_path / "copy.lake")
    return Lake(tmp_path / "copy.lake")


def images_of(lake, table, column="image_id"):
    return set(lake.sql(f"SELECT DISTINCT {column} FROM {table}")[column])


@pytest.mark.parametrize(
    ("network", "target", "positives"),
    [
        ("DarkIsNaN", "cosine", "all"),
        ("DarkIsZero", "cosine", "mean"),
        ("DarkIsNaN", "contrastive", "all"),
    ],
)
def test_an_image_without_direction_has_no_rows_and_no_maps_and_the_lake_is_whole(
    lake, photographs, network, target, positives
):
    request = request_of(network, target, positives)
    run(lake, photographs, request)
    (dark,) = images_of(lake, "images") - images_of(lake, "embeddings")
    assert lake.images["identity"][dark] == "Grace_Hopper"
    assert lake.sql("SELECT count(*), count(*) FILTER (isfinite(cosine)) FROM pairs").row(0) == (
        (4 * 3 + 3 * 2,) * 2
    )
    for table, column in (
        ("pairs", "anchor"),
        ("pairs", "positive"),
        ("image_regions", "image_id"),
    ):
        assert images_of(lake, table, column) == images_of(lake, "embeddings")
    relevance = arrays.open_array(lake.maps_path, f"{request.name}/conv1/relevance")[:8]
    assert np.flatnonzero(np.isnan(relevance).any((1, 2))).tolist() == [dark]
    assert verify(lake) == []


def test_an_image_that_is_left_without_a_positive_has_no_rows_either(
    lake, photographs, monkeypatch
):
    monkeypatch.setattr(networks_of_users, "DARK", -0.1)
    run(lake, photographs, request_of("DarkIsNaN"))
    named = lake.sql("SELECT DISTINCT identity FROM images JOIN embeddings USING (image_id)")
    assert named["identity"].to_list() == ["Eileen_Collins"]
    assert lake.sql("SELECT images, pairs FROM units WHERE model = 'MINE'").rows() == [(4, 12)]
    assert verify(lake) == []


def test_the_summary_names_the_images_that_have_no_pairs(lake, photographs, capsys):
    outcome = run(lake, photographs, request_of("DarkIsNaN"))
    facts = summary.summarise(lake, outcome, {})
    (path,) = facts["without_direction"]["MINE"]
    summary.show(facts, Console(width=500))
    assert "1 image has no pairs and no maps with MINE" in capsys.readouterr().out
    assert path in lake.images["path"].to_list()


def test_a_network_of_which_no_image_has_a_direction_leaves_a_whole_lake(
    lake, photographs, monkeypatch
):
    monkeypatch.setattr(networks_of_users, "DARK", 2.0)
    run(lake, photographs, request_of("DarkIsZero"))
    assert lake.sql("SELECT count(*) FROM pairs").item() == 0
    assert len(summary.summarise(lake, Outcome(), {})["without_direction"]["MINE"]) == 8
    assert verify(lake) == []


def test_verify_finds_rows_that_an_image_with_a_direction_has_lost(lake, photographs):
    run(lake, photographs, request_of("DarkIsNaN"))
    with tables.writing(lake.tables_path) as connection:
        connection.execute("DELETE FROM embeddings WHERE image_id = 0")
    assert any(fault.place == "embeddings" for fault in verify(lake))


def test_maps_with_nan_are_refused_by_model_layer_and_image_and_the_rest_is_kept(lake, photographs):
    with pytest.raises(LeamError) as caught:
        run(lake, photographs, request_of("InfiniteGradient"))
    for words in ("MINE", "layer conv1, conv2", photographs[0].path.name, "x.clamp(min=1e-12)"):
        assert words in str(caught.value)
    assert lake.sql("SELECT count(*) FROM models").item() == 0
    assert lake.sql("SELECT model FROM units").rows() == [("faces",)]


@pytest.mark.parametrize(
    ("network", "facts"), [("Raises", {}), ("Plain", {"embedding_size": 999}), ("Tuple", {})]
)
def test_a_network_that_cannot_be_run_is_refused_before_photographs_are_looked_at(
    photographs, tmp_path, network, facts
):
    lake = new_lake(tmp_path / "new.lake")
    with pytest.raises(LeamError, match="MINE can't be explained"):
        run(lake, photographs, request_of(network, **facts))
    for table in ("images", "models", "layers", "runs"):
        assert lake.sql(f"SELECT count(*) FROM {table}").item() == 0


@pytest.mark.parametrize("first", ["InfiniteGradient", "Raises"])
def test_a_first_try_that_failed_does_not_refuse_the_corrected_entry(lake, photographs, first):
    with pytest.raises(LeamError):
        run(lake, photographs, request_of(first))
    corrected = request_of("Plain", layers=["conv2"], input_size=40, embedding_size=6)
    run(lake, photographs, corrected)
    assert lake.sql("SELECT layer, position FROM layers").rows() == [("conv2", 0)]
    assert lake.sql("SELECT input_size FROM models").rows() == [(40,)]
    assert verify(lake) == []


def test_rows_of_a_model_without_any_unit_do_not_refuse_the_corrected_entry(lake, photographs):
    # As lakes have them in which a first try failed before models entered with their first unit.
    run(lake, photographs, request_of("Plain"))
    with tables.writing(lake.tables_path) as connection:
        for table in ("units", "embeddings", "pairs", "pair_regions", "image_regions"):
            connection.execute(f"DELETE FROM {table} WHERE model = 'MINE'")
    assert done_models(lake) == set()
    run(lake, photographs, request_of("Plain", layers=["conv2"], family="another"))
    assert lake.sql("SELECT model, network FROM models").rows() == [("MINE", "another")]
    assert lake.sql("SELECT layer FROM layers").rows() == [("conv2",)]


def test_a_model_that_has_a_unit_is_still_refused_with_other_layers(lake, photographs):
    run(lake, photographs, request_of("Plain"))
    with pytest.raises(LakeError, match="holds MINE with another layers"):
        run(lake, photographs, request_of("Plain", layers=["conv2"]))
