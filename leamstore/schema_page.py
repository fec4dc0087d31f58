"""The lake's format as a page of Markdown, written from the schema."""

from leamstore import schema


def schema_page() -> str:
    """Return ``docs/schema.md``: every table, column, view, array and region with its meaning."""
    lines = ["# What a lake holds", "", f"Format version {schema.FORMAT_VERSION}.", "", "## Tables"]
    for table in schema.TABLES:
        lines += [
            "",
            f"### {table.name}",
            "",
            f"A row is {table.row}. Key: {_names(table.key)}.",
            "",
        ]
        lines += ["| column | type | meaning |", "| --- | --- | --- |"]
        lines += [
            f"| {column.name} | {_code(column.type)} | {column.meaning} |"
            for column in table.columns
        ]
    for view in schema.VIEWS:
        lines += ["", f"### {view.name} (view)", "", f"A row is {view.row}."]
    for store, arrays in (("maps.zarr", schema.MAP_ARRAYS), ("faces.zarr", schema.FACE_ARRAYS)):
        lines += ["", f"## Arrays of {store}", ""]
        lines += [
            "| array | dimensions | dtype | units | meaning |",
            "| --- | --- | --- | --- | --- |",
        ]
        lines += [
            f"| {_code(array.path)} | {_names(array.dims)} | {array.dtype} | {array.units} "
            f"| {array.meaning} |"
            for array in arrays
        ]
    lines += ["", "## Regions", "", "| label | region | FaRL's name | meaning |"]
    lines += ["| --- | --- | --- | --- |"]
    lines += [
        f"| {label} | {region.name} | {region.farl_name} | {region.meaning} |"
        for label, region in enumerate(schema.REGIONS)
    ]
    lines += ["", "## Why an image is rejected", "", "| reason | meaning |", "| --- | --- |"]
    lines += [f"| {reason} | {meaning} |" for reason, meaning in schema.REJECTIONS.items()]
    return "\n".join(lines) + "\n"


def _names(names: tuple[str, ...]) -> str:
    return ", ".join(names)


def _code(text: str) -> str:
    return f"`{text}`"
