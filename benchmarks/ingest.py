"""A whole ingest compared with the network's forward passes alone: time and memory."""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import torch

from benchmarks.benchmark import Measured, Settings
from benchmarks.material import answer_of, folder_option, ingest
from benchmarks.timing import seconds_of
from ingest import networks
from leamstore.catalog import read_catalog
from leamstore.errors import LeamError
from leamstore.lake import Lake

_MODEL: Final = "DLIB_R29"
_COPIES: Final = 10


def whole_ingest(settings: Settings) -> Iterator[Measured]:
    """Measure an ingest between two measurements of the passes that it makes."""
    facts: dict[str, dict[str, dict[str, float]]] = {}

    def run() -> None:
        process = ingest(settings, settings.scratch / "whole.lake", *folder_option(settings))
        facts.update(json.loads(answer_of(process)))

    run_seconds = seconds_of(run)
    stages = facts["run"]["seconds"]
    yield Measured(
        "region counts in it, of LEAM's time",
        100 * stages["regions"] / stages["leam"],
        "both activations of every pair and 15 percents of every image",
    )
    lake = Lake(settings.scratch / "whole.lake")
    images = lake.sql("SELECT count(*) FROM images WHERE status = 'kept' GROUP BY identity")
    passes = seconds_of(lambda: network_passes(images.to_series().to_list(), settings.seed))
    shown = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in stages.items())
    yield Measured(
        "whole ingest",
        run_seconds / passes,
        f"{_material(settings)}: {run_seconds:.0f} s against {passes:.0f} s; {shown}",
    )


def peak_memory(settings: Settings) -> Iterator[Measured]:
    """Compare the peak memory of an ingest with that of ten times its photographs."""
    if settings.images is None:
        raise LeamError("needs photographs to repeat: name their folder by --images")
    once, often = settings.scratch / "once", settings.scratch / "often"
    repeat_photographs(settings.images, once, 1)
    repeat_photographs(settings.images, often, _COPIES)
    peaks = [
        _peak_bytes(settings, folder, settings.scratch / f"{folder.name}.lake")
        for folder in (once, often)
    ]
    yield Measured(
        "ten times as many",
        peaks[1] / peaks[0],
        f"{peaks[0] / 2**20:,.0f} MiB and {peaks[1] / 2**20:,.0f} MiB in the largest process",
    )


def network_passes(images_of_identities: Sequence[int], seed: int) -> None:
    """Run a network as an ingest must, and nothing else, on random chips.

    A forward pass of each identity's images and, for each positive that an image has, a backward
    pass to the first layer.
    """
    model = read_catalog().model(_MODEL)
    network = networks.load(_MODEL, seed=seed).to(memory_format=torch.channels_last)
    layer = network.get_submodule(model.layers[0])
    outputs: list[torch.Tensor] = []

    def start_graph(_layer: object, _inputs: object, output: torch.Tensor) -> torch.Tensor:
        outputs[:] = [output.detach().requires_grad_()]
        return outputs[0]

    generator = torch.Generator().manual_seed(seed)
    with layer.register_forward_hook(start_graph):
        for images in images_of_identities:
            shape = (images, 3, model.input_size, model.input_size)
            chips = 255 * torch.rand(shape, generator=generator)
            embeddings = network(chips.contiguous(memory_format=torch.channels_last))
            for step in range(1, images):
                score = torch.cosine_similarity(embeddings, embeddings.detach().roll(step, 0)).sum()
                torch.autograd.grad(score, outputs, retain_graph=True)


def repeat_photographs(folder: Path, target: Path, copies: int) -> None:
    """Copy a folder of identities `copies` times, each copy under names of its own."""
    for identity in sorted(path for path in folder.iterdir() if path.is_dir()):
        for copy in range(copies):
            shutil.copytree(identity, target / f"{identity.name}_{copy}")


def _peak_bytes(settings: Settings, folder: Path, lake: Path) -> int:
    """Return the most memory that a process of an ingest held."""
    process = ingest(settings, lake, "--images", str(folder), "--quiet")
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise LeamError(f"the ingest of {folder.name} failed")
    return usage.ru_maxrss * 1024


def _material(settings: Settings) -> str:
    if settings.images is None:
        return "the demo set, too small to show more than start-up (name a folder by --images)"
    return settings.images.name
