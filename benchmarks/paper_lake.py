"""A lake of the paper's size, built by repeating a small lake's people under nine models.

Tables get all their rows; arrays get their full length, whose shards are links to the small
lake's: what is read is real, and takes room on the disk once.
"""

import shutil
from pathlib import Path
from typing import Final

import duckdb

from leamstore import arrays, schema, tables
from leamstore.arrays import SHARD_IMAGES
from leamstore.lake import Lake, face_arrays

MODELS: Final = (
    "AF_R18", "AF_R50", "AF_R100", "CF_R18", "CF_R50", "CF_R100", "IR_CASIA", "VGG_16", "DLIB_R29",
)  # fmt: skip
"""Nine names: the small lake's own model is the last one, the others are that one again."""

IMAGES: Final = 13_445
"""Images of the paper."""

_COUNTED: Final = ("pair_regions", "image_regions")


def repeat_lake(small: Lake, path: Path, images: int = IMAGES) -> Lake:
    """Make a lake of `images` at least out of one of a single shard and of the last of `MODELS`.

    Each copy of the small lake's people has names, images and a shard of its own. Regions that
    its parser can't see count as often as the nose, so that all columns hold numbers.
    """
    shutil.copytree(str(small.path), path)
    large = Lake(path)
    copies, keep_pairs = -(-images // small.images.height), small.settings.keep_pairs
    with tables.writing(large.tables_path) as connection:
        connection.execute(
            "CREATE TEMP TABLE copies AS SELECT range::INTEGER AS copy FROM range(?)", [copies]
        )
        connection.execute("CREATE TEMP TABLE names AS SELECT unnest(?) AS name", [list(MODELS)])
        names = connection.sql("SELECT table_name FROM duckdb_tables() WHERE NOT temporary")
        for (name,) in names.fetchall():
            _repeat_table(connection, name, keep_pairs)
    _lengthen_arrays(large, copies)
    return large


def _repeat_table(connection: duckdb.DuckDBPyConnection, name: str, keep_pairs: int) -> None:
    """Put into a table its rows again for each copy and model, as far as it tells them apart."""
    columns = [row[0] for row in connection.execute(f'DESCRIBE "{name}"').fetchall()]
    new = {column: text for column, text in _renamed(keep_pairs).items() if column in columns}
    if name in _COUNTED:
        new |= {region: f"coalesce({region}, nose)" for region in schema.REGION_NAMES}
    sources = {"copy": "copies", "models.name": "names AS models", "guides.name": "names AS guides"}
    used = [source for key, source in sources.items() if key in " ".join(new.values())]
    if not used:
        return
    own = f"WHERE model = '{MODELS[-1]}'" if "model" in columns else ""
    replaced = ", ".join(f'{text} AS "{column}"' for column, text in new.items())
    connection.execute(f'CREATE TEMP TABLE small AS FROM "{name}" {own}')
    connection.execute(f'DELETE FROM "{name}"')
    connection.execute(
        f'INSERT INTO "{name}" SELECT small.* REPLACE ({replaced}) '
        f"FROM {', '.join(['small', *used])}"
    )
    connection.execute("DROP TABLE small")


def _renamed(keep_pairs: int) -> dict[str, str]:
    """Return what becomes of the columns that tell people, images and models apart."""
    image = f"+ {SHARD_IMAGES} * copy"
    return {
        "model": "models.name",
        "judged": "models.name",
        "guiding": "guides.name",
        "identity": "concat(small.identity, '_', copy)",
        "path": "concat(copy, '/', small.path)",
        "image_id": f"small.image_id {image}",
        "anchor": f"small.anchor {image}",
        "positive": f"small.positive {image}",
        "pair_id": f"small.pair_id {image} * {keep_pairs}",
        "block": "small.block + copy",
    }


def _lengthen_arrays(lake: Lake, copies: int) -> None:
    keep_pairs = lake.settings.keep_pairs
    layers = lake.sql("SELECT layer, height, width FROM layers WHERE model = ?", [MODELS[-1]])
    for layer, height, width in layers.iter_rows():
        attributes = dict(arrays.open_root(lake.maps_path)[f"{MODELS[-1]}/{layer}"].attrs)
        arrays.require_layer(
            lake.maps_path, MODELS[-1], layer, (height, width), attributes,
            shards=copies, keep_pairs=keep_pairs,
        )  # fmt: skip
    arrays.require_faces(lake.faces_path, face_arrays(lake.settings), copies)
    for store in (lake.maps_path, lake.faces_path):
        for shard in Path(str(store)).rglob("c/0"):
            for copy in range(1, copies):
                shard.with_name(str(copy)).symlink_to(shard.name)
    for name in MODELS[:-1]:
        Path(str(lake.maps_path), name).symlink_to(MODELS[-1])
