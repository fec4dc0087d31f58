"""Verification of a lake: every fault with its place and remedy, and the repair.

A repair takes away all that is broken; the next ingest does again just what is then missing.
"""

from collections.abc import Container, Iterable, Iterator
from pathlib import Path
from typing import Final

import duckdb

from leamstore import arrays, schema, tables
from leamstore.arrays.blocks import blocks_of
from leamstore.catalog import Catalog
from leamstore.errors import LakeError, line_of
from leamstore.lake import Lake
from leamstore.safety.fault import Fault, Owners, Unit
from leamstore.safety.lock import ingest_lock
from leamstore.safety.recovery import PARTIAL, recover
from leamstore.safety.verify_arrays import ArrayCheck, array_checks
from leamstore.storage import Location
from leamstore.tables.ledger import (
    FACES,
    IMAGE_COLUMN,
    RETIRED,
    block_checksum,
    block_images,
    forget_units,
)


def verify(lake: Lake, catalog: Catalog | None = None) -> list[Fault]:
    """Check tables against keys and ledger, and arrays against tables; read every shard once.

    Parameters
    ----------
    catalog : Catalog, optional
        Catalog by which the models' weights are checked, too.
    """
    unreadable = [*_no_files(lake), *_unreadable_tables(lake)]
    if unreadable:
        return unreadable
    with lake.kept_open():
        if scattered := list(_scattered_identities(lake)):
            return scattered
        found = [*_ledger_against_images(lake), *_wrong_rows(lake)]
        found += _other_weights(lake, catalog) if catalog else ()
        found += _attributes_against_tables(lake)
        checks, owners = list(array_checks(lake)), Owners(lake)
    found += [fault for check in checks for fault in check.faults(owners)]
    found += _stray_files(lake, checks)
    return found or list(_trees_that_do_not_open(lake))


def remove_broken(lake: Lake, faults: Iterable[Fault]) -> set[Unit]:
    """Remove all that is broken from a lake: files, rows, and entries of the ledger.

    Returns
    -------
    set of Unit
        The units that an ingest has to do again.

    Raises
    ------
    LakeError
        If an ingest is at work on the lake.
    """
    faults = list(faults)
    shards = {block.first_shard: block.shards for block in blocks_of(lake.images)}
    units = {unit for fault in faults for unit in fault.units}
    with ingest_lock(lake.path):
        recover(lake)
        with tables.writing(lake.tables_path) as connection:
            forget_units(connection, units, shards)
        for fault in faults:
            for file in fault.files:
                file.unlink(missing_ok=True)
    return {(model, block) for model, block in units if block in shards}


def _no_files(lake: Lake) -> Iterator[Fault]:
    """Yield entries that must not be read in a lake from elsewhere: links, pipes, devices."""
    if not isinstance(lake.path, Path):
        return
    for file in sorted(lake.path.rglob("*")):
        place = file.relative_to(lake.path).as_posix()
        if file.is_symlink():
            problem, advice = f"it is a link to {file.readlink()}", "put there what it leads to"
            yield Fault(place, problem, advice=advice)
        elif not (file.is_file() or file.is_dir()):
            advice = "move it out of the lake"
            yield Fault(place, "it is neither a file nor a folder", advice=advice)


def _unreadable_tables(lake: Lake) -> Iterator[Fault]:
    queries = {
        table.name: f"SELECT bit_xor(hash(t)) FROM {table.name} AS t" for table in schema.TABLES
    }
    if _failure_of(lake, " UNION ALL ".join(queries.values())) is None:
        return
    for name, query in queries.items():
        if problem := _failure_of(lake, query):
            yield Fault(f"lake.duckdb, table {name}", f"it can't be read ({problem})")


def _failure_of(lake: Lake, query: str) -> str | None:
    try:
        lake.sql(query)
    except (duckdb.Error, LakeError) as error:
        return line_of(error)
    return None


_MOST_IMAGES: Final = 1_000_000
"""Images of one identity: a block takes memory by the span of its image_ids."""


def _scattered_identities(lake: Lake) -> Iterator[Fault]:
    """Yield identities whose images are not side by side, where every ingest puts them."""
    scattered = lake.sql(
        "SELECT identity FROM images GROUP BY identity "
        f"HAVING min(image_id) < 0 OR max(image_id)::BIGINT - min(image_id) > {_MOST_IMAGES} "
        "ORDER BY identity"
    )
    for (identity,) in scattered.iter_rows():
        yield Fault(f"images, {identity}", "its image_ids are far apart, or below 0")


