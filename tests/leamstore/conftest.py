import shutil

import numpy as np
import polars as pl
import pytest

from leamstore import arrays, schema, tables
from leamstore.arrays.blocks import Block
from leamstore.lake import Lake, LakeSettings
from leamstore.tables import ledger
from tests.made_once import made_once
from tests.s3_host import S3Host

SETTINGS = LakeSettings(parser="landmarks", keep_pairs=1, crops=True, seed=0)
IMAGES = {0: "Ada", 1: "Ada", 2: "Bea", 3: "Bea"}
LAYERS = {"conv1": (4, 2.0, 0.5), "conv2": (2, 4.0, 1.5)}


def image_rows():
    rows = []
    for image_id, identity in IMAGES.items():
        row = {column.name: None for column in schema.table("images").columns}
        row |= {
            "image_id": image_id,
            "identity": identity,
            "dataset": "test",
            "path": f"{identity}/{image_id}.jpg",
            "sha256": str(image_id),
            "gender": "female",
            "status": "kept",
        }
        rows.append(row)
    return pl.DataFrame(rows, infer_schema_length=None)


def map_of(image_id, size):
    """A map whose every cell says which image it is."""
    return np.full((size, size), (image_id + 1) / 8, np.float16)


def unit_rows(model):
    embeddings = pl.DataFrame({
        "model": model,
        "image_id": list(IMAGES),
        "vector": [[1.0, float(image_id)] for image_id in IMAGES],
        "chip_to_crop": [np.eye(2, 3).tolist()] * len(IMAGES),
    })  # fmt: skip
    pairs = pl.DataFrame({
        "model": model,
        "anchor": [0, 1, 2, 3],
        "positive": [1, 0, 3, 2],
        "cosine": 0.5,
        "pair_id": [0, 1, 2, 3],
    })  # fmt: skip
    counts = {name: pl.lit(None, pl.Int32) for name in schema.REGION_NAMES}
    regions = pl.DataFrame({"image_id": list(IMAGES)}).with_columns(
        model=pl.lit(model),
        layer=pl.lit("conv1"),
        percent=pl.lit(1.0),
        pixels=pl.lit(2621),
        **counts | {"nose": pl.lit(1000), "face": pl.lit(500)},
    )
    return {"embeddings": embeddings, "pairs": pairs, "image_regions": regions}


def small_lake(path):
    """A small lake, made by the functions with which ingest makes large ones."""
    lake = Lake.create(path, SETTINGS)
    block = Block(0, 1)
    with tables.writing(lake.tables_path) as connection:
        tables.append(connection, "images", image_rows())
        model = {column.name: "x" for column in schema.table("models").columns}
        model |= {"model": "NET", "input_size": 8, "embedding_size": 2}
        tables.append(connection, "models", pl.DataFrame([model]))
        layers = [
            {"model": "NET", "layer": layer, "position": position, "height": size, "width": size,
             "channels": 1, "stride": stride, "offset": offset}
            for position, (layer, (size, stride, offset)) in enumerate(LAYERS.items())
        ]  # fmt: skip
        tables.append(connection, "layers", pl.DataFrame(layers))
    arrays.require_faces(lake.faces_path, ["crop", "labels/landmarks"], shards=1)
    labels = np.zeros((arrays.SHARD_IMAGES, schema.GRID, schema.GRID), np.uint8)
    labels[: len(IMAGES)] = schema.LABELS["nose"]
    arrays.write_shards(lake.faces_path, "labels/landmarks", 0, labels)
    arrays.write_shards(lake.faces_path, "crop", 0, labels[..., None].repeat(3, -1))
    for layer, (size, _, _) in LAYERS.items():
        arrays.require_layer(lake.maps_path, "NET", layer, (size, size), {}, shards=1, keep_pairs=1)
        maps = np.full((arrays.SHARD_IMAGES, size, size), np.nan, np.float16)
        maps[: len(IMAGES)] = np.stack([map_of(image_id, size) for image_id in IMAGES])
        for name in ("relevance", "pair_relevance"):
            arrays.write_shards(lake.maps_path, f"NET/{layer}/{name}", 0, maps)
        for name in ("peak", "pair_peak"):
            arrays.write_shards(lake.maps_path, f"NET/{layer}/{name}", 0, maps[:, 0, 0])
        for name, column in (("anchor", [0, 1, 2, 3]), ("positive", [1, 0, 3, 2])):
            ids = np.full(arrays.SHARD_IMAGES, -1, np.int32)
            ids[: len(IMAGES)] = column
            arrays.write_shards(lake.maps_path, f"NET/{layer}/{name}", 0, ids)
    images = ledger.block_images(lake.images, block)
    with tables.writing(lake.tables_path) as connection:
        ledger.commit_unit(connection, ledger.FACES, block, images, {}, "run")
        ledger.commit_unit(connection, "NET", block, images, unit_rows("NET"), "run")
    return lake


@pytest.fixture(scope="session")
def original(tmp_path_factory):
    """The path of the small lake of which each test gets a copy."""
    folder = made_once(tmp_path_factory, "small", lambda folder: small_lake(folder / "test.lake"))
    return folder / "test.lake"


@pytest.fixture
def lake(original, tmp_path):
    return Lake(shutil.copytree(original, tmp_path / "test.lake"))


@pytest.fixture(scope="package")
def host():
    """An object store with the bucket ``lakes``."""
    with S3Host() as host:
        host.make_bucket("lakes")
        yield host


@pytest.fixture
def bucket(host, tmp_path, monkeypatch):
    """The address of an empty prefix, with the settings that open it."""
    for name, value in host.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path / "cache"))
    return f"s3://lakes/{tmp_path.name}"


@pytest.fixture(scope="package")
def stored(host, tmp_path_factory):
    """The address of the small lake in an object store, which tests only read."""
    with pytest.MonkeyPatch.context() as settings:
        for name, value in host.environment.items():
            settings.setenv(name, value)
        settings.setenv("LEAM_CACHE", str(tmp_path_factory.mktemp("cache")))
        return str(small_lake("s3://lakes/shared/test.lake").path)


@pytest.fixture
def stored_lake(stored, bucket):
    return Lake(stored)
