"""What a worker of a dask cluster does for an ingest, and what it checks before.

A worker opens networks and parser once, from a small order; photographs it reads, and arrays it
writes, where they lie. Whole blocks come in, and rows go back as Arrow.
"""

import asyncio
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from distributed import WorkerPlugin, get_worker
from distributed.worker import Worker
from rich.console import Console
from torch import Tensor

from ingest.block import Bench, References, Todo, embeddings_of, units_of
from ingest.choices import choose_device, choose_parser
from ingest.datasets import Photograph
from ingest.explain import RunModel
from ingest.models import Request, open_model
from ingest.parsers import Parser
from ingest.report import Stopwatch
from ingest.surroundings import differences, observe
from ingest.survey import fingerprint, look_at
from ingest.unit import FinishedUnit
from ingest.writer import write_arrays
from leamstore import ledger, permit
from leamstore.catalog import Catalog
from leamstore.errors import LeamError, UnusableImageError
from leamstore.lake import LakeSettings
from leamstore.memory import keep_freed_memory
from leamstore.storage import Location


@dataclass(frozen=True)
class Order:
    """What the workers of a run have to know; small, and pickled.

    Attributes
    ----------
    run_id : str
        Whose permit allows to write (`leamstore.permit`).
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
    surroundings : mapping of str to str
        What `ingest.surroundings.observe` saw on the machine that sends the order.
    photograph : Path or None
        One that all have to see alike.
    fingerprint : mapping
        Its `ingest.survey.fingerprint`.
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
    surroundings: Mapping[str, str]
    photograph: Path | None
    fingerprint: Mapping[str, Any]

    @property
    def name(self) -> str:
        """Name of the plugin that carries it; the next run on the same lake takes its place."""
        return f"ingest into {self.lake}"


class Workplace(WorkerPlugin):
    """An order as one worker process carries it out, with all that it has opened for that.

    Photographs of one block may be read while another one is explained: the network, the
    threads that count and the accelerator are used by one block at a time.
    """

    def __init__(self, order: Order) -> None:
        self.order = order

    def setup(self, worker: Worker) -> None:
        """Take the place; nothing is opened before it is needed."""
        keep_freed_memory()
        self._name = f"{worker.address} on {socket.gethostname()}"
        self._models: dict[str, RunModel] = {}
        self._checking = threading.Lock()
        self._opening = threading.Lock()
        self._working = threading.Lock()
        self._is_checked = False

    def check(self) -> None:
        """See that this worker would do what the others do, once.

        Raises
        ------
        LeamError
            If not; the sentence names the worker.
        """
        with self._checking, self._saying_who():
            if not self._is_checked:
                _check(self.order)
                self._is_checked = True

    def look_at(self, photographs: Sequence[Photograph]) -> list[dict[str, Any]]:
        """Return the rows of ``images`` of photographs."""
        self.check()
        with self._saying_who():
            return [look_at(photograph) for photograph in photographs]

    def embed(self, block: Todo) -> dict[str, Tensor]:
        """Return what each model named makes of a block's images."""
        self.check()
        with self._saying_who():
            bench = self._bench(block.names)
            (loaded,) = bench.load([block])
            with self._working:
                embeddings = embeddings_of(bench, loaded)
            return {name: own.cpu() for name, own in embeddings.items()}

    def finish(self, todo: Todo, references: References) -> list[FinishedUnit]:
        """Do what is missing of a block, write its arrays, and return the rest."""
        self.check()
        with self._saying_who():
            bench = self._bench(todo.names)
            reading = Stopwatch()
            with reading.measured("read"):
                (loaded,) = bench.load([todo])
            finished = []
            with self._working:
                for unit in units_of(bench, todo, loaded, references, lambda name, images: None):
                    writing = Stopwatch()
                    with writing.measured("write"):
                        permit.require(self.order.lake, self.order.run_id)
                        write_arrays(unit)
                        rest = unit.finished()
                    finished.append(replace(rest, seconds=rest.seconds + writing.seconds))
            first = replace(finished[0], seconds=finished[0].seconds + reading.seconds)
            return [first, *finished[1:]]

    def _bench(self, names: Sequence[str]) -> Bench:
        with self._opening:
            models = {name: self._open(name) for name in names if name != ledger.FACES}
            return Bench(
                maps=self.order.maps,
                faces=self.order.faces,
                settings=self.order.settings,
                parser=self._parser,
                models=models,
                readers=self.order.readers,
            )

    def _open(self, name: str) -> RunModel:
        if name not in self._models:
            (request,) = (one for one in self.order.requests if one.name == name)
            opened = open_model(
                request,
                device=self._device,
                batch_size=self.order.batch_size,
                keep_pairs=self.order.settings.keep_pairs,
                visible=self._parser.regions,
            )
            self._models[name] = opened.run
        return self._models[name]

    @cached_property
    def _device(self) -> torch.device:
        return choose_device(self.order.device)

    @cached_property
    def _parser(self) -> Parser:
        quiet = Console(quiet=True)
        parser, _ = choose_parser(
            self.order.catalog, self.order.settings.parser, self._device, quiet
        )
        return parser

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


async def check(order_name: str, dask_worker: Worker) -> None:
    """Run `Workplace.check` on this worker, whose heart goes on beating meanwhile."""
    await asyncio.to_thread(_workplace(dask_worker, order_name).check)


def look_at_all(order_name: str, photographs: Sequence[Photograph]) -> list[dict[str, Any]]:
    """Run `Workplace.look_at` on this worker."""
    return _workplace(get_worker(), order_name).look_at(photographs)


def embed(order_name: str, block: Todo) -> dict[str, Tensor]:
    """Run `Workplace.embed` on this worker."""
    return _workplace(get_worker(), order_name).embed(block)


def finish(order_name: str, todo: Todo, references: References) -> list[FinishedUnit]:
    """Run `Workplace.finish` on this worker."""
    return _workplace(get_worker(), order_name).finish(todo, references)


def _workplace(worker: Worker, order_name: str) -> Workplace:
    place = worker.plugins[order_name]
    assert isinstance(place, Workplace)
    return place


def _check(order: Order) -> None:
    here = observe(order.catalog, order.requests, order.settings.parser)
    differing = differences(here, order.surroundings)
    if differing:
        raise LeamError(f"it has {differing}: install the same on all machines.")
    choose_device(order.device)
    permit.require(order.lake, order.run_id)
    permit.try_to_write(order.lake)
    if order.photograph is not None:
        try:
            seen = fingerprint(order.photograph)
        except UnusableImageError as error:
            raise LeamError(
                f"{error} All machines need the photographs at the same path."
            ) from error
        if seen != order.fingerprint:
            raise LeamError(
                f"{order.photograph} is another file there, or has another modification time: "
                "let all machines see the same folder."
            )
