import itertools
from functools import partial

import numpy as np
import polars as pl
import pytest

from analyses.work import Work
from leamstore import arrays, schema, tables
from leamstore.arrays.blocks import Block
from leamstore.lake import Lake, LakeSettings
from leamstore.poses import CANONICAL, INNER
from leamstore.tables import ledger

PIXELS = 1000
LAYERS = ("conv1", "layer1.0.conv1")


silent = Work()
"""Work of a test: in threads, without progress."""


def shares(**percents):
    """Every region's share in %, the face having what is left; no more than one decimal."""
    return dict.fromkeys(schema.REGION_NAMES, 0.0) | percents | {
        "face": 100.0 - sum(percents.values())
    }  # fmt: skip


def rows_of(table, rows):
    """Rows of a table of the schema, NULL or x where a test doesn't care."""
    filler = {
        column.name: None if column.nullable else {"VARCHAR": "x"}.get(column.type, 1)
        for column in schema.table(table).columns
    }
    return pl.DataFrame([filler | row for row in rows], infer_schema_length=None)


def pixel_counts(percents, seen, pixels=PIXELS):
    counts = {name: round(share * pixels / 100) for name, share in percents.items()}
    return {name: counts[name] if name in seen else None for name in counts} | {"pixels": pixels}


def plant(
    path,
    people,
    shares_of,
    *,
    images=3,
    models=("NET",),
    layers=LAYERS,
    seen=schema.REGION_NAMES,
    parser="farl",
    dataset="test",
    weights="weights.pth",
    pairs=True,
):
    """Make a lake whose region shares are planted.

    Of people: {identity: {"gender": ..., ...}}; of shares_of(identity, image number, layer,
    activation or percent): the shares of a map in %; of seen: the regions of the parser.
    """
    lake = Lake.create(path, LakeSettings(parser, 0, False, 0))
    kept = [
        {"image_id": image_id, "identity": identity, "dataset": dataset, "status": "kept",
         "path": f"{identity}/{number}.jpg", "sha256": str(image_id), "number": number,
         **people[identity]}
        for image_id, (identity, number) in enumerate(itertools.product(people, range(images)))
    ]  # fmt: skip
    of_images = rows_of("images", kept).drop("number")
    block = Block(0, -(-len(kept) // 64))
    in_block = ledger.block_images(of_images, block)
    with tables.writing(lake.tables_path) as connection:
        tables.append(connection, "images", of_images)
        tables.append(
            connection,
            "models",
            rows_of("models", [
                {"model": model, "weights": weights, "embedding_size": 2,
                 "weights_sha256": None if weights.startswith("random") else "5e"}
                for model in models
            ]),
        )  # fmt: skip
        tables.append(
            connection,
            "layers",
            rows_of("layers", [
                {"model": model, "layer": layer, "position": position}
                for model in models
                for position, layer in enumerate(layers)
            ]),
        )  # fmt: skip
        for model in models:
            unit = {"image_regions": image_rows(model, layers, kept, shares_of, seen)}
            if pairs:
                unit["pair_regions"] = pair_rows(model, layers, kept, shares_of, seen)
            ledger.commit_unit(connection, model, block, in_block, unit, "run")
    return lake


@pytest.fixture
def make_lake(tmp_path):
    """Make a lake whose region shares are planted, as `plant` does."""
    return partial(plant, tmp_path / "planted.lake")


def pair_rows(model, layers, kept, shares_of, seen):
    return pl.DataFrame([
        {"model": model, "layer": layer, "anchor": anchor["image_id"],
         "positive": positive["image_id"], "activation": activation,
         "percent": 1.0 if activation == "top" else None, "peak": 1.0,
         **pixel_counts(
             shares_of(anchor["identity"], anchor["number"], layer, activation), seen)}
        for layer in layers
        for anchor, positive in itertools.permutations(kept, 2)
        if anchor["identity"] == positive["identity"]
        for activation in ("full", "top")
    ], infer_schema_length=None)  # fmt: skip


def image_rows(model, layers, kept, shares_of, seen):
    return pl.DataFrame([
        {"model": model, "layer": layer, "image_id": image["image_id"], "percent": percent,
         **pixel_counts(shares_of(image["identity"], image["number"], layer, percent), seen)}
        for layer in layers
        for image in kept
        for percent in (0.1, 1.0, 100.0)
    ], infer_schema_length=None)  # fmt: skip


@pytest.fixture
def generator():
    return np.random.default_rng(0)


def give_faces(lake):
    """Give a planted lake crops, labels and maps: 4 x 4 cells over a chip of 8 pixels."""
    images = lake.images["image_id"].to_list()
    shards = -(-len(images) // arrays.SHARD_IMAGES)
    slots = shards * arrays.SHARD_IMAGES
    parser = lake.settings.parser
    layers = lake.sql("SELECT model, layer FROM layers").rows()
    models = list(dict.fromkeys(model for model, _ in layers))
    affine = [[64.0, 0.0, 31.5], [0.0, 64.0, 31.5]]
    with tables.writing(lake.tables_path) as connection:
        connection.execute("UPDATE settings SET value = 'True' WHERE name = 'crops'")
        connection.execute("UPDATE models SET input_size = 8, alignment = 'crop'")
        connection.execute('UPDATE layers SET height = 4, width = 4, stride = 2, "offset" = 0.5')
        for affine_to in ("crop_to_image", "crop_to_identity", "crop_to_canonical"):
            connection.execute(
                f"UPDATE images SET {affine_to} = [[1, 0, 0], [0, 1, 0]]::DOUBLE[3][2]"
            )
        landmarks = np.zeros((68, 2))
        landmarks[INNER] = CANONICAL
        connection.execute("UPDATE images SET landmarks = ?::DOUBLE[2][68]", [landmarks.tolist()])
        tables.append(connection, "embeddings", pl.DataFrame([
            {"model": model, "image_id": image, "vector": [1.0, 0.0], "chip_to_crop": affine}
            for model in models for image in images
        ]))  # fmt: skip
    arrays.require_faces(lake.faces_path, ["crop", f"labels/{parser}"], shards)
    crops = np.full((slots, schema.GRID, schema.GRID, 3), 120, np.uint8)
    arrays.write_shards(lake.faces_path, "crop", 0, crops)
    labels = np.full(crops.shape[:3], schema.LABELS["nose"], np.uint8)
    arrays.write_shards(lake.faces_path, f"labels/{parser}", 0, labels)
    maps = np.random.default_rng(0).random((slots, 4, 4)).astype(np.float16)
    for model, layer in layers:
        arrays.require_layer(lake.maps_path, model, layer, (4, 4), {}, shards=shards, keep_pairs=0)
        arrays.write_shards(lake.maps_path, f"{model}/{layer}/relevance", 0, maps)
    return lake
