"""``python -m benchmarks.profile``: measure an ingest's time by stage, and its use of the cores."""

import json
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from time import perf_counter
from typing import Annotated

import psutil
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.benchmark import Settings
from benchmarks.material import answer_of, folder_option, ingest
from leamstore.commandline import DebugOption, run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class Profile:
    """The time and cores that an ingest used.

    Attributes
    ----------
    seconds : float
        From the command to its end.
    stages : dict of str to float
        Seconds by stage, as the ingest reports them. ``write`` and ``read`` run during the others.
    busy : list of float
        Cores at work in each half second.
    """

    seconds: float
    stages: dict[str, float]
    busy: list[float]

    @property
    def idle_seconds(self) -> float:
        """Seconds in which less than half of the cores were at work."""
        half = (psutil.cpu_count() or 1) / 2
        return _EVERY_SECONDS * sum(cores < half for cores in self.busy)


@app.command()
def profile(
    images: Annotated[
        Path | None,
        typer.Option(help="Folder of identities; without it, the demo set.", metavar="DIR"),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.")] = 0,
    debug: DebugOption = False,
) -> None:
    """Profile an ingest with DLIB_R29 on an otherwise idle machine.

    Example: `python -m benchmarks.profile --images lfw/`
    """
    with tempfile.TemporaryDirectory() as scratch:
        found = profile_of(Settings(quick=False, seed=seed, images=images, scratch=Path(scratch)))
    table = Table("stage", "seconds", "share of all")
    for stage, seconds in sorted(found.stages.items(), key=lambda one: -one[1]):
        table.add_row(stage, f"{seconds:.1f}", f"{100 * seconds / found.seconds:.0f} %")
    beside = {"read", "write"}
    rest = found.seconds - sum(s for stage, s in found.stages.items() if stage not in beside)
    table.add_row("start, end and all else", f"{rest:.1f}", "", style="dim")
    table.add_row("all", f"{found.seconds:.1f}", "100 %", style="bold")
    console = Console()
    console.print(table)
    console.print(
        f"{mean(found.busy):.2f} of {psutil.cpu_count()} cores at work on average; "
        f"less than half of them during {found.idle_seconds:.1f} s"
    )


def profile_of(settings: Settings) -> Profile:
    """Run an ingest and watch the machine meanwhile."""
    busy: list[float] = []
    ended = threading.Event()
    watch = threading.Thread(target=_watch, args=(busy, ended))
    began = perf_counter()
    process = ingest(settings, settings.scratch / "profiled.lake", *folder_option(settings))
    watch.start()
    try:
        facts = json.loads(answer_of(process))
    finally:
        ended.set()
        watch.join()
    return Profile(perf_counter() - began, facts["run"]["seconds"], busy)


def _watch(busy: list[float], ended: threading.Event) -> None:
    psutil.cpu_percent()
    while not ended.wait(_EVERY_SECONDS):
        busy.append(psutil.cpu_percent() / 100 * (psutil.cpu_count() or 1))


if __name__ == "__main__":
    run(app)
