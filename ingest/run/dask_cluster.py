"""Execution of an ingest on a dask cluster; this process alone writes the tables.

A task is a block of whole identities: its worker reads the photographs, explains them, writes
whole shards and returns the rows, which are committed here as they come. dask gives the tasks of
a worker that died to another; one that hangs is ended here, so that the same happens. A block that
two workers did has the same bytes from both, and a worker that wakes up after its run may not
write any more (`leamstore.safety.run_token`).
"""

import logging
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from dask.typing import Key
from distributed import CancelledError, Client, Future, wait
from distributed.scheduler import KilledWorker
from rich.progress import Progress
from torch import Tensor

from ingest.faces.survey import chunks
from ingest.photographs.datasets import Photograph
from ingest.photographs.fingerprint import fingerprint
from ingest.run import dask_worker
from ingest.run.block import OpenRun, References, Seen, Todo
from ingest.run.dask_worker import Job, JobPlugin
from ingest.run.environment import observe
from ingest.run.plan import Execution, Run
from ingest.run.writer import Writer
from leamstore.dask_client import connect
from leamstore.errors import LeamError
from leamstore.safety import run_token
from leamstore.storage import Location

_AHEAD: Final = 2
"""Tasks that each worker has at a time: one to work on, and the next one."""

_CHUNK: Final = 16
"""Photographs in a task of looking for faces."""

_RETRIES: Final = 2
"""Number of retries of a task that ended in an error, such as one of the file system."""

_LOOK_SECONDS: Final = 2.0
"""Interval at which workers are counted and tasks are checked."""

_SILENCE_SECONDS: Final = 60.0
"""Time without an answer after which the scheduler is considered lost."""

_FIRST_LIMIT_SECONDS: Final = 3600.0
"""Time limit of the first tasks: they open networks, and the cluster's speed is unknown."""

_LEAST_LIMIT_SECONDS: Final = 600.0

_TIMES_THE_SLOWEST: Final = 10.0
"""A task that takes this many times as long as the slowest one before, for its size, hangs."""


@contextmanager
def on_cluster(address: str, device: str) -> Iterator[Execution]:
    """Connect to a scheduler, and yield the execution of runs by its workers.

    Parameters
    ----------
    device : str
        auto, cpu or cuda: on each worker.

    Raises
    ------
    LeamError
        If none answers at the address.
    """
    with _silent_logs():
        client = connect(address)
        try:
            with client.as_current():
                yield lambda run: cluster_executor(client, job_of(run, device), run.progress)
        finally:
            with suppress(OSError):  # a scheduler that is gone can't be notified
                client.close()


def job_of(run: Run, device: str) -> Job:
    """Return the description of a run for its workers, with absolute paths."""
    lake, plan = run.lake, run.plan
    requests = tuple(
        replace(one, weights=one.weights.absolute()) if isinstance(one.weights, Path) else one
        for one in plan.requests
    )
    files = (one.path.absolute() for one in plan.photographs)
    photograph = next((file for file in files if file.is_file()), None)
    return Job(
        run_id=run.run_id,
        lake=_absolute(lake.path),
        maps=_absolute(lake.maps_path),
        faces=_absolute(lake.faces_path),
        settings=lake.settings,
        catalog=requests[0].catalog,
        requests=requests,
        device=device,
        batch_size=plan.batch_size,
        readers=plan.workers,
        environment=observe(requests[0].catalog, requests, lake.settings.parser),
        photograph=photograph,
        fingerprint=fingerprint(photograph) if photograph else None,
    )


def _absolute(place: Location) -> Location:
    return place.absolute() if isinstance(place, Path) else place


@contextmanager
def cluster_executor(client: Client, job: Job, progress: Progress) -> Iterator["ClusterExecutor"]:
    """Install the plugin of a run on the workers, check each, and remove it at the end.

    It waits for the first worker. Those that join later are checked before their first task.

    Raises
    ------
    LeamError
        If a worker isn't what this process is, or can't see the photographs and the lake.
    """
    executor = ClusterExecutor(client, job.name, progress)
    run_token.grant(job.lake, job.run_id)
    try:
        executor.gather()
        with executor.as_leam_errors():
            client.register_plugin(JobPlugin(job), name=job.name)
            found = client.run(dask_worker.check, job.name, on_error="return")
            for answer in found.values():
                # An OSError is that of a worker that has left meanwhile.
                if isinstance(answer, Exception) and not isinstance(answer, OSError):
                    raise answer
        yield executor
    finally:
        run_token.withdraw(job.lake)
        if client.status == "running":
            with suppress(OSError, ValueError):  # the order may not have come so far
                client.unregister_worker_plugin(job.name)