def _ledger_against_images(lake: Lake) -> Iterator[Fault]:
    images = lake.images
    units = lake.sql("SELECT model, block, checksum FROM units")
    checksums = {
        block.first_shard: block_checksum(block_images(images, block))
        for block in blocks_of(images)
    }
    models = [FACES, *lake.sql("SELECT model FROM models ORDER BY model")["model"]]
    done = {(row["model"], row["block"]): row["checksum"] for row in units.to_dicts()}
    for model in models:
        for block, checksum in checksums.items():
            place = f"units, {model}, block {block}"
            if (model, block) not in done:
                yield Fault(place, "the unit is not done", ((model, block),))
            elif done[model, block] != checksum:
                yield Fault(place, "the unit was made from other images", ((model, block),))
    for model, block in sorted(done.keys() - {(m, b) for m in models for b in checksums}):
        problem = "images have left, and their maps are not cleared"
        if model != RETIRED:
            problem = "no such images"
        yield Fault(f"units, {model}, block {block}", problem, ((model, block),))


def _wrong_rows(lake: Lake) -> Iterator[Fault]:
    """Yield tables with rows that contradict their keys, the ledger or themselves, or lack some."""
    owners = Owners(lake)
    for table, problem, query in _queries_for_wrong_rows():
        rows = lake.sql(query)
        if rows.height:
            yield Fault(table, problem.format(rows.height), owners.of_rows(table, rows))


def _queries_for_wrong_rows() -> Iterator[tuple[str, str, str]]:
    """Yield a table, what is wrong with it, and the query for the rows in which it shows."""
    for spec in schema.TABLES:
        key = ", ".join(spec.key)
        query = f"SELECT {key} FROM {spec.name} GROUP BY {key} HAVING count(*) > 1"
        yield spec.name, f"keys ({key}) that occur more than once: {{}}", query
    for table, column in IMAGE_COLUMN.items():
        query = f"""
            SELECT model, {column} FROM {table} AS r
            WHERE NOT EXISTS (
                FROM units AS u WHERE u.model = r.model
                AND r.{column} // {_SHARD} BETWEEN u.block AND u.block + u.shards - 1)"""
        yield table, "rows that belong to no unit of the ledger: {}", query
    for table, query in _MISSING.items():
        yield table, "rows are missing", query
    total = " + ".join(f"coalesce({name}, 0)" for name in schema.REGION_NAMES)
    for table in ("pair_regions", "image_regions"):
        column = IMAGE_COLUMN[table]
        query = f"SELECT model, {column} FROM {table} WHERE {total} > coalesce(pixels, 0)"
        yield table, "rows that count more region pixels than pixels: {}", query
    infinite = "SELECT model, anchor FROM pairs WHERE NOT isfinite(cosine)"
    yield "pairs", "cosines that are not finite: {}", infinite


_SHARD: Final = arrays.SHARD_IMAGES
_MISSING: Final = {
    "embeddings": f"""
        SELECT u.model, any_value(u.block) * {_SHARD} AS image_id
        FROM units AS u LEFT JOIN embeddings AS e ON e.model = u.model
        AND e.image_id // {_SHARD} BETWEEN u.block AND u.block + u.shards - 1
        WHERE u.model IN (SELECT model FROM models)
        GROUP BY u.model, u.block HAVING count(e.image_id) < any_value(u.images)""",
    "pairs": f"""
        WITH sizes AS (
            SELECT model, identity, count(*) AS size
            FROM embeddings JOIN images USING (image_id) GROUP BY ALL),
        expected AS (
            SELECT model, image_id // {_SHARD} AS shard, sum(size - 1) AS n
            FROM embeddings JOIN images USING (image_id) JOIN sizes USING (model, identity)
            GROUP BY ALL),
        found AS (SELECT model, anchor // {_SHARD} AS shard, count(*) AS n FROM pairs GROUP BY ALL)
        SELECT model, shard * {_SHARD} AS anchor FROM expected AS e
        LEFT JOIN found AS f USING (model, shard) WHERE coalesce(f.n, 0) < e.n""",
    "pair_regions": f"""
        WITH expected AS (
            SELECT model, layer, activation, anchor // {_SHARD} AS shard, count(*) AS n
            FROM pairs JOIN layers USING (model) JOIN models USING (model)
            CROSS JOIN (SELECT unnest(['full', 'top']) AS activation)
            WHERE positives = 'all' GROUP BY ALL),
        found AS (
            SELECT model, layer, activation, anchor // {_SHARD} AS shard, count(*) AS n
            FROM pair_regions GROUP BY ALL)
        SELECT model, shard * {_SHARD} AS anchor FROM expected AS e
        LEFT JOIN found AS f USING (model, layer, activation, shard)
        WHERE coalesce(f.n, 0) < e.n""",
    "image_regions": f"""
        WITH expected AS (
            SELECT model, layer, percent, image_id // {_SHARD} AS shard, count(*) AS n
            FROM embeddings
            JOIN (SELECT DISTINCT model, layer, percent FROM image_regions) USING (model)
            GROUP BY ALL),
        found AS (
            SELECT model, layer, percent, image_id // {_SHARD} AS shard, count(*) AS n
            FROM image_regions GROUP BY ALL)
        SELECT model, shard * {_SHARD} AS image_id FROM expected AS e
        LEFT JOIN found AS f USING (model, layer, percent, shard) WHERE coalesce(f.n, 0) < e.n""",
}
"""Queries for the model and an image of each shard in which a table lacks rows."""


