import numpy as np
import pytest

from dashboards import faces
from dashboards.context import open_context
from ingest.leam.region_counts import classes_on_chip
from leamstore import arrays
from leamstore.layers import top_pixels
from leamstore.schema import GRID, REGION_NAMES


@pytest.fixture
def context(lake):
    return open_context(str(lake.path))


@pytest.mark.parametrize("percent", [0.01, 1.0, 5.0])
def test_regions_are_counted_as_the_lake_has_counted_them(context, percent):
    stored = context.ask(
        "SELECT * FROM image_regions WHERE percent = ? ORDER BY layer, image_id", percent
    )
    layers = {layer.name: layer for layer in faces.layers_of(context, "DLIB_R29")}
    for row in stored.iter_rows(named=True):
        layer = layers[row["layer"]]
        gridded = faces.on_grid(faces.read_relevance(context, layer, row["image_id"]), layer)
        face = faces.read_face(context, layer, row["image_id"], "chip", GRID)
        counts = faces.count_regions(top_pixels(gridded[None], percent)[0], face.labels)
        found = dict(counts.select("region", "pixels").iter_rows())
        seen = [name for name in REGION_NAMES if row[name] is not None]
        assert sum(found.values()) == row["pixels"]
        assert {name: found.get(name, 0) for name in seen} == {name: row[name] for name in seen}


def test_a_pairs_full_activation_is_counted_as_the_lake_has_counted_it(context):
    stored = context.ask(
        "SELECT pair_regions.*, pair_id FROM pair_regions "
        "JOIN pairs USING (model, anchor, positive) "
        "WHERE activation = 'full' AND pair_id IS NOT NULL ORDER BY ALL LIMIT 6"
    )
    layers = {layer.name: layer for layer in faces.layers_of(context, "DLIB_R29")}
    for row in stored.iter_rows(named=True):
        layer = layers[row["layer"]]
        relevance = faces.read_relevance(context, layer, row["anchor"], row["pair_id"])
        assert np.count_nonzero(faces.on_grid(relevance, layer) > 0.01) == row["pixels"]


def test_labels_lie_on_the_chip_as_ingest_lays_them(context, lake):
    labels = np.asarray(arrays.open_array(lake.faces_path, "labels/landmarks")[1])
    affine = faces.poses_of(context, "DLIB_R29", 1).chip_to_crop[0]
    face = faces.read_face(context, faces.layers_of(context, "DLIB_R29")[0], 1, "chip", GRID)
    expected = classes_on_chip(labels, affine, 150)
    assert np.array_equal(np.minimum(face.labels, len(REGION_NAMES)), expected)


def test_an_outline_runs_where_the_label_changes():
    labels = np.array([[0, 0, 1], [0, 0, 1]], np.uint8)
    assert faces.outlines(labels).tolist() == [[False, True, False], [False, True, False]]


def test_the_view_of_the_address_is_restored(lake, open_page):
    shown = open_page(
        "explorer", lake, person="Grace_Hopper", layer="layer1.0.conv2", colours="cividis",
        opacity="0.3", smooth="on", percent="5.0",
    )  # fmt: skip
    assert not shown.exception
    assert shown.selectbox(key="person").value == "Grace_Hopper"
    assert shown.selectbox(key="layer").value == "layer1.0.conv2"
    assert shown.selectbox(key="colours").value == "cividis"
    assert shown.slider(key="opacity").value == 0.3
    assert shown.toggle(key="smooth").value is True
    assert shown.select_slider(key="percent").value == 5.0


def test_every_selection_stands_in_the_address(lake, open_page):
    shown = open_page("explorer", lake)
    shown.selectbox(key="person").select("Grace_Hopper").run()
    shown.slider(key="opacity").set_value(0.5).run()
    written = dict(shown.query_params)
    assert written["person"] == "Grace_Hopper"
    assert written["opacity"] == "0.5"
    others = {"model", "layer", "image", "map", "view", "frame", "threshold", "percent"}
    assert others <= set(written)


def test_what_the_lake_does_not_hold_falls_back(lake, open_page):
    shown = open_page("explorer", lake, person="Nobody_Known", opacity="seven", percent="1e9")
    assert not shown.exception
    assert shown.selectbox(key="person").value == "Eileen_Collins"
    assert shown.slider(key="opacity").value == 0.75
    assert shown.select_slider(key="percent").value == 1.0


def test_the_slider_recounts(lake, open_page):
    shown = open_page("explorer", lake)
    shown.select_slider(key="percent").set_value(10.0).run()
    assert "**26,214** of 262,144 pixels" in " ".join(one.value for one in shown.markdown)


def test_an_image_is_wholly_like_itself_in_every_frame(lake, open_page):
    for frame in ("identity", "canonical", "crop", "chip"):
        shown = open_page("explorer", lake, view="two images", common_frame=frame)
        image = shown.selectbox(key="image").value
        shown.selectbox(key="other-image").select(image).run()
        likeness = shown.dataframe[0].value
        assert likeness["bc"].tolist() == pytest.approx([1.0, 1.0])
        assert likeness["emd"][0] == 0.0


@pytest.mark.parametrize("view", ["all layers", "all models", "two images"])
def test_every_view_is_drawn(lake, open_page, view):
    shown = open_page("explorer", lake, view=view)
    assert not shown.exception
    assert not shown.error
