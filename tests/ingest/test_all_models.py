"""The paper's nine models and dlib's, end to end, on random weights: `--models all` as typed."""

import os
import subprocess
import sys

import pytest

from leamstore.catalog import read_catalog
from leamstore.lake import Lake
from leamstore.safety.verify import verify


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("all")
    subprocess.run(
        [sys.executable, "-m", "ingest", "--models", "all", "--weights", "random",
         "--max-images", "2", "--lake", folder / "all.lake", "--quiet"],
        check=True, env=os.environ | {"LEAM_CACHE": str(folder / "cache"), "LEAM_OFFLINE": "1"},
    )  # fmt: skip
    return Lake(folder / "all.lake")


def test_every_model_has_its_layers_at_the_sizes_that_the_catalog_states(lake):
    found = lake.sql(
        "SELECT catalog_name, list(layer ORDER BY position), list(height ORDER BY position), "
        "list(width ORDER BY position) FROM layers JOIN models USING (model) GROUP BY 1"
    )
    stated = read_catalog().models
    assert found.height == len(stated) == 10
    for name, layers, heights, widths in found.iter_rows():
        model = stated[name]
        assert len(model.layers) == 9
        assert tuple(layers) == model.layers
        assert tuple(heights) == tuple(widths) == model.layer_sizes


def test_every_embedding_has_the_size_that_the_catalog_states(lake):
    found = lake.sql(
        "SELECT catalog_name, len(vector) AS size, count(*) AS images FROM embeddings "
        "JOIN models USING (model) GROUP BY ALL"
    )
    stated = {model.name: model.embedding_size for model in read_catalog().models.values()}
    assert {name: size for name, size, _ in found.iter_rows()} == stated
    assert set(found["images"]) == {4}


def test_random_weights_show_in_every_models_name(lake):
    names = lake.sql("SELECT DISTINCT model FROM pair_regions")["model"]
    assert all(name.endswith("@random") for name in names)


def test_no_models_maps_are_empty(lake):
    peaks = lake.sql("SELECT model, layer, min(peak) AS least FROM pair_regions GROUP BY ALL")
    assert peaks.height == 90
    assert peaks["least"].min() > 0


def test_the_lake_is_whole(lake):
    assert verify(lake) == []


def test_the_cube_takes_all_models_on_one_grid(lake):
    cube = lake.cube(size=28)
    assert cube.shape == (4, 10, 9, 28, 28)
    one = cube.sel(model="VGG_16@random").isel(image=3, layer=8).values
    assert one.min() >= 0
    assert one.max() <= 1
