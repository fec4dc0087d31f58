"""Maps in Zarr compared with the same maps in .npy files: reading, writing, and size on disk.

Before each reading the system is told to drop the files from memory, and each writing ends when
the disk has it, so that it is the disk's speed on both sides.
"""

import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.benchmark import Measured, Settings
from benchmarks.material import demo_lake, pair_maps
from benchmarks.timing import medians
from leamstore import arrays
from leamstore.arrays import SHARD_IMAGES
from leamstore.catalog import read_catalog

Layers = Mapping[str, NDArray[np.float16]]

_MODEL = "DLIB_R29"


def against_npy(settings: Settings) -> Iterator[Measured]:
    """Measure nine layers of maps; they are the demo set's pair maps, shifted from copy to copy."""
    lake = demo_lake(settings)
    images = settings.size(32, 1) * SHARD_IMAGES
    layers = {
        layer: shifted_copies(pair_maps(lake, layer), images)
        for layer in read_catalog().model(_MODEL).layers
    }
    yield from compare(layers, settings)


def compare(layers: Layers, settings: Settings) -> Iterator[Measured]:
    """Measure stores of these maps (image, y, x) by layer, whole shards."""
    scratch, run = settings.scratch / "cube", count()

    def write_zarr() -> Path:
        folder = scratch / f"{next(run)}.zarr"
        write_store(folder, layers)
        _flush(folder)
        return folder

    def write_npy() -> Path:
        folder = scratch / f"{next(run)}.npy"
        folder.mkdir(parents=True)
        for name, maps in layers.items():
            np.save(folder / f"{name}.npy", maps)
        _flush(folder)
        return folder

    writing = medians({"zarr": write_zarr, "npy": write_npy}, settings.repeats)
    zarr, npy = write_zarr(), write_npy()
    megabytes = sum(maps.nbytes for maps in layers.values()) / 1e6
    random = np.random.default_rng(settings.seed)
    names, images = list(layers), len(next(iter(layers.values())))

    def read_zarr() -> None:
        for name in names:
            read_layer(zarr, name)

    def read_npy() -> None:
        for name in names:
            np.load(npy / f"{name}.npy")

    def read_one() -> None:
        for image in random.integers(0, images, 20):
            read_layer(zarr, names[random.integers(len(names))], int(image))

    reading = medians(
        {"zarr": read_zarr, "npy": read_npy, "one": read_one},
        settings.repeats,
        before=lambda: _drop(zarr, npy),
    )
    for case, seconds in (("reading all", reading), ("writing", writing)):
        ours, theirs = (megabytes / seconds[side] for side in ("zarr", "npy"))
        yield Measured(case, ours / theirs, f"{ours:,.0f} MB/s against {theirs:,.0f}")
    yield Measured("one map at random", 1e3 * reading["one"] / 20, "array opened anew each time")
    sizes = [sum(file.stat().st_size for file in _files(folder)) for folder in (zarr, npy)]
    yield Measured(
        "bytes", 100 * sizes[0] / sizes[1], f"{sizes[0] / 1e6:,.1f} MB of {megabytes:,.1f} MB"
    )


def write_store(folder: Path, layers: Layers) -> None:
    """Write maps as an ingest does, shard by shard."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    arrays.create_store(folder, {})
    for layer, maps in layers.items():
        shards = len(maps) // SHARD_IMAGES
        arrays.require_layer(
            folder, _MODEL, layer, maps.shape[1:], {}, shards=shards, keep_pairs=0
        )  # fmt: skip
        for start in range(0, len(maps), SHARD_IMAGES):
            arrays.write_shards(
                folder, f"{_MODEL}/{layer}/relevance", start, maps[start : start + SHARD_IMAGES]
            )


def read_layer(folder: Path, layer: str, images: slice | int = slice(None)) -> NDArray[np.float16]:
    """Return maps (image, y, x) of a layer, all by default."""
    return np.asarray(arrays.open_array(folder, f"{_MODEL}/{layer}/relevance")[images])


def shifted_copies(maps: NDArray[np.float16], images: int) -> NDArray[np.float16]:
    """Repeat maps (n, y, x) to (images, y, x), each copy shifted by a cell more than the last."""
    copies = -(-images // len(maps))
    return np.concatenate([np.roll(maps, copy, (1, 2)) for copy in range(copies)])[:images]


def _files(folder: Path) -> Iterable[Path]:
    return (file for file in folder.rglob("*") if file.is_file())


def _flush(folder: Path) -> None:
    for file in _files(folder):
        with file.open("rb") as opened:
            os.fsync(opened.fileno())


def _drop(*folders: Path) -> None:
    for file in (file for folder in folders for file in _files(folder)):
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
