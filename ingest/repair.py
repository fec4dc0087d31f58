"""``python -m ingest.repair``: recompute the units that a lake's ledger lacks.

Models, layers, targets and the photographs' places are those of the tables. No photograph is
surveyed again, and no unit in the ledger is changed.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import typer
from rich.console import Console
from rich.progress import Progress

from leamstore.catalog import Catalog, read_catalog
from leamstore.commandline import CatalogOption, DebugOption, LakeOption, QuietOption, run
from leamstore.errors import LakeError, LeamError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


@app.command()
def repair(
    catalog: CatalogOption = None,
    device: Annotated[
        Literal["auto", "cpu", "cuda"], typer.Option(help="Device that networks run on.")
    ] = "auto",
    batch_size: Annotated[int, typer.Option(help="Images in one forward pass.", min=1)] = 32,
    workers: Annotated[
        int | None,
        typer.Option(
            help="Threads that read photographs and explain identities.",
            min=1,
            show_default="as many as cores that this process may use",
        ),
    ] = None,
    lake: LakeOption = "lake",
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Recompute what the ledger lacks, with the models and photographs that the lake records.

    `python -m leamstore verify --repair` takes out what is broken, and then calls this.
    """
    console = Console(stderr=True, quiet=quiet)
    # torch loads slowly, and --help shouldn't wait for it.
    from dask.system import CPU_COUNT  # noqa: PLC0415 - cores, affinity and cgroup

    from ingest.downloads.downloader import Downloader  # noqa: PLC0415
    from ingest.faces.parsers import find_parser  # noqa: PLC0415
    from ingest.networks.device import choose_device  # noqa: PLC0415
    from ingest.run.pipeline import finish_units  # noqa: PLC0415
    from ingest.run.plan import Plan  # noqa: PLC0415
    from leamstore.lake import Lake  # noqa: PLC0415
    from leamstore.tables.waiting import WITHOUT_END  # noqa: PLC0415

    known = read_catalog(*(catalog or []))
    opened = Lake(lake, patience=WITHOUT_END)
    torch_device = choose_device(device)
    parser, _ = find_parser(known, opened.settings.parser, str(torch_device), Downloader(console))
    requests, refusals = _requests(opened, known)
    plan = Plan((), requests, parser, torch_device, batch_size, workers or CPU_COUNT)
    with Progress(console=console, disable=quiet) as progress:
        outcome = finish_units(opened, plan, progress)
    console.print(f"Units of models recomputed in {lake}: {outcome.units}.", highlight=False)
    if refusals:
        raise LakeError("\n".join(refusals))


def _requests(lake: Any, catalog: Catalog) -> tuple[list[Any], list[str]]:
    """Return the requests of the unfinished models, and why there is none of the others."""
    requests, refusals = [], []
    for row in _unfinished_models(lake):
        try:
            requests.append(_request(lake, catalog, row))
        except LeamError as error:
            refusals.append(
                f"{row['model']} can't be run again: {error} Or type the ingest that made it "
                "again, which does what is missing and nothing else: "
                '`python -m leamstore sql "SELECT command FROM runs"` shows it.'
            )
    return requests, refusals


def _unfinished_models(lake: Any) -> list[dict[str, Any]]:
    """Return the rows of the models that lack a unit, with their layers from the input on."""
    from leamstore.arrays.blocks import blocks_of  # noqa: PLC0415
    from leamstore.tables import ledger  # noqa: PLC0415

    blocks = {block.first_shard for block in blocks_of(lake.images)}
    with lake.kept_open() as connection:
        done = ledger.done_units(connection)
    rows = lake.sql(
        "SELECT models.*, list(layer ORDER BY position) AS layers "
        "FROM models JOIN layers USING (model) GROUP BY ALL ORDER BY model"
    ).to_dicts()
    return [row for row in rows if any((row["model"], block) not in done for block in blocks)]


def _request(lake: Any, catalog: Catalog, row: Mapping[str, Any]) -> Any:
    """Return the request by which a model of the lake was run."""
    from ingest.run.models import Request  # noqa: PLC0415
    from ingest.run.recorded import recorded_model  # noqa: PLC0415

    model = recorded_model(row, catalog)
    model.load()  # refused here, it leaves the other models to be done
    return Request(
        entry=model.entry,
        catalog=model.catalog,
        weights=model.weights,
        layers=tuple(row["layers"]),
        target=row["target"],
        positives="mean" if row["positives"] == "mean" else "all",
        precision=row["precision"],
        seed=lake.settings.seed,
    )


if __name__ == "__main__":
    run(app)
