import hashlib
import os
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
import torch
from PIL import Image, ImageOps
from polars.testing import assert_frame_equal
from rich.progress import Progress

from ingest.faces.parsers import open_parser
from ingest.photographs.datasets import open_dataset
from ingest.run.pipeline import ingest_photographs
from ingest.run.plan import Plan
from leamstore import arrays, schema
from leamstore.catalog.files import sha256_of
from leamstore.errors import LakeError
from leamstore.lake import Lake, LakeSettings
from leamstore.safety.lock import ingest_lock
from leamstore.safety.verify import verify
from tests.small_network import LAYERS, SmallNetwork, small_catalog, small_request


def run(lake, photographs, *requests):
    plan = Plan(
        photographs=photographs,
        requests=requests or (small_request(),),
        parser=open_parser("landmarks", catalog=small_catalog()),
        device=torch.device("cpu"),
        batch_size=16,
        workers=2,
    )
    return ingest_photographs(lake, plan, Progress(disable=True))


def new_lake(path):
    return Lake.create(path, LakeSettings("landmarks", keep_pairs=2, crops=True, seed=0))


@pytest.fixture(scope="module")
def faces(demo_photographs, tmp_path_factory):
    """Four images of each of the demo set's people, and a file that is no image."""
    folder = tmp_path_factory.mktemp("faces")
    for path in sorted(demo_photographs.rglob("*.jpg")):
        if path.stem[-1] in "1234":
            target = folder / "faces" / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, target)
    (folder / "faces" / "Grace_Hopper" / "notes.jpg").write_text("not an image")
    return folder / "faces"


@pytest.fixture(scope="module")
def photographs(faces):
    return open_dataset("folder", faces).photographs


@pytest.fixture(scope="module")
def whole(tmp_path_factory, photographs):
    """A lake made in one go."""
    lake = new_lake(tmp_path_factory.mktemp("lakes") / "whole.lake")
    report = run(lake, photographs)
    return lake, report


@pytest.fixture
def changing(faces, whole, tmp_path):
    """The photographs, which a test may change, and a copy of the lake made of them."""
    shutil.copytree(faces, tmp_path / "before")
    shutil.copytree(whole[0].path, tmp_path / "a.lake")
    yield faces, Lake(tmp_path / "a.lake")
    shutil.rmtree(faces)
    shutil.copytree(tmp_path / "before", faces)


def contents(lake):
    """What a lake says, without the numbers that depend on when an image came."""
    with lake.kept_open():
        return _contents(lake)


def _contents(lake):
    names = lake.sql("SELECT image_id, sha256 FROM images WHERE image_id IS NOT NULL")
    ids = names.rename({"sha256": "name"})
    tables_by_name = {}
    for table, columns in (
        ("pairs", ("anchor", "positive")),
        ("pair_regions", ("anchor", "positive")),
        ("image_regions", ("image_id",)),
        ("embeddings", ("image_id",)),
    ):
        rows = lake.sql(f"FROM {table}")
        for column in columns:
            rows = rows.join(ids.rename({"name": f"{column}_name"}), left_on=column,
                             right_on="image_id").drop(column)  # fmt: skip
        tables_by_name[table] = rows.drop("pair_id", strict=False)
    return tables_by_name


def maps_by_name(lake, array="relevance", layer="conv1", model="SMALL"):
    stored = arrays.open_array(lake.maps_path, f"{model}/{layer}/{array}")[:]
    return {row["sha256"]: stored[row["image_id"]] for row in lake.images.to_dicts()}


def assert_same_lake(one, other):
    ours, theirs = contents(one), contents(other)
    for table, rows in ours.items():
        assert_frame_equal(
            rows, theirs[table], check_row_order=False, check_column_order=False,
            rel_tol=1e-4, abs_tol=1e-5,
        )  # fmt: skip
    for layer in LAYERS:
        maps, others = maps_by_name(one, layer=layer), maps_by_name(other, layer=layer)
        assert maps.keys() == others.keys()
        for name, relevance in maps.items():
            np.testing.assert_array_equal(relevance, others[name])


def test_all_pairs_and_images_are_in_the_tables(whole):
    lake, report = whole
    assert lake.sql("SELECT status, count(*) FROM images GROUP BY 1 ORDER BY 1").rows() == [
        ("kept", 8),
        ("rejected", 1),
    ]
    pairs, layers = 2 * 4 * 3, len(LAYERS)
    assert lake.sql("SELECT count(*) FROM pairs").item() == pairs
    assert lake.sql("SELECT count(*) FROM pair_regions").item() == pairs * layers * 2
    assert lake.sql("SELECT count(*) FROM image_regions").item() == 8 * layers * 15
    assert (report.images, report.pairs, report.maps) == (8, pairs, pairs * layers)


def test_a_lake_as_ingest_leaves_it_is_whole(whole):
    assert verify(whole[0]) == []


