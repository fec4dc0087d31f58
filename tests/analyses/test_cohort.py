import numpy as np
import polars as pl
import pytest

from analyses import cohort
from analyses.cohort import draw_identities, draw_images, draw_of_each
from leamstore import tables
from leamstore.arrays.blocks import Block
from leamstore.tables import ledger
from tests.analyses.conftest import rows_of
from tests.analyses.planted import chip_to_crop, grey_chips, maps_at, plant_lake
from tests.analyses.planted_faces import Colours


def lake_of(path, people):
    chips = grey_chips(3 * people, np.random.default_rng(0))
    return plant_lake(path, Colours, chips, {"NET": maps_at(np.arange(3 * people) % 16)})


def images_of(sizes):
    identities = [name for name, count in sizes.items() for _ in range(count)]
    return pl.DataFrame({"identity": identities, "image_id": range(len(identities))})


def test_whole_identities_are_drawn_by_seed_until_there_are_enough_images():
    images = images_of({f"p{number}": 4 for number in range(10)})
    drawn = draw_identities(images, 18, seed=1)
    assert drawn.group_by("identity").len()["len"].to_list() == [4] * 5
    assert drawn["image_id"].is_sorted()
    assert drawn.equals(draw_identities(images, 18, seed=1))
    assert not drawn.equals(draw_identities(images, 18, seed=2))


def test_of_no_more_images_than_are_wanted_all_are_kept():
    images = images_of({"A": 3, "B": 5})
    assert draw_identities(images, 8, seed=0).equals(images)
    assert draw_of_each(images, 5, seed=0).equals(images)


@pytest.mark.parametrize("seed", range(6))
def test_one_person_of_very_many_images_leaves_room_for_others(seed):
    drawn = draw_identities(images_of({"A": 30, "B": 2, "C": 2, "D": 2}), 10, seed)
    assert drawn["identity"].n_unique() >= 2


def test_every_person_is_drawn_as_often_however_many_images_they_have():
    images = images_of({"A": 8, "B": 2, "C": 2, "D": 2})
    seeds = range(400)
    drawn = [set(draw_identities(images, 4, seed)["identity"]) for seed in seeds]
    # Two are drawn whenever the first has at most two images and the second is any: half of the
    # time A is among the first two of four, and so it is drawn half of the time.
    assert sum("A" in people for people in drawn) == pytest.approx(200, abs=40)


def test_of_a_person_with_many_images_some_are_drawn():
    images = images_of({"A": 9, "B": 2})
    drawn = draw_of_each(images, 3, seed=0)
    assert dict(drawn.group_by("identity").len().sort("identity").iter_rows()) == {"A": 3, "B": 2}
    assert drawn["image_id"].is_sorted()
    assert not drawn.equals(draw_of_each(images, 3, seed=1))


def test_of_a_large_lake_whole_identities_are_drawn(tmp_path, monkeypatch):
    lake = lake_of(tmp_path / "a.lake", 6)
    monkeypatch.setattr(cohort, "MOST_IMAGES", 10)
    drawn = draw_images(lake, ["NET"], 0)
    assert drawn["identity"].n_unique() == 4
    assert drawn.height == 12
    assert drawn["image_id"].is_sorted()


def test_a_lake_of_people_with_more_images_each_than_are_wanted_is_not_left_empty(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(cohort, "MOST_IMAGES", 2)
    drawn = draw_images(lake_of(tmp_path / "a.lake", 6), ["NET"], 0)
    assert drawn.group_by("identity").len()["len"].to_list() == [3, 3]


def test_only_images_on_which_all_models_were_run_are_compared(tmp_path):
    lake = lake_of(tmp_path / "a.lake", 2)
    other = rows_of("embeddings", [
        {"model": "OTHER", "image_id": i, "vector": [1.0, 0.0], "chip_to_crop": chip_to_crop()}
        for i in (0, 1, 3)
    ])  # fmt: skip
    block = Block(0, 1)
    own = ledger.block_images(lake.images, block)
    with tables.writing(lake.tables_path) as connection:
        ledger.commit_unit(connection, "OTHER", block, own, {"embeddings": other}, "run")
    # Image 3 is its person's only one of those.
    assert draw_images(lake, ["NET", "OTHER"], 0)["image_id"].to_list() == [0, 1]