def _other_weights(lake: Lake, catalog: Catalog) -> Iterator[Fault]:
    """Yield models that bear a catalog's name and were run with other weights than it states."""
    for model in lake.sql("FROM models ORDER BY model").to_dicts():
        entry = catalog.models.get(model["catalog_name"])
        stated = entry.weights.sha256 if entry and entry.weights else None
        found = model["weights_sha256"]
        if stated and found and stated != found:
            yield Fault(
                f"models, {model['model']}",
                f"it was run with {model['weights']} (sha256 {found}), and the catalog knows "
                f"other weights by this name (sha256 {stated})",
                advice="ingest into another lake, or give those weights a name in a catalog",
            )


def _attributes_against_tables(lake: Lake) -> Iterator[Fault]:
    root = arrays.open_root(lake.maps_path)
    layers = lake.sql(
        "SELECT model, layer, stride, layers.offset, input_size, target, positives, weights "
        "FROM layers JOIN models USING (model) ORDER BY model, position"
    )
    for row in layers.to_dicts():
        name = f"{row.pop('model')}/{row.pop('layer')}"
        try:
            attributes = dict(root[name].attrs) if name in root else {}
        except Exception as error:  # broken metadata can make their reader raise anything
            yield Fault(f"maps.zarr/{name}/zarr.json", f"it can't be read ({line_of(error)})")
            continue
        for key in attributes.keys() & row.keys():
            if attributes[key] != row[key]:
                yield Fault(
                    f"maps.zarr/{name}",
                    f"its maps were made with {key} {attributes[key]}, "
                    f"and the tables say {row[key]}",
                )


def _trees_that_do_not_open(lake: Lake) -> Iterator[Fault]:
    for store in (lake.maps_path, lake.faces_path):
        try:
            arrays.open_tree(store)
        except LakeError as error:
            yield Fault(store.name, f"xarray can't open it ({line_of(error.__cause__ or error)})")


def _stray_files(lake: Lake, checks: Iterable[ArrayCheck]) -> Iterator[Fault]:
    """Yield files of the Zarr stores that belong to no array of the tables."""
    known: dict[Location, set[str]] = {lake.maps_path: set(), lake.faces_path: set()}
    for check in checks:
        known[check.store].add(check.path)
    for store, names in known.items():
        # An object store holds no half-written object, and a listing of all would be long.
        if isinstance(store, Path):
            for file in sorted(store.rglob("*")):
                if file.is_file() and file.name != "zarr.json":
                    yield from _stray_file(store, file, names)


def _stray_file(store: Path, file: Path, names: Container[str]) -> Iterator[Fault]:
    path = file.relative_to(store).as_posix()
    place = f"{store.name}/{path}"
    array, _, shard = path.partition("/c/")
    if file.name.endswith(PARTIAL):
        yield Fault(place, "it was being written", files=(file,))
    elif array not in names:
        advice = "the next ingest clears it if one was cut short; else move it out of the lake"
        yield Fault(place, "it belongs to no array of the tables", advice=advice)
    elif not all(part.isdecimal() for part in shard.split("/")):
        yield Fault(place, "it is no shard", files=(file,))
