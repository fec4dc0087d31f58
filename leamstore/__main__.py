"""``python -m leamstore``: show, query, verify, repair and export a lake.

A command loads what it alone needs (Zarr to verify, pydantic for the catalog) when it is run, so
that `info` and `sql` answer within a second.
"""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import duckdb
import polars as pl
import typer
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from leamstore.commandline import (
    CatalogOption,
    DebugOption,
    JsonOption,
    LakeOption,
    QuietOption,
    run,
    shown,
)
from leamstore.errors import LakeError
from leamstore.lake import Lake
from leamstore.schema_page import schema_page
from leamstore.stand_ins import brands
from leamstore.tables.export import export_tables

if TYPE_CHECKING:
    from leamstore.catalog import Entry
    from leamstore.safety.fault import Fault

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help=(
        "Look into a lake that `python -m ingest` made.\n\n"
        "The tables also open with any DuckDB client (lake.duckdb), and the maps with "
        "xarray.open_datatree('maps.zarr', engine='zarr', consolidated=False)."
    ),
)
_DEFAULT_LAKE = "lake"


@app.command()
def info(
    lake: LakeOption = _DEFAULT_LAKE, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Show the contents of the lake: images, models, layers, sizes."""
    opened = Lake(lake)
    facts = _facts(opened)
    if as_json:
        print(json.dumps(facts, indent=2, default=str))
        return
    console = Console()
    console.print(f"[bold]{lake}[/]  {facts['bytes'] / 2**20:,.1f} MiB")
    for brand in facts["brands"]:
        console.print(brand, style="yellow", markup=False)
    for name in ("settings", "images", "rejected"):
        console.print(_two_columns(name, facts[name]))
    for name in ("models", "units"):
        console.print(_rich_table(name, pl.DataFrame(facts[name])))


@app.command()
def sql(
    query: Annotated[str, typer.Argument(help="DuckDB SQL; `-` reads it from standard input.")],
    lake: LakeOption = _DEFAULT_LAKE,
    as_json: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print csv.")] = False,
    seconds: Annotated[
        float, typer.Option("--seconds", help="Time limit of the query.", min=0.001)
    ] = 3600.0,
    memory: Annotated[
        str | None,
        typer.Option(
            "--memory",
            help="Memory limit of the query; by default four fifths of the machine's.",
            metavar="4GB",
        ),
    ] = None,
    debug: DebugOption = False,
) -> None:
    """Query the lake's tables; read-only, without access to other files.

    Example: python -m leamstore sql "SELECT model, layer, avg(nose * 100 / pixels) AS nose
    FROM pair_regions WHERE activation = 'top' GROUP BY ALL"
    """
    try:
        with _ended_at_once_by_ctrl_c():
            asked = sys.stdin.read() if query == "-" else query
            rows = Lake(lake).sql(asked, seconds=seconds, memory=memory)
    except duckdb.OutOfMemoryException as error:
        raise LakeError(
            "the query needs more memory than its limit: ask for less, or raise it by --memory."
        ) from error
    except duckdb.Error as error:
        raise LakeError(f"DuckDB refuses the query: {error}") from error
    if as_json:
        print(json.dumps(rows.to_dicts(), default=str))
    elif as_csv:
        print(_as_csv(rows), end="")
    else:
        Console().print(_rich_table(None, rows))


def _as_csv(rows: pl.DataFrame) -> str:
    try:
        return rows.write_csv()
    except pl.exceptions.PolarsError as error:
        raise LakeError("csv holds no lists and no bytes: cast them, or ask for --json.") from error


@contextmanager
def _ended_at_once_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process: DuckDB may ignore it, and a reader leaves nothing behind."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@app.command(name="verify")
def verify_command(
    lake: LakeOption = _DEFAULT_LAKE,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Remove what is broken, and recompute only that."),
    ] = False,
    files: CatalogOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check the whole lake and list every fault with its place and remedy."""
    from leamstore.catalog import read_catalog  # noqa: PLC0415
    from leamstore.safety.lock import holder  # noqa: PLC0415
    from leamstore.safety.verify import remove_broken, verify  # noqa: PLC0415

    opened = Lake(lake)
    at_work = holder(opened.path)
    if at_work:
        console = Console(stderr=True, soft_wrap=True)
        console.print(f"An ingest is at work: what it has not finished is listed. ({at_work})")
    with Console(stderr=True).status("Reading every shard"):
        faults = verify(opened, read_catalog(*(files or [])))
    _print_faults(lake, faults, as_json)
    if repair and any(fault.units or fault.files for fault in faults):
        units = remove_broken(opened, faults)
        said = f"Units removed, to be recomputed now: {len(units)}."
        Console(stderr=True).print(said, highlight=False)
        raise typer.Exit(_repair(lake, files))
    if faults:
        raise typer.Exit(1)


@app.command()
def remove(
    lake: LakeOption = _DEFAULT_LAKE,
    identity: Annotated[
        str | None, typer.Option("--identity", help="A person, by name.", metavar="NAME")
    ] = None,
    image: Annotated[
        str | None, typer.Option("--image", help="A photograph, by its path.", metavar="PATH")
    ] = None,
    files: CatalogOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Remove a person or a photograph from a lake completely, as when consent is withdrawn.

    Rows, maps, crops, embeddings and the rows of answers that name them go; answers over many
    people are out of date afterwards. Maps of the person's other images are made again. A file
    that stays in its folder joins the lake again with the next ingest.

    Example: python -m leamstore remove --identity Grace_Hopper --lake demo.lake
    """
    from leamstore.safety.removal import remove_identity, remove_photograph  # noqa: PLC0415

    if (identity is None) == (image is None):
        raise LakeError("name a person by --identity or a photograph by --image.")
    opened = Lake(lake)
    removal = remove_photograph(opened, image) if image else remove_identity(opened, str(identity))
    if as_json:
        print(json.dumps(asdict(removal), indent=2))
    else:
        console = Console(soft_wrap=True, highlight=False)
        for path in removal.paths:
            console.print(f"Removed {path}", markup=False)
        console.print("Delete the files, too, or the next ingest of their folder brings them back.")
    if removal.units:
        Console(stderr=True).print(
            f"Units of other images to be recomputed now: {removal.units}.", highlight=False
        )
        raise typer.Exit(_repair(lake, files))


def _repair(lake: str, files: list[Path] | None) -> int:
    return _ingest("repair", "--lake", str(lake), *_named(files))


def _ingest(module: str, *words: str) -> int:
    """Run a module of ingest as a separate program: this package imports nothing of ingest."""
    command = [sys.executable, "-m", f"ingest.{module}", *words]
    return subprocess.run(command, check=False).returncode


def _named(catalogs: list[Path] | None) -> list[str]:
    return [word for file in catalogs or [] for word in ("--catalog", str(file))]


def _print_faults(lake: str, faults: "list[Fault]", as_json: bool) -> None:
    if as_json:
        rows = [{"place": f.place, "problem": f.problem, "remedy": f.remedy} for f in faults]
        print(json.dumps(rows, indent=2))
        return
    console = Console(soft_wrap=True)
    for fault in faults:
        console.print(f"{fault.place}: {fault.problem}; {fault.remedy}.", markup=False)
    if not faults:
        console.print(f"{lake} is whole.")


@app.command()
def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write to.")],
    lake: LakeOption = _DEFAULT_LAKE,
    file_format: Annotated[
        str, typer.Option("--format", help="parquet or csv.", metavar="FORMAT")
    ] = "parquet",
    quiet: QuietOption = False,
    debug: DebugOption = False,
) -> None:
    """Write every table and view as a Parquet or csv file, the answers of analyses too."""
    paths = export_tables(Lake(lake), folder, file_format, quiet)
    if not quiet:
        Console().print(f"Tables and views written to {folder}: {len(paths)}")


@app.command(name="catalog")
def catalog_command(
    name: Annotated[
        str | None, typer.Argument(help="Entry of which all is shown; by default a line of each.")
    ] = None,
    layers: Annotated[
        bool,
        typer.Option("--layers", help="List a model's layers, with the sizes of their outputs."),
    ] = False,
    files: CatalogOption = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """List the models, parsers and data sets that are ready, and how to get the others.

    Example: python -m leamstore catalog AF_R50 --layers
    """
    from leamstore.catalog import read_catalog  # noqa: PLC0415
    from leamstore.catalog.description import overview  # noqa: PLC0415
    from leamstore.catalog.files import readiness  # noqa: PLC0415

    if layers:
        if name is None:
            raise LakeError("name the model whose layers are asked for.")
        raise typer.Exit(_ingest("layers", name, *_named(files), *["--json"] * as_json))
    known = read_catalog(*(files or []))
    if name is not None:
        _print_entry(known.entry(name), as_json)
    elif as_json:
        print(json.dumps([asdict(one) for one in readiness(known)], indent=2))
    else:
        console = Console()
        for line in overview(known):
            console.print(_text(line), no_wrap=True, overflow="ellipsis")
        console.print("All of an entry, and how to get it: python -m leamstore catalog NAME")


def _print_entry(entry: "Entry", as_json: bool) -> None:
    from leamstore.catalog.description import facts  # noqa: PLC0415
    from leamstore.catalog.files import readiness_of  # noqa: PLC0415

    state = readiness_of(entry)
    if as_json:
        print(json.dumps(asdict(state) | {"entry": entry.model_dump(mode="json")}, indent=2))
        return
    told: list[tuple[str, list[str]]] = [
        ("kind", [state.kind]),
        *facts(entry),
        ("state", [state.state]),
        ("what to do", [state.what_to_do]),
    ]
    width = max(len(label) for label, _ in told)
    console = Console(soft_wrap=True)
    for label, lines in told:
        for number, line in enumerate(lines):
            console.print(_text(f"{'' if number else label:{width}}  {line}"))


@app.command()
def schema() -> None:
    """Print the schema of a lake, table by table and array by array, in Markdown."""
    print(schema_page(), end="")


def _facts(lake: Lake) -> dict[str, Any]:
    counts = lake.sql(
        "SELECT count(*) AS found, count(image_id) AS kept, "
        "count(DISTINCT identity) FILTER (image_id IS NOT NULL) AS identities, "
        "list(DISTINCT dataset) AS datasets FROM images"
    )
    rejected = lake.sql(
        "SELECT reason, count(*) AS n FROM images WHERE status = 'rejected' GROUP BY 1 ORDER BY 1"
    )
    models = lake.sql(
        "SELECT model, weights, target, positives, precision, input_size, alignment, "
        "count(layer) AS layers FROM models LEFT JOIN layers USING (model) "
        "GROUP BY ALL ORDER BY model"
    )
    units = lake.sql(
        "SELECT model, count(*) AS units, sum(images)::BIGINT AS images, "
        "sum(pairs)::BIGINT AS pairs FROM units GROUP BY 1 ORDER BY 1"
    )
    return {
        "lake": str(lake.path),
        "bytes": lake.stored_bytes,
        "brands": brands(lake),
        "settings": dict(lake.sql("SELECT name, value FROM settings").iter_rows()),
        "images": counts.to_dicts()[0],
        "rejected": dict(rejected.iter_rows()),
        "models": models.to_dicts(),
        "units": units.to_dicts(),
    }


def _two_columns(title: str, facts: dict[str, Any]) -> RichTable:
    table = RichTable(title=title, title_justify="left", show_header=False)
    for name, value in facts.items():
        words = ", ".join(value) if isinstance(value, list) else str(value)
        table.add_row(_text(name), _text(words))
    return table


def _rich_table(title: str | None, rows: pl.DataFrame) -> RichTable:
    table = RichTable(title=title, title_justify="left")
    for name, kind in rows.schema.items():
        justify: Literal["right", "left"] = "right" if kind.is_numeric() else "left"
        table.add_column(_text(name), justify=justify, overflow="fold")
    for row in rows.iter_rows():
        table.add_row(*(_text(_cell(value)) for value in row))
    return table


def _text(words: str) -> Text:
    """Return what may hold names that look like markup, or worse."""
    return Text(shown(words))


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    run(app)
