"""Lakes of one small network, its controls and its maps, of which it is known what is in them."""

import numpy as np
import torch
from torch import nn

from leamstore import arrays, schema, tables
from leamstore.arrays.blocks import Block
from leamstore.lake import Lake, LakeSettings
from leamstore.poses import CANONICAL, INNER
from leamstore.tables import ledger
from tests.analyses.conftest import rows_of
from tests.analyses.planted_faces import IMAGES, SIZE, entry_of, patch

CONTROLS = {
    "NET@norm": {"target": "norm", "positives": "none"},
    "NET@impostor": {"target": "impostor", "positives": "none"},
    "NET@random": {"weights": "random, seed 0", "weights_sha256": None},
}


class RedPatches(nn.Module):
    """Embeds a chip as how red its 4 x 4 patches of 4 x 4 pixels are."""

    def forward(self, chips):
        redness = nn.functional.avg_pool2d(chips[:, 0] - chips[:, 1], 4)
        return redness.relu().flatten(1) + 1


def maps_at(places):
    """Maps (image, 16, 16) that are 1 on one patch each."""
    maps = np.zeros((len(places), SIZE, SIZE), np.float16)
    for one, place in zip(maps, places, strict=True):
        one[patch(place)] = 1
    return maps


def grey_chips(count, generator):
    return generator.integers(60, 180, (count, SIZE, SIZE, 1)).repeat(3, -1).astype(np.uint8)


def redden(chips, places):
    """Make a patch of each chip red without making it brighter: edges and pixels don't tell."""
    for chip, place in zip(chips, places, strict=True):
        chip[patch(place)] += np.array([60, 0, 0], np.uint8)
        chip[patch(place)] -= np.array([0, round(60 * 0.2125 / 0.7154), 0], np.uint8)
    return chips


def plant_lake(path, network, chips, maps):
    """Make a lake of chips (image, 16, 16, 3), three of each person in a row.

    maps: model to the maps (image, 16, 16) of its only layer, conv1; a name of `CONTROLS` is one.
    """
    lake = Lake.create(path, LakeSettings("landmarks", 0, True, 0))
    scale = schema.GRID // SIZE
    block, padding = Block(0, 1), [(0, arrays.SHARD_IMAGES - len(chips))]
    crops = chips.repeat(scale, axis=1).repeat(scale, axis=2)
    arrays.require_faces(lake.faces_path, ["crop"], shards=1)
    arrays.write_shards(lake.faces_path, "crop", 0, np.pad(crops, padding + [(0, 0)] * 3))
    vectors = network()(torch.from_numpy(chips).permute(0, 3, 1, 2).float()).tolist()
    still, layer = np.eye(2, 3).tolist(), {"layer": "conv1", "position": 0, "stride": 1.0}
    images = rows_of("images", [
        {"image_id": i, "identity": f"person {i // IMAGES:02}", "path": f"gone/{i}.jpg",
         "sha256": str(i), "status": "kept", "landmarks": landmarks.tolist(), "bytes": 1,
         "modified": 1, "crop_to_image": still, "crop_to_identity": still,
         "crop_to_canonical": still}
        for i, landmarks in enumerate(poses(len(chips)))
    ])  # fmt: skip
    embeddings = [
        {"image_id": i, "vector": vector, "chip_to_crop": chip_to_crop()}
        for i, vector in enumerate(vectors)
    ]
    own = ledger.block_images(images, block)
    with tables.writing(lake.tables_path) as connection:
        tables.append(connection, "images", images)
        tables.append(connection, "models", rows_of("models", [
            {"model": model, "catalog_name": "NET", "target": "cosine", "positives": "all",
             "entry": entry_of("NET", network), "input_size": SIZE,
             "alignment": "crop", "embedding_size": len(vectors[0]), **CONTROLS.get(model, {})}
            for model in maps
        ]))  # fmt: skip
        tables.append(connection, "layers", rows_of("layers", [
            {"model": model, "height": SIZE, "width": SIZE, "channels": 1, "offset": 0.0, **layer}
            for model in maps
        ]))  # fmt: skip
        for model in maps:
            unit = {"embeddings": rows_of("embeddings", [{"model": model} | row
                                                         for row in embeddings])}  # fmt: skip
            ledger.commit_unit(connection, model, block, own, unit, "run")
    for model, values in maps.items():
        stored = np.pad(values.astype(np.float16), padding + [(0, 0)] * 2, constant_values=np.nan)
        arrays.require_layer(
            lake.maps_path, model, "conv1", (SIZE, SIZE), {}, shards=1, keep_pairs=0
        )
        arrays.write_shards(lake.maps_path, f"{model}/conv1/relevance", 0, stored)
    return lake


def poses(count):
    """Landmarks of the mean face whose eyebrows, by which no chip is cut, are moved a little."""
    generator = np.random.default_rng(0)
    landmarks = np.zeros((count, 68, 2))
    landmarks[:, INNER] = CANONICAL
    landmarks[:, 17:27] += generator.normal(0, 4, (count, 10, 2))
    return landmarks


def chip_to_crop():
    scale = schema.GRID / SIZE
    return [[scale, 0.0, (scale - 1) / 2], [0.0, scale, (scale - 1) / 2]]
