"""The plan of an ingest: its work, executor and progress."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field

import torch
from rich.progress import Progress

from ingest.faces.parsers import Parser
from ingest.photographs.datasets import Photograph
from ingest.run.execution import Executor, LocalExecutor
from ingest.run.models import OpenModel, Request
from ingest.run.outcome import Outcome
from leamstore.lake import Lake

Execution = Callable[["Run"], AbstractContextManager[Executor]]
"""Context that prepares the executor of a run."""


def in_this_process(run: "Run") -> AbstractContextManager[Executor]:
    """Execute a run in this process."""
    plan, detector = run.plan, run.lake.settings.detector
    executor = LocalExecutor(plan.workers, plan.device, detector, run.outcome.stopwatch)
    return nullcontext(executor)


@dataclass(frozen=True)
class Plan:
    """The work of an ingest, and how it is executed.

    Attributes
    ----------
    photographs : sequence of Photograph
        Those to make maps of.
    requests : sequence of Request
        The models.
    parser : Parser
    device : torch.device
    batch_size : int
        Images in one forward pass.
    workers : int
        Processes that look for faces, and threads that read photographs.
    execution : callable, optional
        How the work is executed; by default in this process.
    present : sequence of Photograph, optional
        All photographs of the data set, where `photographs` are some of them.
    prune : bool
        Whether photographs that are no longer in the data set leave the lake.
    opened : mapping of str to OpenModel
        Models that are open already, by their names in the lake.
    """

    photographs: Sequence[Photograph]
    requests: Sequence[Request]
    parser: Parser
    device: torch.device
    batch_size: int
    workers: int
    execution: Execution = in_this_process
    present: Sequence[Photograph] = ()
    prune: bool = False
    opened: Mapping[str, OpenModel] = field(default_factory=dict)


@dataclass(frozen=True)
class Run:
    """A plan being carried out on a lake.

    Attributes
    ----------
    lake : Lake
    plan : Plan
    run_id : str
        Its name in the table runs.
    progress : Progress
        Display of the progress.
    outcome : Outcome
        The work done so far.
    """

    lake: Lake
    plan: Plan
    run_id: str
    progress: Progress
    outcome: Outcome