class ClusterExecutor:
    """The workers of a cluster at work: a `ingest.run.execution.Executor`.

    Parameters
    ----------
    client : Client
        Connected to the scheduler.
    job_name : str
        The job that they have.
    progress : Progress
        Where the number of workers and their speed are shown.
    """

    def __init__(self, client: Client, job_name: str, progress: Progress) -> None:
        self._client = client
        self._address = client.scheduler.address
        self._job_name = job_name
        self._progress = progress
        self._workers = 0
        self._looked = 0.0

    def gather(self) -> None:
        """Print the address of the dashboard, and wait for the first worker."""
        self._say(f"Cluster at {self._address}. Dashboard: {self._client.dashboard_link}")
        self._count_workers()
        if not self._workers:
            self._say("It has no worker yet: waiting for one.")
        while not self._workers:
            time.sleep(_LOOK_SECONDS)
            self._count_workers()

    def look_at(self, photographs: Sequence[Photograph]) -> Generator[dict[str, Any]]:
        """Look at photographs, a few in a task."""
        absolute = (replace(one, path=one.path.absolute()) for one in photographs)
        tasks = (_Task((few,), len(few)) for few in chunks(absolute, _CHUNK))
        for _, rows in self._done(JobPlugin.look_at, tasks):
            yield from rows

    def embed(
        self, open_run: OpenRun, blocks: Sequence[Todo], seen: Callable[[int], object]
    ) -> list[dict[str, Tensor]]:
        """Embed the photographs, a block in a task."""
        named = (replace(one, names=tuple(open_run.models)) for one in blocks)
        tasks = (_Task((one,), one.images.height) for one in named)
        embeddings = {}
        for number, embedded in self._done(JobPlugin.embed, tasks):
            embeddings[number] = embedded
            seen(blocks[number].images.height)
        return [embeddings[number] for number in range(len(blocks))]

    def finish(
        self,
        open_run: OpenRun,
        todo: Sequence[Todo],
        references_of: Callable[[Todo], References],
        writer: Writer,
        seen: Seen,
    ) -> None:
        """Compute what is missing, a block per task, and commit the rows as they come."""
        tasks = (_Task((one, references_of(one)), _maps(one)) for one in todo)
        bar = self._progress.add_task(
            "", total=sum(_images_by_models(open_run, one) for one in todo)
        )
        began, maps = time.monotonic(), 0
        for number, units in self._done(JobPlugin.finish, tasks):
            for unit in units:
                writer.commit(unit)
                maps += unit.maps
                if unit.name in open_run.models:
                    seen(unit.name, unit.images.height)
            speed = maps / (time.monotonic() - began)
            self._progress.update(
                bar,
                advance=_images_by_models(open_run, todo[number]),
                description=f"{self._workers} workers, {speed:,.0f} maps/s",
            )

    def _done(
        self, method: Callable[..., Any], tasks: Iterable["_Task"]
    ) -> Iterator[tuple[int, Any]]:
        """Yield what workers make of each task, with its number, in the order of their ends."""
        numbered = enumerate(tasks)
        waiting: dict[Future, tuple[int, _Task]] = {}
        pace = _Pace()
        while True:
            room = _AHEAD * max(self._workers, 1) - len(waiting)
            for number, task in islice(numbered, max(room, 0)):
                waiting[self._send(method, task)] = number, task
            if not waiting:
                return
            for future in self._ended(waiting):
                number, task = waiting.pop(future)
                pace.learn(task)
                yield number, self._outcome(future)
            self._look_after({future.key: task for future, (_, task) in waiting.items()}, pace)

    def _send(self, method: Callable[..., Any], task: "_Task") -> Future:
        with self.as_leam_errors():
            task.began = time.monotonic()
            return self._client.submit(
                dask_worker.run_method,
                *(method, self._job_name, *task.arguments),
                key=f"{method.__name__}-{uuid.uuid4()}",  # by which the dashboard groups tasks
                retries=_RETRIES,
            )

    def _ended(self, futures: Iterable[Future]) -> set[Future]:
        """Return those that have ended, after waiting a while for the first."""
        with self.as_leam_errors():
            done: set[Future] = set()
            with suppress(TimeoutError):
                done = wait(list(futures), _LOOK_SECONDS, "FIRST_COMPLETED").done
            return done

    def _outcome(self, future: Future) -> Any:
        with self.as_leam_errors():
            return future.result(timeout=_SILENCE_SECONDS)

    def _look_after(self, tasks: dict[Key, "_Task"], pace: "_Pace") -> None:
        """Count the workers, and end those that hang: dask gives their tasks to others."""
        now = time.monotonic()
        if now < self._looked + _LOOK_SECONDS:
            return
        self._looked = now
        self._count_workers()
        late = {key for key, task in tasks.items() if now > task.began + pace.limit(task)}
        if not late:
            return
        for worker, keys in self._ask("processing").items():
            if late.isdisjoint(keys):
                continue
            self._say(f"The worker {worker} hangs: it is ended, and its task goes to another.")
            self._ask(
                "restart_workers",
                workers=[worker],
                wait_for_workers=False,
                on_error="return",
                stimulus_id=f"ingest-{now}",
            )
            for key in tasks.keys() & set(keys):
                tasks[key].began = now

    def _count_workers(self) -> None:
        there = len(self._ask("ncores"))
        if self._workers and not there:
            self._say("It has no worker any more: waiting for one.")
        self._workers = there

    def _ask(self, operation: str, **arguments: Any) -> Any:
        """Return a scheduler's answer, which may be long in coming where the network is cut."""
        with self.as_leam_errors():
            if self._client.status != "running":
                raise ConnectionError(f"the client is {self._client.status}")
            return self._client.sync(
                getattr(self._client.scheduler, operation),
                callback_timeout=_SILENCE_SECONDS,
                **arguments,
            )

    @contextmanager
    def as_leam_errors(self) -> Iterator[None]:
        """Make what goes wrong between here and the workers an error of one sentence."""
        try:
            yield
        except LeamError:
            raise
        except KilledWorker as error:
            raise LeamError(
                f"{error.allowed_failures + 1} workers died of the same task, the last one at "
                f"{error.last_worker.address}: perhaps they need more memory, or a smaller "
                "--batch-size. Their logs say more."
            ) from error
        except (OSError, CancelledError) as error:
            raise LeamError(
                f"the dask scheduler at {self._address} doesn't answer any more, or has been "
                "restarted. What was finished is kept; the same command goes on from there."
            ) from error
        except Exception as error:
            raise LeamError(
                f"the cluster at {self._address} can't do this work: {error!r}. Install this "
                "project where the scheduler runs, and on all workers."
            ) from error

    def _say(self, sentence: str) -> None:
        self._progress.console.print(sentence, markup=False, highlight=False, soft_wrap=True)


