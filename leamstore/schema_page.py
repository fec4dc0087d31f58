"""The lake's format as a page of Markdown, written from the schema."""

from collections.abc import Iterable

from leamstore import schema


def schema_page() -> str:
    """Return ``docs/schema.md``: every table, column, view, array and region with its meaning."""
    lines = ["# What a lake holds", "", f"Format version {schema.FORMAT_VERSION}.", "", "## Tables"]
    for table in schema.TABLES:
        row = f"A row is {table.row}. Key: {', '.join(table.key)}."
        lines += ["", f"### {table.name}", "", row, ""]
        columns = [(one.name, f"`{one.type}`", one.meaning) for one in table.columns]
        lines += _table(("column", "type", "meaning"), columns)
    for view in schema.VIEWS:
        lines += ["", f"### {view.name} (view)", "", f"A row is {view.row}."]
    for store, arrays in (("maps.zarr", schema.MAP_ARRAYS), ("faces.zarr", schema.FACE_ARRAYS)):
        lines += ["", f"## Arrays of {store}", ""]
        rows = [
            (f"`{one.path}`", ", ".join(one.dims), one.dtype, one.units, one.meaning)
            for one in arrays
        ]
        lines += _table(("array", "dimensions", "dtype", "units", "meaning"), rows)
    regions = [(str(n), *vars(region).values()) for n, region in enumerate(schema.REGIONS)]
    lines += ["", "## Regions", ""]
    lines += _table(("label", "region", "FaRL's name", "meaning"), regions)
    lines += ["", "## Why an image is rejected", ""]
    lines += _table(("reason", "meaning"), schema.REJECTIONS.items())
    return "\n".join(lines) + "\n"


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    lines = [header, ("---",) * len(header), *rows]
    return [f"| {' | '.join(cells)} |" for cells in lines]
