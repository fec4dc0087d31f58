import polars as pl
import pytest

from benchmarks.benchmark import Settings
from benchmarks.material import demo_lake
from benchmarks.paper_lake import MODELS, repeat_lake
from leamstore import arrays


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """Four images of two people."""
    scratch = tmp_path_factory.mktemp("small")
    return demo_lake(Settings(quick=True, seed=0, images=None, scratch=scratch))


@pytest.fixture(scope="module")
def large(small, tmp_path_factory):
    return repeat_lake(small, tmp_path_factory.mktemp("large") / "large.lake", images=10)


def test_every_model_has_every_row_again_for_each_copy(small, large):
    for table, models in (("images", 1), ("pair_regions", 9), ("image_regions", 9), ("pairs", 9)):
        count = f"SELECT count(*) FROM {table}"
        assert large.sql(count).item() == 3 * models * small.sql(count).item(), table


def test_copies_are_people_of_their_own_with_images_of_their_own(large):
    images = large.images
    assert images["image_id"].is_unique().all()
    assert images["identity"].n_unique() == 6
    assert large.sql("SELECT count(DISTINCT model) FROM pairs").item() == len(MODELS)


def test_a_copys_map_is_the_map_of_whom_it_copies(small, large):
    stored = "conv1/relevance"
    first = arrays.open_array(small.maps_path, f"{MODELS[-1]}/{stored}")[0]
    third = large.images.filter(pl.col("identity").str.ends_with("_2"))["image_id"][0]
    assert (arrays.open_array(large.maps_path, f"{MODELS[0]}/{stored}")[third] == first).all()


def test_regions_that_the_parser_cannot_see_are_counted_too(large):
    assert large.sql("SELECT count(*) FROM pair_regions WHERE hair IS NULL").item() == 0