@dataclass
class _Task:
    """A task for a worker, its size, and when it `began`: was sent, or given to another worker."""

    arguments: tuple[Any, ...]
    size: int
    began: float = 0.0


class _Pace:
    """Duration of tasks of one kind, including transfers."""

    def __init__(self) -> None:
        self._slowest: float | None = None

    def learn(self, task: _Task) -> None:
        """Take note of a task that has just ended."""
        self._slowest = max(self._slowest or 0.0, (time.monotonic() - task.began) / task.size)

    def limit(self, task: _Task) -> float:
        """Return the seconds after which a task is taken to hang."""
        if self._slowest is None:
            return _FIRST_LIMIT_SECONDS
        return max(_LEAST_LIMIT_SECONDS, _TIMES_THE_SLOWEST * self._slowest * task.size)


@contextmanager
def _silent_logs() -> Iterator[None]:
    """Keep to ourselves what dask logs here of lost connections: this process says a sentence."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client", "tornado")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


def _maps(todo: Todo) -> int:
    """Return how many pairs and images a block has, by which its maps grow, for all models."""
    images = todo.images["identity"].value_counts()["count"]
    return int((images**2).sum()) * len(todo.names)


def _images_by_models(open_run: OpenRun, todo: Todo) -> int:
    return todo.images.height * sum(name in open_run.models for name in todo.names)
