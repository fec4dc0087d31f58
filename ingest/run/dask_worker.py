"""The part of an ingest that runs on a dask worker, and the checks before it.

A worker opens networks and parser once, from a small description of the run; it reads photographs
and writes arrays in place. It receives whole blocks and returns rows as Arrow.
"""

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, cast

import torch
from dask.system import CPU_COUNT
from distributed import WorkerPlugin, get_worker
from distributed.worker import Worker
from rich.console import Console
from torch import Tensor

from ingest.downloads.downloader import Downloader
from ingest.faces.parsers import Parser, find_parser
from ingest.faces.survey import look_at
from ingest.leam.identity import RunModel
from ingest.leam.threads import Threads, computing_threads
from ingest.networks.device import choose_device
from ingest.photographs.datasets import Photograph
from ingest.photographs.fingerprint import Fingerprint, fingerprint
from ingest.run.block import OpenRun, References, Todo, embeddings_of, submit_units
from ingest.run.environment import differences, observe
from ingest.run.models import Request, open_model
from ingest.run.unit import FinishedUnit
from ingest.run.writer import write_arrays
from ingest.stopwatch import Stopwatch
from leamstore.allocator import keep_freed_memory
from leamstore.catalog import Catalog
from leamstore.errors import LeamError, UnusableImageError
from leamstore.lake import LakeSettings
from leamstore.safety import run_token
from leamstore.storage import Location
from leamstore.tables import ledger


@dataclass(frozen=True)
class Job:
    """The description of a run for its workers; small, and pickled.

    Attributes
    ----------
    run_id : str
        The run whose token permits writing (`leamstore.safety.run_token`).
    lake, maps, faces : Location
        The lake and its stores.
    settings : LakeSettings
    catalog : Catalog
    requests : tuple of Request
        The models.
    device : str
        auto, cpu or cuda: each worker's own.
    batch_size : int
        Images in one forward pass.
    readers : int
        Threads that read photographs.
    environment : mapping of str to str
        Result of `ingest.run.environment.observe` on the machine that sends the job.
    photograph : Path or None
        One that all have to see alike.
    fingerprint : Fingerprint or None
        Its fingerprint.
    """

    run_id: str
    lake: Location
    maps: Location
    faces: Location
    settings: LakeSettings
    catalog: Catalog
    requests: tuple[Request, ...]
    device: str
    batch_size: int
    readers: int
    environment: Mapping[str, str]
    photograph: Path | None
    fingerprint: Fingerprint | None

    @property
    def name(self) -> str:
        """Name of the plugin that carries it; the next run on the same lake takes its place."""
        return f"ingest into {self.lake}"


