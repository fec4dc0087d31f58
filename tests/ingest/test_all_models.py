"""A network of each architecture of the catalog, end to end, on random weights.

Layers and embeddings of all models are compared with the catalog in
tests/ingest/networks/test_from_catalog.py, without weights.
"""

import pytest

from leamstore.catalog import read_catalog
from leamstore.lake import Lake
from leamstore.safety.verify import verify
from tests.commandlines import run_command

MODELS = ("AF_R18", "IR_CASIA", "VGG_16", "DLIB_R29", "MOBILEFACENET", "LV_VIT_T")


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("all")
    done = run_command(
        "ingest", "--models", ",".join(MODELS), "--weights", "random", "--max-images", "2",
        "--max-identities", "1", "--workers", "1", "--lake", folder / "all.lake", "--quiet",
        LEAM_CACHE=folder / "cache",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return Lake(folder / "all.lake")


def test_every_architecture_of_the_catalog_is_among_them():
    models = read_catalog().models
    families = {model.family for model in models.values()}
    assert sorted(models[name].family for name in MODELS) == sorted(families)


def test_every_model_has_its_layers_at_the_sizes_that_the_catalog_states(lake):
    found = lake.sql(
        "SELECT catalog_name, list(layer ORDER BY position), list(height ORDER BY position), "
        "list(width ORDER BY position) FROM layers JOIN models USING (model) GROUP BY 1"
    )
    assert sorted(found["catalog_name"]) == sorted(MODELS)
    stated = read_catalog().models
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
    stated = {name: read_catalog().model(name).embedding_size for name in MODELS}
    assert {name: size for name, size, _ in found.iter_rows()} == stated
    assert set(found["images"]) == {2}


def test_random_weights_show_in_every_models_name(lake):
    names = lake.sql("SELECT DISTINCT model FROM pair_regions")["model"]
    assert all(name.endswith("@random") for name in names)


def test_no_models_maps_are_empty(lake):
    peaks = lake.sql("SELECT model, layer, min(peak) AS least FROM pair_regions GROUP BY ALL")
    assert peaks.height == 9 * len(MODELS)
    assert peaks["least"].min() > 0


def test_the_lake_is_whole(lake):
    assert verify(lake) == []


def test_the_cube_takes_all_models_on_one_grid(lake):
    cube = lake.cube(size=28)
    assert cube.shape == (2, len(MODELS), 9, 28, 28)
    one = cube.sel(model="VGG_16@random").isel(image=1, layer=8).values
    assert one.min() >= 0
    assert one.max() <= 1
