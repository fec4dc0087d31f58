import pytest

from leamstore.arrays import SHARD_IMAGES
from tests.robustness.growth import STEPS, append, grow, on_disk, trial


@pytest.fixture(scope="module")
def trials(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grown")
    return [trial(folder / f"{images}.lake", images) for images in (256, 2048)]


def test_a_lake_that_grew_is_whole(trials):
    assert [one["findings"] for one in trials] == [[], []]
    assert [one["images"] for one in trials] == [256 + SHARD_IMAGES, 2048 + SHARD_IMAGES]


def test_every_step_is_timed(trials):
    assert all({step.name for step in STEPS} <= set(one["seconds"]) for one in trials)


def test_metadata_do_not_grow_with_the_images(trials):
    small, large = (one["disk"]["bytes of Zarr's metadata"] for one in trials)
    assert large - small < 100, "only the lengths of the arrays have more digits"


def test_files_grow_with_shards_and_not_with_images(trials):
    small, large = (one["disk"]["files"] for one in trials)
    shards = (2048 - 256) // SHARD_IMAGES
    arrays_of_images = 1 + 2 * 6
    assert large - small == shards * arrays_of_images


def test_a_block_is_appended_and_the_rest_left_alone(tmp_path):
    lake = grow(tmp_path / "grown.lake", 2)
    before = {
        path: path.stat().st_mtime_ns for path in lake.maps_path.rglob("c/*/*") if path.is_file()
    }
    append(lake, 2, 1)
    assert lake.cube(size=7).sizes["image"] == 3 * SHARD_IMAGES
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert on_disk(lake.path)["files"] > len(before)
