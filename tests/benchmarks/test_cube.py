import numpy as np
import pytest

from benchmarks.cube import compare, read_layer, shifted_copies, write_store
from benchmarks.registry import BENCHMARKS
from leamstore.arrays import SHARD_IMAGES


@pytest.fixture
def layers():
    random = np.random.default_rng(0)
    return {
        name: random.random((2 * SHARD_IMAGES, size, size)).astype(np.float16)
        for name, size in (("conv1", 6), ("conv2", 3))
    }


def test_a_store_gives_back_what_was_written(layers, tmp_path):
    write_store(tmp_path / "maps.zarr", layers)
    for name, maps in layers.items():
        assert (read_layer(tmp_path / "maps.zarr", name) == maps).all()


def test_every_goal_of_the_cube_is_measured(layers, settings):
    goals = next(benchmark.goals for benchmark in BENCHMARKS if benchmark.name == "cube")
    measured = {one.case: one.value for one in compare(layers, settings)}
    assert set(measured) == set(goals)
    assert all(value > 0 for value in measured.values())


def test_copies_are_shifted_by_a_cell_each():
    maps = np.arange(8, dtype=np.float16).reshape(2, 2, 2)
    copies = shifted_copies(maps, 3)
    assert copies[:2].tolist() == maps.tolist()
    assert copies[2].tolist() == [[3, 2], [1, 0]]
