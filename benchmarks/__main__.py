"""``python -m benchmarks``: measure the project against its peers and the machine's limit."""

import tempfile
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from benchmarks.benchmark import Benchmark, Settings
from benchmarks.registry import BENCHMARKS
from leamstore.commandline import DebugOption, QuietOption, run

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")
_RESULTS = Path(__file__).parent / "results"


@app.command(epilog="On a GPU: python -m benchmarks.gpu --help")
def measure(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="all, or benchmarks by name; --list shows them.", metavar="NAME..."),
    ] = None,
    images: Annotated[
        Path | None,
        typer.Option(
            help="Folder of identities for the benchmarks of a whole ingest, DIR/<identity>/<image>"
            "; without it, the demo set.",
            metavar="DIR",
            exists=True,
            file_okay=False,
        ),
    ] = None,
    to: Annotated[
        Path, typer.Option(help="Folder for the results, <date>.json and <date>.md.", metavar="DIR")
    ] = _RESULTS,
    scratch: Annotated[
        Path | None,
        typer.Option(
            help="Folder on the disk to measure; takes up to 5 GB meanwhile. "
            "By default the system's folder for temporary files.",
            metavar="DIR",
        ),
    ] = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Sizes that only show that everything runs.")
    ] = False,
    long: Annotated[
        bool, typer.Option("--long", help="With all: those that take many minutes, too.")
    ] = False,
    seed: Annotated[int, typer.Option(help="Seed of everything drawn.")] = 0,
    listing: Annotated[
        bool, typer.Option("--list", help="Show the benchmarks and their goals, and end.")
    ] = False,
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Compare the project with what a user would otherwise write, and print ratios with goals.

    Both sides are timed in turns, and medians are taken, so that a busy machine slows both; a
    quiet one is better all the same. A peer that isn't installed is a row that says so. All takes
    about ten minutes on two cores.

    Examples: `python -m benchmarks`, `python -m benchmarks leam torchcam`,
    `python -m benchmarks ingest --images lfw/`.
    """
    console = Console(quiet=quiet)
    if listing:
        console.print(_table_of_goals())
        return
    # torch loads slowly, and --help shouldn't wait for it.
    from benchmarks.machine import describe_machine  # noqa: PLC0415
    from benchmarks.results import write_results  # noqa: PLC0415
    from benchmarks.running import choose, rows_of  # noqa: PLC0415

    chosen = choose(BENCHMARKS, names or ["all"], long)
    machine = describe_machine(seed)
    rows = []
    folder = None if scratch is None else str(scratch)
    with (
        tempfile.TemporaryDirectory(prefix="benchmarks-", dir=folder) as place,
        Progress(console=Console(stderr=True, quiet=quiet), transient=True) as progress,
    ):
        task = progress.add_task("Benchmarks", total=len(chosen))
        for benchmark in chosen:
            progress.update(task, description=benchmark.name)
            for row in rows_of(benchmark, Settings(quick, seed, images, Path(place))):
                rows.append(row)
                _, _, case, value, goal, verdict, note = row.cells
                progress.console.print(
                    f"{benchmark.name}: {case}: {value} (goal {goal}: {verdict}); {note}",
                    markup=False, highlight=False, soft_wrap=True,
                )  # fmt: skip
            progress.advance(task)
    for path in write_results(to, rows, machine, quick):
        console.print(f"Written: {path}", markup=False, soft_wrap=True)


def _table_of_goals() -> Table:
    table = Table("name", "work", "measured against", "goals")
    for benchmark in BENCHMARKS:
        name = f"{benchmark.name} (--long)" if benchmark.is_long else benchmark.name
        table.add_row(name, benchmark.work, benchmark.against, _goals(benchmark))
    return table


def _goals(benchmark: Benchmark) -> str:
    return "\n".join(f"{case}: {goal}" for case, goal in benchmark.goals.items())


if __name__ == "__main__":
    run(app)
