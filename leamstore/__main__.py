"""``python -m leamstore``: look into a lake, ask it, check it, take it elsewhere."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import duckdb
import polars as pl
import typer
from rich.console import Console
from rich.table import Table as RichTable

from leamstore import cache
from leamstore.brands import brands
from leamstore.catalog import read_catalog
from leamstore.commandline import DebugOption, JsonOption, LakeOption, QuietOption, run
from leamstore.errors import LakeError
from leamstore.export import export_tables
from leamstore.lake import Lake
from leamstore.schema_page import schema_page
from leamstore.verify import forget_broken_units, verify

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
_DEFAULT_LAKE = Path("lake")


@app.command()
def info(
    lake: LakeOption = _DEFAULT_LAKE, as_json: JsonOption = False, debug: DebugOption = False
) -> None:
    """Say what the lake holds: images, models, layers, sizes."""
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
    debug: DebugOption = False,
) -> None:
    """Ask the lake's tables; read-only, without access to other files.

    Example: python -m leamstore sql "SELECT model, layer, avg(nose * 100.0 / pixels) AS nose
    FROM pair_regions WHERE activation = 'top' GROUP BY ALL"
    """
    try:
        rows = Lake(lake).sql(sys.stdin.read() if query == "-" else query)
    except duckdb.Error as error:
        raise LakeError(f"DuckDB refuses the query: {error}") from error
    if as_json:
        print(json.dumps(rows.to_dicts(), default=str))
    elif as_csv:
        print(rows.write_csv(), end="")
    else:
        Console().print(_rich_table(None, rows))


@app.command(name="verify")
def verify_command(
    lake: LakeOption = _DEFAULT_LAKE,
    repair: Annotated[
        bool,
        typer.Option("--repair", help="Strike broken units off, so that ingest does them again."),
    ] = False,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Check the whole lake and list every finding with its place and remedy."""
    opened = Lake(lake)
    with Console(stderr=True).status("Reading every shard"):
        findings = verify(opened)
    if as_json:
        rows = [{"place": f.place, "problem": f.problem, "remedy": f.remedy} for f in findings]
        print(json.dumps(rows, indent=2))
    else:
        console = Console(soft_wrap=True)
        for finding in findings:
            console.print(f"{finding.place}: {finding.problem}; {finding.remedy}.", markup=False)
        if not findings:
            console.print(f"{lake} is whole.")
    if repair and findings:
        count = forget_broken_units(opened, findings)
        Console(stderr=True).print(f"{count} units struck off; run the same ingest again.")
    if findings:
        raise typer.Exit(1)


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
    """Write every table as a Parquet or csv file."""
    paths = export_tables(Lake(lake), folder, file_format, quiet)
    if not quiet:
        Console().print(f"{len(paths)} tables in {folder}")


@app.command(name="catalog")
def catalog_command(
    files: Annotated[
        list[Path] | None,
        typer.Option("--catalog", help="A catalog of yours, beside the built-in one."),
    ] = None,
    as_json: JsonOption = False,
    debug: DebugOption = False,
) -> None:
    """Say which models, parsers and data sets are ready, and how to get the others."""
    rows = [vars(one) for one in cache.readiness(read_catalog(*(files or [])))]
    if as_json:
        print(json.dumps(rows, indent=2))
    else:
        Console().print(_rich_table(None, pl.DataFrame(rows)))


@app.command()
def schema() -> None:
    """Print what a lake holds, table by table and array by array, in Markdown."""
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
        "bytes": sum(file.stat().st_size for file in lake.path.rglob("*") if file.is_file()),
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
        table.add_row(name, ", ".join(value) if isinstance(value, list) else str(value))
    return table


def _rich_table(title: str | None, rows: pl.DataFrame) -> RichTable:
    table = RichTable(title=title, title_justify="left")
    for name, kind in rows.schema.items():
        table.add_column(name, justify="right" if kind.is_numeric() else "left", overflow="fold")
    for row in rows.iter_rows():
        table.add_row(*(_cell(value) for value in row))
    return table


def _cell(value: object) -> str:
    if value is None:
        return "-"
    return f"{value:.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    run(app)
