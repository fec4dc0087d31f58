"""``python -m ingest``: explain photographs, and write the maps into a lake."""

import json
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from leamstore.catalog import read_catalog
from leamstore.commandline import DebugOption, JsonOption, LakeOption, QuietOption, run

if TYPE_CHECKING:
    from ingest.run.plan import Execution

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")

# Options by the panel of --help in which they stand.
_photographs = partial(typer.Option, rich_help_panel="Photographs")
_models = partial(typer.Option, rich_help_panel="Models")
_maps = partial(typer.Option, rich_help_panel="Maps")
_machine = partial(typer.Option, rich_help_panel="Machine")


@app.command(
    epilog='Then ask it: python -m leamstore sql "SELECT layer, avg(nose * 100 / pixels) '
    "FROM pair_regions WHERE activation = 'top' GROUP BY layer\"",
)
def ingest(
    images: Annotated[
        Path | None,
        _photographs(
            help="Folder of identities, DIR/<identity>/<image>, with an optional identities.csv "
            "(identity, gender, ethnicity) and images.csv (path, age). Without it, the demo set.",
            metavar="DIR",
        ),
    ] = None,
    dataset: Annotated[
        str | None,
        _photographs(
            help="Data set by its name in the catalog: lfw, fgnet, imdb-face, folder, demo.",
            metavar="NAME",
        ),
    ] = None,
    root: Annotated[
        Path | None, _photographs(help="Folder of that data set.", metavar="DIR")
    ] = None,
    max_images: Annotated[
        int | None, _photographs(help="Maximum number of images per identity.")
    ] = None,
    min_images: Annotated[
        int | None, _photographs(help="Leave identities with fewer images out.")
    ] = None,
    max_identities: Annotated[
        int | None, _photographs(help="Maximum number of identities, drawn with the seed.")
    ] = None,
    prune: Annotated[
        bool,
        _photographs(
            "--prune",
            help="Remove photographs from the lake that are no longer in the folder, with their "
            "maps. Without it they stay.",
        ),
    ] = False,
    models: Annotated[
        str,
        _models(
            help="Models by name, separated by commas; all: every model whose weights are here "
            "or can be fetched.",
            metavar="all|A,B",
        ),
    ] = "all",
    layers: Annotated[
        str, _models(help="Layers by name or position, separated by commas.", metavar="all|...")
    ] = "all",
    weights: Annotated[
        str | None,
        _models(
            help="random: random weights by --seed, for tests and sanity checks; the lake says "
            "so wherever it names the model.",
            metavar="random|FILE",
        ),
    ] = None,
    catalog: Annotated[
        list[Path] | None, _models(help="Your catalog, added to the built-in one.", metavar="FILE")
    ] = None,
    detector: Annotated[
        str,
        _photographs(
            help="Face detector: hog (dlib's, the fastest), cnn (dlib's; turned or covered "
            "faces, many seconds each on a CPU), mtcnn (small, turned or covered faces).",
            metavar="hog|cnn|mtcnn",
        ),
    ] = "hog",
    parser: Annotated[
        str,
        _maps(
            help="Parser of the facial regions, by its name in the catalog: farl, landmarks. "
            "auto: the lake's own, or for a new lake the first whose weights are here or can be "
            "fetched.",
            metavar="auto|NAME",
        ),
    ] = "auto",
    target: Annotated[
        str,
        _maps(
            help="Score whose gradient is taken: cosine (the paper), dot, centred-cosine, "
            "euclidean, contrastive; or a control: norm, impostor, impostor-random."
        ),
    ] = "cosine",
    positives: Annotated[
        Literal["all", "mean"],
        _maps(
            help="all: a map for each ordered pair (the paper); mean: one an image, towards the "
            "mean embedding of its positives, many times cheaper."
        ),
    ] = "all",
    keep_pairs: Annotated[
        str,
        _maps(
            help="Pair maps kept for each anchor, besides the image maps: a number, none or all.",
            metavar="N|none|all",
        ),
    ] = "2",
    crops: Annotated[bool, _maps(help="Whether the lake keeps the face crops.")] = True,
    seed: Annotated[int, _maps(help="Seed of everything drawn.")] = 0,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], _machine(help="Device that networks run on.")
    ] = "auto",
    precision: Annotated[
        Literal["float32", "tf32", "bfloat16"],
        _machine(
            help="Precision of networks. tf32: float32, its factors rounded to ten bits by an "
            "NVIDIA GPU, which is two to four times as fast."
        ),
    ] = "float32",
    batch_size: Annotated[int, _machine(help="Images in one forward pass.", min=1)] = 32,
    workers: Annotated[
        int | None,
        _machine(
            help="Processes that look for faces, and threads that read photographs and explain "
            "identities, each with a forward pass in memory. Results don't depend on it.",
            min=1,
            show_default="as many as cores that this process may use",
        ),
    ] = None,
    scheduler: Annotated[
        str | None,
        _machine(
            help="Address of a dask scheduler, whose workers do the work: one for each GPU. "
            "Without it, this process does.",
            metavar="tcp://HOST:PORT",
        ),
    ] = None,
    lake: LakeOption = "lake",
    quiet: QuietOption = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Make LEAM maps of every image, model and layer, and count their facial regions.

    Finished work is never done again: the same command goes on where it was stopped, and new
    images, identities or models join the lake.

    Examples: `python -m ingest --models all` (the demo set), or
    `python -m ingest --images lfw/ --models DLIB_R29 --lake lfw.lake`.
    """
    console = Console(stderr=True, quiet=quiet or as_json)
    known = read_catalog(*(catalog or []))
    asked_layers = None if layers == "all" else tuple(layers.split(","))
    for entry in known.named_models(models):
        entry.chosen_layers(asked_layers)
    # torch loads slowly, and neither --help nor a name mistyped should wait for it.
    from dask.system import CPU_COUNT  # noqa: PLC0415 - cores, affinity and cgroup

    from ingest import options  # noqa: PLC0415
    from ingest.downloads.downloader import Downloader  # noqa: PLC0415
    from ingest.faces.parsers import find_parser  # noqa: PLC0415
    from ingest.leam.targets import find_target  # noqa: PLC0415
    from ingest.networks.device import choose_device  # noqa: PLC0415
    from ingest.photographs.datasets.selection import Limits, select  # noqa: PLC0415
    from ingest.run import summary  # noqa: PLC0415
    from ingest.run.pipeline import (  # noqa: PLC0415
        done_models,
        ingest_photographs,
        with_new_models,
    )
    from ingest.run.plan import Plan  # noqa: PLC0415
    from leamstore.lake import LakeSettings  # noqa: PLC0415

    find_target(target)
    downloader = Downloader(console)
    limits = Limits(max_images, min_images, max_identities, seed)
    data = options.choose_dataset(known, images, dataset, root, limits, console)
    photographs = select(data.photographs, limits)
    settings = options.ModelSettings(
        weights="random" if weights == "random" else Path(weights) if weights else None,
        layers=asked_layers,
        target=target,
        positives=positives,
        precision=precision,
        seed=seed,
    )
    requests, passed_over = options.choose_models(known, models, settings, downloader)
    torch_device = choose_device(device if scheduler is None else "cpu")
    found = options.find_lake(lake)
    parser = options.choose_parser(parser, found)
    parsing, stand_in = find_parser(known, parser, str(torch_device), downloader)
    lake_settings = LakeSettings(
        parser=parsing.name,
        keep_pairs=options.choose_keep_pairs(keep_pairs, photographs),
        crops=crops,
        seed=seed,
        detector=options.choose_detector(detector),
    )
    for note in (*data.notes, *([stand_in] if stand_in else [])):
        console.print(f"Note: {note}", style="yellow", markup=False)
    with choose_execution(scheduler, device) as execution, _progress(console) as progress:
        if found is not None:
            options.require_settings(found, lake_settings)
        plan = Plan(
            photographs,
            requests,
            parsing,
            torch_device,
            batch_size,
            workers or CPU_COUNT,
            execution,
            present=data.photographs,
            prune=prune,
        )
        # A network that can't be explained leaves no lake behind.
        plan = with_new_models(plan, lake_settings, done_models(found) if found else set())
        opened = options.open_lake(lake, lake_settings)
        outcome = ingest_photographs(opened, plan, progress)
    facts = summary.summarise(opened, outcome, passed_over)
    if as_json:
        print(json.dumps(facts, indent=2))
    elif not quiet:
        summary.show(facts, Console())


def choose_execution(scheduler: str | None, device: str) -> "AbstractContextManager[Execution]":
    """Return the execution by the workers of a scheduler, or by this process if none is named.

    Raises
    ------
    LeamError
        If no scheduler answers at the address.
    """
    if scheduler is None:
        from ingest.run.plan import in_this_process  # noqa: PLC0415

        return nullcontext(in_this_process)
    from ingest.run.dask_cluster import on_cluster  # noqa: PLC0415, dask loads slowly

    return on_cluster(scheduler, device)


class _Rate(ProgressColumn):
    """Items a second since the beginning: a cluster's come in bursts, many in no time."""

    def render(self, task: Task) -> Text:
        """Draw the column."""
        seconds = task.finished_time or task.elapsed
        return Text(
            f"{task.completed / seconds:.1f} images/s" if task.completed and seconds else ""
        )


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
        console=console,
        disable=console.quiet,
    )


if __name__ == "__main__":
    run(app)