def test_regions_that_landmarks_cannot_show_are_null_and_the_others_add_up(whole):
    rows = whole[0].sql("SELECT * FROM pair_regions WHERE activation = 'top'")
    assert rows["hair"].null_count() == rows["background"].null_count() == rows.height
    assert rows["pixels"].unique().to_list() == [2621]
    seen = [name for name in schema.REGION_NAMES if rows[name].null_count() == 0]
    assert set(seen) == set(open_parser("landmarks").regions)
    assert (rows.select(pl.sum_horizontal(seen)).to_series() <= 2621).all()


def test_each_map_reaches_one(whole):
    kept = arrays.open_array(whole[0].maps_path, "SMALL/conv1/pair_relevance")[:]
    there = np.isfinite(kept).all((1, 2))
    assert there.sum() == 8 * 2
    assert (kept[there].max((1, 2)) == 1).all()


def test_kept_pairs_lie_where_the_table_says(whole):
    lake, _ = whole
    anchor = arrays.open_array(lake.maps_path, "SMALL/conv1/anchor")[:]
    positive = arrays.open_array(lake.maps_path, "SMALL/conv1/positive")[:]
    kept = lake.sql("SELECT anchor, positive, pair_id FROM pairs WHERE pair_id IS NOT NULL")
    assert kept.height == 16
    for row in kept.to_dicts():
        assert anchor[row["pair_id"]] == row["anchor"]
        assert positive[row["pair_id"]] == row["positive"]


def test_the_cosine_of_a_pair_is_that_of_its_embeddings(whole):
    wrong = (
        whole[0]
        .sql(
            """
        SELECT count(*) FROM pairs
        JOIN embeddings AS a ON a.model = pairs.model AND a.image_id = anchor
        JOIN embeddings AS p ON p.model = pairs.model AND p.image_id = positive
        WHERE abs(cosine - list_cosine_similarity(a.vector, p.vector)) > 1e-5
        """
        )
        .item()
    )
    assert wrong == 0


def test_crops_and_labels_show_the_same_face(whole):
    lake, _ = whole
    labels = arrays.open_array(lake.faces_path, "labels/landmarks")
    crop = arrays.open_array(lake.faces_path, "crop")
    for image_id in lake.images["image_id"]:
        nose = np.argwhere(labels[image_id] == schema.LABELS["nose"]).mean(0)
        assert np.abs(nose - 256).max() < 60
        assert crop[image_id].std() > 20


def test_a_finished_ingest_does_nothing_again(whole, photographs):
    lake, _ = whole
    before = {file: file.stat().st_mtime_ns for file in lake.maps_path.rglob("*")}
    report = run(lake, photographs)
    assert (report.looked_at, report.units) == (0, 0)
    assert {file: file.stat().st_mtime_ns for file in lake.maps_path.rglob("*")} == before


def test_a_lake_made_in_two_goes_equals_one_made_in_one(whole, photographs, tmp_path):
    lake = new_lake(tmp_path / "two.lake")
    first = [one for one in photographs if one.identity == "Eileen_Collins"]
    lone = [one for one in photographs if one.identity == "Grace_Hopper"][:3]
    run(lake, first + lone)
    assert lake.sql("SELECT count(*) FROM units WHERE model = 'SMALL'").item() == 1
    report = run(lake, photographs)
    assert report.images == 4, "only the identity that got an image is done again"
    assert_same_lake(lake, whole[0])
    assert verify(lake) == []


