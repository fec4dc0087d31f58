"""LEAM beside other programs: its slowdown on a machine whose cores are not its own."""

import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cache, partial
from multiprocessing import get_context
from typing import Final

import numpy as np
import torch
from dask.system import CPU_COUNT

from benchmarks.benchmark import Measured, Settings
from benchmarks.timing import Side, medians
from ingest.leam.identity import Identity, RunModel, submit_identity
from ingest.leam.threads import computing_threads
from ingest.run.models import Request, open_model
from leamstore import schema
from leamstore.catalog import read_catalog
from leamstore.geometry import scaling

_MODEL: Final = "DLIB_R29"
_IMAGES: Final = 8

_BUSY_LOOP: Final = "while True: pass"
_OTHER_RUN: Final = (
    "from benchmarks.busy_machine import explain; import itertools\n"
    "for seed in itertools.count(): explain(4, {images}, seed)"
)


def beside_programs(settings: Settings) -> Iterator[Measured]:
    """Measure LEAM with its region counts beside busy loops and beside itself, over it alone."""
    identities, images = settings.size(4, 2), settings.size(_IMAGES, 2)
    other = _OTHER_RUN.format(images=images)
    cases: dict[str, list[str]] = {
        "alone": [],
        "one busy loop": [_BUSY_LOOP],
        "two busy loops": [_BUSY_LOOP] * 2,
        "another run of LEAM": [other],
    }
    with _processes(identities, images) as in_processes:
        sides: dict[str, Side] = {
            "threads": partial(explain, identities, images, settings.seed),
            "processes": in_processes,
        }
        seconds = {}
        for case, programs in cases.items():
            with _running(programs):
                seconds[case] = medians(sides, settings.size(3, 1))
    alone = seconds.pop("alone")
    for case, taken in seconds.items():
        pairs = identities * images * (images - 1)
        note = (
            f"{pairs} pairs of {_MODEL}: {alone['threads']:.1f} s alone, {taken['threads']:.1f} s "
            f"then; as {CPU_COUNT} processes of one thread {alone['processes']:.1f} s and "
            f"{taken['processes']:.1f} s"
        )
        yield Measured(case, taken["threads"] / alone["threads"], note)


def explain(identities: int, images: int, seed: int, threads: int = CPU_COUNT) -> None:
    """Make the maps and counts of drawn identities as an ingest does."""
    model, drawn = _model(), _draw_identities(identities, images, seed)
    with computing_threads(threads, torch.device("cpu")) as computing:
        for wait in [submit_identity(computing, model, identity) for identity in drawn]:
            wait()


@contextmanager
def _processes(identities: int, images: int) -> Iterator[Side]:
    """Start a process for each core, of one thread; give a call that shares the identities."""
    shares = [len(share) for share in np.array_split(np.arange(identities), CPU_COUNT)]
    with ProcessPoolExecutor(CPU_COUNT, get_context("spawn")) as pool:
        yield lambda: list(
            pool.map(explain, shares, [images] * CPU_COUNT, range(CPU_COUNT), [1] * CPU_COUNT)
        )


@contextmanager
def _running(programs: Sequence[str]) -> Iterator[None]:
    """Run Python programs, which end with the context."""
    with ExitStack() as stack:
        for program in programs:
            process = subprocess.Popen([sys.executable, "-c", program])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


@cache
def _model() -> RunModel:
    """Return the model as an ingest opens it; its weights are installed with the project."""
    catalog = read_catalog()
    entry = catalog.model(_MODEL)
    request = Request(
        entry=entry,
        catalog=catalog,
        weights=None,
        layers=tuple(entry.layers),
        target="cosine",
        positives="all",
        precision="float32",
        seed=0,
    )
    opened = open_model(
        request,
        device=torch.device("cpu"),
        batch_size=32,
        keep_pairs=2,
        visible=schema.REGION_NAMES,
    )
    return opened.run


@cache
def _draw_identities(identities: int, images: int, seed: int) -> list[Identity]:
    random = np.random.default_rng(seed)
    size = _model().input_size
    return [
        Identity(
            image_ids=np.arange(images),
            names=[str(image) for image in range(images)],
            paths=[str(image) for image in range(images)],
            chips=random.integers(0, 256, (images, size, size, 3), np.uint8),
            chip_to_crop=np.stack([scaling(size, schema.GRID)] * images),
            labels=random.integers(0, 19, (images, 16, 16), np.uint8).repeat(32, 1).repeat(32, 2),
            references=None,
        )
        for _ in range(identities)
    ]