class JobPlugin(WorkerPlugin):
    """A run's job on one worker process, with the models and files opened for it.

    Photographs of one block may be read while another one is explained: the network, the
    threads that count and the accelerator are used by one block at a time.
    """

    def __init__(self, job: Job) -> None:
        self.job = job

    def setup(self, worker: Worker) -> None:
        """Take the place; nothing is opened before it is needed."""
        keep_freed_memory()
        self._torch_threads = torch.get_num_threads()
        self._name = f"{worker.address} on {socket.gethostname()}"
        self._models: dict[str, RunModel] = {}
        self._checking = threading.Lock()
        self._opening = threading.Lock()
        self._working = threading.Lock()
        self._is_checked = False

    def check(self) -> None:
        """Check once that this worker would compute the same as the others.

        Raises
        ------
        LeamError
            If not; the sentence names the worker.
        """
        with self._checking, self._saying_who():
            if not self._is_checked:
                _check(self.job)
                self._is_checked = True

    def look_at(self, photographs: Sequence[Photograph]) -> list[dict[str, Any]]:
        """Return the rows of ``images`` of photographs."""
        self.check()
        with self._saying_who():
            detector = self.job.settings.detector
            return [look_at(photograph, detector) for photograph in photographs]

    def embed(self, block: Todo) -> dict[str, Tensor]:
        """Return each named model's embeddings of a block's images."""
        self.check()
        with self._saying_who():
            open_run = self._open_run(block.names)
            (loaded,) = open_run.load([block])
            with self._working, self._threads() as threads:
                embeddings = embeddings_of(open_run, block, loaded, threads)
            return {name: own.cpu() for name, own in embeddings.items()}

    def finish(self, todo: Todo, references: References) -> list[FinishedUnit]:
        """Compute the missing units of a block, write their arrays, and return their rows."""
        self.check()
        with self._saying_who():
            open_run = self._open_run(todo.names)
            reading = Stopwatch()
            with reading.measured("read"):
                (loaded,) = open_run.load([todo])
            finished = []
            with self._working, self._threads() as threads:
                for wait in submit_units(
                    open_run, todo, loaded, references, threads, _nobody_watches
                ):
                    unit = wait()
                    writing = Stopwatch()
                    with writing.measured("write"):
                        run_token.require(self.job.lake, self.job.run_id)
                        write_arrays(unit)
                        rest = unit.finished()
                    finished.append(replace(rest, seconds=rest.seconds + writing.seconds))
            first = replace(finished[0], seconds=finished[0].seconds + reading.seconds)
            return [first, *finished[1:]]

    def _open_run(self, names: Sequence[str]) -> OpenRun:
        with self._opening:
            models = {name: self._open(name) for name in names if name != ledger.FACES}
            return OpenRun(
                maps=self.job.maps,
                faces=self.job.faces,
                settings=self.job.settings,
                parser=self._parser,
                models=models,
                readers=self.job.readers,
            )

    def _open(self, name: str) -> RunModel:
        if name not in self._models:
            (request,) = (one for one in self.job.requests if one.name == name)
            opened = open_model(
                request,
                device=self._device,
                batch_size=self.job.batch_size,
                keep_pairs=self.job.settings.keep_pairs,
                visible=self._parser.regions,
            )
            self._models[name] = opened.run
        return self._models[name]

    def _threads(self) -> AbstractContextManager[Threads]:
        """Open threads: as many as torch would use, by default one, since dask says so."""
        count = self._torch_threads if self._device.type == "cpu" else CPU_COUNT
        return computing_threads(count, self._device)

    @cached_property
    def _device(self) -> torch.device:
        return choose_device(self.job.device)

    @cached_property
    def _parser(self) -> Parser:
        name, device = self.job.settings.parser, str(self._device)
        return find_parser(self.job.catalog, name, device, Downloader(Console(quiet=True)))[0]

    @contextmanager
    def _saying_who(self) -> Iterator[None]:
        """Make any error one of ours that names this worker, and can be sent."""
        try:
            yield
        except LeamError as error:
            raise LeamError(f"the worker {self._name}: {error}") from error
        except Exception as error:
            raise LeamError(
                f"the worker {self._name} failed: {error!r}. Its log says more."
            ) from error


def _nobody_watches(name: str, images: int) -> None:
    """Leave the progress to the scheduler's side, which counts finished blocks."""


async def check(job_name: str, dask_worker: Worker) -> None:
    """Run `JobPlugin.check` on this worker, in a thread, so that its heartbeat continues."""
    await asyncio.to_thread(cast(JobPlugin, dask_worker.plugins[job_name]).check)


def run_method(method: Callable[..., Any], job_name: str, *arguments: Any) -> Any:
    """Run a method of `JobPlugin` on this worker."""
    return method(get_worker().plugins[job_name], *arguments)


def _check(job: Job) -> None:
    here = observe(job.catalog, job.requests, job.settings.parser)
    differing = differences(here, job.environment)
    if differing:
        raise LeamError(f"it has {differing}: install the same on all machines.")
    choose_device(job.device)
    run_token.require(job.lake, job.run_id)
    run_token.try_to_write(job.lake)
    if job.photograph is not None:
        try:
            seen = fingerprint(job.photograph)
        except UnusableImageError as error:
            raise LeamError(
                f"{error} All machines need the photographs at the same path."
            ) from error
        if seen != job.fingerprint:
            raise LeamError(
                f"{job.photograph} is another file there, or has another modification time: "
                "let all machines see the same folder."
            )
