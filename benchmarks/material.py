"""Inputs of the benchmarks: networks with random weights, chips, and a lake of the demo set."""

import subprocess
import sys
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from benchmarks.benchmark import Settings
from ingest import networks
from leamstore.catalog import read_catalog
from leamstore.errors import LeamError
from leamstore.lake import Lake

FAMILIES: Final = {"IResNet-18": "AF_R18", "InceptionResnetV1": "IR_VGG"}
"""The networks that LEAM is measured on, and a model of the catalog that has them."""

_IMAGES: Final = 8


@dataclass(frozen=True)
class Study:
    """An identity's images and a network that looks at them.

    The network, of a family and on random weights, is that of a model of the catalog; chips are
    (image, 3, h, w) float32, pairs all ordered ones, layers the paper's nine.
    """

    family: str
    model: str
    network: nn.Module
    chips: Tensor
    pairs: list[tuple[int, int]]
    layers: tuple[str, ...]

    @property
    def leam(self) -> tuple[nn.Module, Tensor, list[tuple[int, int]], tuple[str, ...]]:
        """What LEAM takes: the network, the chips, the pairs and the layers."""
        return self.network, self.chips, self.pairs, self.layers


def studies(settings: Settings) -> list[Study]:
    """Return a study of each family; what is drawn takes the seed."""
    images = settings.size(_IMAGES, 2)
    return [
        Study(
            family=family,
            model=model,
            network=networks.load(model, weights="random", seed=settings.seed).to(
                memory_format=torch.channels_last  # as an ingest runs it
            ),
            chips=_random_chips(images, read_catalog().model(model).input_size, settings.seed),
            pairs=list(permutations(range(images), 2)),
            layers=read_catalog().model(model).layers,
        )
        for family, model in FAMILIES.items()
    ]


def ingest(settings: Settings, lake: Path, *options: str) -> subprocess.Popen[str]:
    """Start an ingest of the demo set, or of the images in `options`, as a user would."""
    command = [sys.executable, "-m", "ingest", "--lake", str(lake), "--models", "DLIB_R29"]
    return subprocess.Popen(
        [*command, "--parser", "landmarks", "--seed", str(settings.seed), "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def folder_option(settings: Settings) -> list[str]:
    """Return the option by which an ingest reads the photographs to measure on."""
    return [] if settings.images is None else ["--images", str(settings.images)]


def answer_of(process: subprocess.Popen[str]) -> str:
    """Wait for an ingest and return what it printed.

    Raises
    ------
    LeamError
        If it failed, with its last words.
    """
    printed, complaints = process.communicate()
    if process.returncode:
        last = complaints.strip().splitlines()[-1:] or ["it said nothing"]
        raise LeamError(f"the ingest failed: {last[0]}")
    return printed


def demo_lake(settings: Settings) -> Lake:
    """Return a lake of the demo set with all pair maps, made once a run."""
    path = settings.scratch / "demo.lake"
    if not path.exists():
        few = ["--max-images", "2"] if settings.quick else []
        answer_of(ingest(settings, path, "--keep-pairs", "all", *few))
    return Lake(path)


def pair_maps(lake: Lake, layer: str) -> NDArray[np.float16]:
    """Return all pair maps (pair, y, x) of a layer of DLIB_R29."""
    stored = next(one for one in lake.layers("DLIB_R29") if one.name == layer)
    maps = np.asarray(stored.open("pair_relevance")[:])
    return maps[~np.isnan(maps).any((1, 2))]


def _random_chips(images: int, size: int, seed: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 255 * torch.rand(images, 3, size, size, generator=generator)