def test_an_ingest_that_was_stopped_goes_on_where_it_was(whole, photographs, tmp_path, monkeypatch):
    lake = new_lake(tmp_path / "stopped.lake")

    def stop(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ingest.run.block.submit_identity", stop)
        with pytest.raises(KeyboardInterrupt):
            run(lake, photographs)
    assert lake.sql("SELECT count(*) FROM embeddings").item() == 0
    report = run(lake, photographs)
    assert report.looked_at == 0, "faces were found before it was stopped"
    assert_same_lake(lake, whole[0])


def test_a_file_that_changed_is_done_again(changing):
    faces, lake = changing
    ada = faces / "Eileen_Collins"
    first, second = sorted(ada.glob("*.jpg"))[:2]
    before = dict(lake.sql("SELECT path, sha256 FROM images").iter_rows())
    with Image.open(second) as image:
        ImageOps.mirror(image).save(first, quality=95)
    report = run(lake, open_dataset("folder", faces).photographs)
    after = dict(lake.sql("SELECT path, sha256 FROM images").iter_rows())
    assert report.looked_at == 1
    assert report.images == 4
    assert after[str(first)] == hashlib.sha256(first.read_bytes()).hexdigest()
    assert after.keys() == before.keys()
    assert verify(lake) == []


def test_an_image_that_lost_its_face_leaves_no_trace_in_the_maps_of_the_others(changing, tmp_path):
    faces, lake = changing
    lost = min((faces / "Eileen_Collins").glob("*.jpg"))
    lost.write_text("not an image any more")
    report = run(lake, open_dataset("folder", faces).photographs)
    assert report.images == 3
    fresh = new_lake(tmp_path / "fresh.lake")
    run(fresh, open_dataset("folder", faces).photographs)
    assert_same_lake(lake, fresh)
    assert verify(lake) == []


def test_another_model_joins_and_leaves_the_first_alone(changing, photographs):
    _, lake = changing
    maps = maps_by_name(lake)
    report = run(lake, photographs, small_request(), small_request(weights="random"))
    assert report.units == 1
    assert lake.sql("SELECT model, weights FROM models ORDER BY model").rows() == [
        ("SMALL", "the network's own"),
        ("SMALL@random", "random, seed 0"),
    ]
    for name, relevance in maps_by_name(lake).items():
        np.testing.assert_array_equal(relevance, maps[name])
    random = maps_by_name(lake, model="SMALL@random")
    assert all((random[name] != maps[name]).any() for name in maps)


@pytest.mark.parametrize("target", ["contrastive", "norm"])
def test_maps_of_another_target_stand_beside_the_papers(photographs, tmp_path, target):
    lake = new_lake(tmp_path / "targets.lake")
    run(lake, photographs, small_request(target=target))
    name = f"SMALL@{target}"
    assert lake.sql("SELECT model, target FROM models").rows() == [(name, target)]
    assert len(maps_by_name(lake, model=name)) == 8
    assert (lake.sql("SELECT count(*) FROM pair_regions").item() > 0) == (target == "contrastive")


def test_a_model_of_the_same_name_made_otherwise_is_refused(photographs, tmp_path):
    lake = new_lake(tmp_path / "other.lake")
    run(lake, photographs[:2], small_request(weights="random"))
    with pytest.raises(LakeError, match="holds SMALL@random with another weights"):
        run(lake, photographs, small_request(weights="random", seed=1))
    with pytest.raises(LakeError, match="with another layers"):
        run(lake, photographs, small_request(weights="random", layers=("conv1",)))


@pytest.mark.parametrize(
    ("field", "value"),
    [("colour_order", "BGR"), ("mean", (0.0, 0.0, 0.0)), ("std", (9.0, 9.0, 9.0))],
)
def test_a_model_is_not_mixed_with_maps_of_another_input(photographs, tmp_path, field, value):
    lake, request = new_lake(tmp_path / "other.lake"), small_request(weights="random")
    run(lake, photographs[:2], request)
    changed = replace(request, entry=request.entry.model_copy(update={field: value}))
    with pytest.raises(LakeError, match=f"holds SMALL@random with another {field}:"):
        run(lake, photographs, changed)


def test_a_model_is_not_mixed_with_maps_of_other_weights(photographs, tmp_path):
    lake, file = new_lake(tmp_path / "other.lake"), tmp_path / "w.pth"
    network = SmallNetwork()
    torch.save(network.state_dict(), file)
    run(lake, photographs[:2], small_request(weights=file))
    first = sha256_of(file)
    network.linear.bias.data += 1
    torch.save(network.state_dict(), file)
    with pytest.raises(LakeError) as caught:
        run(lake, photographs, small_request(weights=file))
    assert str(caught.value) == (
        f"{lake.path} holds SMALL made with w.pth of the sha256 {first}, and {file} has the sha256 "
        f"{sha256_of(file)}: put the lake's file there, or ingest into another lake."
    )


def test_attributes_that_the_data_set_states_anew_are_taken_over(changing):
    faces, lake = changing
    assert lake.images["gender"].null_count() == 8
    (faces / "identities.csv").write_text("identity,gender\nGrace_Hopper,female\n")
    report = run(lake, open_dataset("folder", faces).photographs)
    assert report.units == 0
    stated = lake.sql("SELECT DISTINCT identity, gender FROM images WHERE status = 'kept'")
    assert dict(stated.iter_rows()) == {"Grace_Hopper": "female", "Eileen_Collins": None}


def test_a_second_ingest_on_a_lake_stops_with_a_sentence(whole, photographs):
    lake, _ = whole
    units = lake.sql("SELECT count(*) FROM units").item()
    with (
        ingest_lock(lake.path),
        pytest.raises(LakeError, match=f"another ingest is at work on .* \\(pid {os.getpid()} on"),
    ):
        run(lake, photographs)
    assert lake.sql("SELECT count(*) FROM units").item() == units


def test_runs_are_recorded(whole):
    run_row = whole[0].sql("FROM runs ORDER BY started LIMIT 1").to_dicts()[0]
    assert '"torch"' in run_row["versions"]
    assert '"pairs": 24' in run_row["summary"]
    assert run_row["ended"] > run_row["started"]
