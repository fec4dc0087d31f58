"""Lakes of planted faces and maps for what is run again on them, with networks of a line."""

from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from leamstore import arrays, schema, tables
from leamstore.arrays.blocks import Block
from leamstore.catalog import Model
from leamstore.lake import Lake, LakeSettings
from leamstore.poses import CANONICAL, INNER
from leamstore.tables import ledger
from tests.analyses.conftest import rows_of

SIZE = 16
PEOPLE = 8
IMAGES = 3
MODELS = ("NET", "IR_CASIA")


class Patches(nn.Module):
    """Embeds a chip as the mean brightness of its 4 x 4 patches of 4 x 4 pixels."""

    def __init__(self):
        super().__init__()
        self.pool = nn.AvgPool2d(4)

    def forward(self, chips):
        return self.pool(chips.mean(1, keepdim=True)).flatten(1)


class Colours(nn.Module):
    """Embeds a chip as its mean colour, wherever on the chip it comes from."""

    def forward(self, chips):
        return chips.mean((2, 3))


def patch(place):
    rows, columns = divmod(place, 4)
    return np.s_[4 * rows : 4 * rows + 4, 4 * columns : 4 * columns + 4]


def planted(relevant_patch, people=PEOPLE):
    """Chips on which each person has a bright patch of their own, and maps of a chosen patch."""
    generator = np.random.default_rng(0)
    count = people * IMAGES
    chips = generator.integers(10, 40, (count, SIZE, SIZE, 3)).astype(np.uint8)
    maps = np.zeros((count, SIZE, SIZE), np.float16)
    for image in range(count):
        chips[image][patch(image // IMAGES)] = 250
        maps[image][patch(relevant_patch(image // IMAGES, image % IMAGES))] = 1
    return chips, maps


def vectors_of(chips):
    """What `Patches` makes of chips, worked out without it."""
    return chips.reshape(-1, 4, 4, 4, 4, 3).mean((2, 4, 5)).reshape(-1, 16)


def cosine(first, second):
    return first @ second / np.linalg.norm(first) / np.linalg.norm(second)


@dataclass(frozen=True)
class Faces:
    """A lake's planted chips and maps, and what else is said of its images."""

    chips: np.ndarray
    maps: np.ndarray
    network: type[nn.Module] = Patches
    stated: tuple[dict, ...] = ()
    crops: bool = True
    models: tuple[str, ...] = MODELS


def entry_of(name, network):
    """The entry by which a lake runs a class of these tests again, as JSON."""
    return Model(
        name=name,
        network=f"{network.__module__}:{network.__qualname__}",
        family="x", loss="x", trained_on="x", weights=None, input_size=SIZE, alignment="crop",
        colour_order="RGB", mean=(0, 0, 0), std=(1, 1, 1), embedding_size=16, layers=("conv1",),
        citation="x",
    ).model_dump_json()  # fmt: skip


def make_faces_lake(folder, faces):
    """Make a lake of planted faces, of models that are all the one network."""
    lake = Lake.create(folder / "planted.lake", LakeSettings("landmarks", 0, faces.crops, 0))
    scale = schema.GRID // SIZE
    block, padding = Block(0, 1), [(0, arrays.SHARD_IMAGES - len(faces.chips))]
    if faces.crops:
        crops = faces.chips.repeat(scale, axis=1).repeat(scale, axis=2)
        arrays.require_faces(lake.faces_path, ["crop"], shards=1)
        arrays.write_shards(lake.faces_path, "crop", 0, np.pad(crops, padding + [(0, 0)] * 3))
    vectors = faces.network()(torch.from_numpy(faces.chips).permute(0, 3, 1, 2).float()).tolist()
    stored = np.pad(faces.maps, padding + [(0, 0)] * 2, constant_values=np.nan)
    for model in faces.models:
        arrays.require_layer(
            lake.maps_path, model, "conv1", (SIZE, SIZE), {}, shards=1, keep_pairs=0
        )
        arrays.write_shards(lake.maps_path, f"{model}/conv1/relevance", 0, stored)
    with tables.writing(lake.tables_path) as connection:
        own = ledger.block_images(_write_tables(connection, faces), block)
        for model in faces.models:
            embeddings = rows_of("embeddings", [
                {"model": model, "image_id": i, "vector": vector,
                 "chip_to_crop": np.eye(2, 3).tolist()}
                for i, vector in enumerate(vectors)
            ])  # fmt: skip
            ledger.commit_unit(connection, model, block, own, {"embeddings": embeddings}, "run")
    return lake


def _write_tables(connection, faces):
    """Write all tables but the embeddings, and return the images."""
    landmarks = np.zeros((68, 2))
    landmarks[INNER] = CANONICAL
    images = [
        {"image_id": i, "identity": f"person {i // IMAGES}", "path": f"gone/{i}.jpg",
         "sha256": str(i), "status": "kept", "landmarks": landmarks.tolist(),
         "bytes": 1, "modified": 1, "crop_to_image": np.eye(2, 3).tolist(),
         **(faces.stated[i] if faces.stated else {})}
        for i in range(len(faces.chips))
    ]  # fmt: skip
    rows = rows_of("images", images)
    tables.append(connection, "images", rows)
    tables.append(connection, "models", rows_of("models", [
        {"model": model, "input_size": SIZE, "alignment": "crop", "embedding_size": 16,
         "catalog_name": model, "entry": entry_of(model, faces.network)}
        for model in faces.models
    ]))  # fmt: skip
    tables.append(connection, "layers", rows_of("layers", [
        {"model": model, "layer": "conv1", "position": 0, "height": SIZE, "width": SIZE,
         "channels": 1, "stride": 1.0, "offset": 0.0}
        for model in faces.models
    ]))  # fmt: skip
    return rows
