import numpy as np
import polars as pl
import pytest
import torch
from torch import nn

from analyses import occlusion
from analyses.occlusion import Experiment, average, contrast, gradient_times_input, measure_drops
from analyses.question import LackingError, Settings
from analyses.verification import MEASURES
from leamstore import arrays, ledger, pose, schema, tables
from leamstore.blocks import Block
from leamstore.lake import Lake, LakeSettings
from tests.analyses.conftest import rows_of, silent

SIZE = 16
PEOPLE = 8
IMAGES = 3
EXPERIMENT = Experiment(percents=(6.25,), percent=6.25, random_draws=2)


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


@pytest.fixture
def make_lake(tmp_path, monkeypatch):
    """Make a lake of planted chips and maps, of two models that are a network above."""

    def make(chips, maps, network=Patches):
        monkeypatch.setattr(occlusion.networks, "load", lambda *_, **__: network().eval())
        lake = Lake.create(tmp_path / "planted.lake", LakeSettings("landmarks", 0, True, 0))
        scale = schema.GRID // SIZE
        crops = chips.repeat(scale, axis=1).repeat(scale, axis=2)
        block, padding = Block(0, 1), [(0, arrays.SHARD_IMAGES - len(chips))]
        arrays.require_faces(lake.faces_path, ["crop"], shards=1)
        arrays.write_shards(lake.faces_path, "crop", 0, np.pad(crops, padding + [(0, 0)] * 3))
        landmarks = np.zeros((68, 2))
        landmarks[pose.INNER] = pose.CANONICAL
        images = [
            {"image_id": i, "identity": f"person {i // IMAGES}", "path": f"gone/{i}.jpg",
             "sha256": str(i), "status": "kept", "landmarks": landmarks.tolist(),
             "bytes": 1, "modified": 1, "crop_to_image": np.eye(2, 3).tolist()}
            for i in range(len(chips))
        ]  # fmt: skip
        models = ("NET", "IR_CASIA")
        with tables.writing(lake.tables_path) as connection:
            tables.append(connection, "images", rows_of("images", images))
            tables.append(connection, "models", rows_of("models", [
                {"model": model, "input_size": SIZE, "alignment": "crop", "embedding_size": 16}
                for model in models
            ]))  # fmt: skip
            tables.append(connection, "layers", rows_of("layers", [
                {"model": model, "layer": "conv1", "position": 0, "height": SIZE, "width": SIZE,
                 "channels": 1, "stride": 1.0, "offset": 0.0}
                for model in models
            ]))  # fmt: skip
        vectors = network()(torch.from_numpy(chips).permute(0, 3, 1, 2).float()).tolist()
        stored = np.pad(maps, padding + [(0, 0)] * 2, constant_values=np.nan)
        for model in models:
            arrays.require_layer(
                lake.maps_path, model, "conv1", (SIZE, SIZE), {}, shards=1, keep_pairs=0
            )
            arrays.write_shards(lake.maps_path, f"{model}/conv1/relevance", 0, stored)
            own = ledger.block_images(lake.images, block)
            embeddings = rows_of("embeddings", [
                {"model": model, "image_id": i, "vector": vector,
                 "chip_to_crop": np.eye(2, 3).tolist()}
                for i, vector in enumerate(vectors)
            ])  # fmt: skip
            with tables.writing(lake.tables_path) as connection:
                ledger.commit_unit(connection, model, block, own, {"embeddings": embeddings}, "run")
        return lake

    return make


def mean_drops(drops, fill="black", judged="NET"):
    table = average(drops.filter(fill=fill, judged=judged, guiding=judged), Settings(draws=200))
    cosine = table.filter(measure="cosine")
    return dict(zip(cosine["mask"], cosine["estimate"], strict=True))


def test_maps_of_the_persons_own_patch_hide_it_and_the_contrasts_say_so(make_lake):
    lake = make_lake(*planted(lambda person, _: person))
    drops = measure_drops(lake, EXPERIMENT, 0, silent)
    found = mean_drops(drops)
    assert found["own"] > 0.3
    assert found["same person"] == pytest.approx(found["own"])
    for mask in ("random", "swap", "matched stranger"):
        assert found[mask] < 0.1
    judged = drops.filter(judged="NET", guiding="NET")
    table = contrast(judged, Settings(draws=200)).filter(measure="cosine")
    assert (table.filter(fill="black")["low"] > 0).all()
    assert (table["p_holm"] >= table["p"]).all()


def test_maps_that_fit_the_image_but_not_the_person_show_no_person(make_lake):
    # Each person has a colour; on every image it stands in another patch, and its map says where.
    generator = np.random.default_rng(0)
    places = generator.integers(0, 16, PEOPLE * IMAGES)
    colours = generator.integers(0, 256, (PEOPLE, 3)).repeat(IMAGES, axis=0)
    chips, maps = planted(lambda person, image: places[person * IMAGES + image])
    for image, place in enumerate(places):
        chips[image][:] = 25
        chips[image][patch(place)] = colours[image]
    drops = measure_drops(make_lake(chips, maps, Colours), EXPERIMENT, 0, silent)
    table = contrast(drops.filter(fill="black", judged="NET", guiding="NET"), Settings(draws=200))
    cosine = table.filter(measure="cosine")
    assert cosine.filter(first="own", second="swap")["low"].item() > 0
    person = cosine.filter(first="same person")
    assert person["low"].item() <= 0 <= person["high"].item()


def test_a_patch_common_to_everybody_shows_neither_image_nor_person(make_lake):
    lake = make_lake(*planted(lambda *_: 12))
    drops = measure_drops(lake, EXPERIMENT, 0, silent)
    found = mean_drops(drops)
    assert found["own"] == found["swap"] == found["same person"] == found["mean map"]
    judged = drops.filter(judged="NET", guiding="NET", fill="black")
    tested = contrast(judged, Settings(draws=200)).filter(first="own", second="swap")
    assert (tested["estimate"] == 0).all()
    assert (tested["p_holm"].fill_null(1.0) == 1.0).all()


def test_the_drop_of_an_anchor_is_that_worked_out_by_hand(make_lake):
    chips, maps = planted(lambda person, _: person)
    drops = measure_drops(make_lake(chips, maps), EXPERIMENT, 0, silent)
    row = drops.filter(image_id=0, mask="own", fill="black", judged="NET", guiding="NET")
    vectors = chips.reshape(-1, 4, 4, 4, 4, 3).mean((2, 4, 5)).reshape(-1, 16)
    after = vectors[0].copy()
    after[0] = 0

    def cosine(a, b):
        return a @ b / np.linalg.norm(a) / np.linalg.norm(b)

    expected = np.mean([cosine(vectors[0], p) - cosine(after, p) for p in vectors[1:3]])
    assert row["cosine"].item() == pytest.approx(expected, abs=1e-5)
    expected = np.mean([np.linalg.norm(after - p) - np.linalg.norm(vectors[0] - p)
                        for p in vectors[1:3]])  # fmt: skip
    assert row["euclidean"].item() == pytest.approx(expected, rel=1e-4)


def test_every_model_guides_for_itself_and_the_papers_guide_for_all(make_lake):
    lake = make_lake(*planted(lambda person, _: person))
    one = Experiment(percents=(1,), curve_masks=("own",), masks=("own",), fills=("black",))
    drops = measure_drops(lake, one, 0, silent)
    pairs = set(drops.select("guiding", "judged").unique().iter_rows())
    assert pairs == {("NET", "NET"), ("IR_CASIA", "NET"), ("IR_CASIA", "IR_CASIA")}
    assert drops["chips"].unique().to_list() == ["crops"]
    assert drops.height == 3 * PEOPLE * IMAGES


def test_the_whole_answer_is_the_same_for_the_same_seed(make_lake):
    lake = make_lake(*planted(lambda person, _: person))
    first, again = (measure_drops(lake, EXPERIMENT, 5, silent) for _ in range(2))
    assert first.equals(again)
    assert not first.equals(measure_drops(lake, EXPERIMENT, 6, silent))


def test_a_lake_of_one_identity_lacks_strangers(make_lake):
    lake = make_lake(*planted(lambda *_: 0, people=1))
    with pytest.raises(LackingError, match="strangers"):
        measure_drops(lake, EXPERIMENT, 0, silent)


def test_another_network_than_the_lakes_is_refused(make_lake, monkeypatch):
    lake = make_lake(*planted(lambda person, _: person))
    backwards = nn.Sequential(Patches(), nn.Unflatten(1, (16, 1, 1)), nn.Flatten())
    backwards.append(nn.Linear(16, 16, bias=False))
    backwards[-1].weight.data = torch.eye(16).flip(0)
    monkeypatch.setattr(occlusion.networks, "load", lambda *_, **__: backwards.eval())
    with pytest.raises(LackingError, match="weights"):
        measure_drops(lake, EXPERIMENT, 0, silent)


def test_contrasts_are_taken_only_where_both_masks_were_tried():
    rows = [
        {"guiding": "A", "judged": "A", "layer": "conv1", "percent": percent, "mask": mask,
         "fill": "black", "chips": "crops", "image_id": image, "identity": str(image // 2),
         **dict.fromkeys(MEASURES, float(mask == "own") + 0.01 * image)}
        for percent, masks in ((1.0, ("own", "random", "swap")), (5.0, ("own", "random")))
        for mask in masks
        for image in range(12)
    ]  # fmt: skip
    table = contrast(pl.DataFrame(rows), Settings(draws=100))
    tried = set(table.select("percent", "second").iter_rows())
    assert tried == {(1.0, "random"), (5.0, "random"), (1.0, "swap")}
    np.testing.assert_allclose(table["estimate"], 1)


def test_gradient_times_input_is_the_first_order_drop_of_a_black_pixel():
    generator = torch.Generator().manual_seed(0)
    chips = 255 * torch.rand(2, 3, 8, 8, generator=generator, dtype=torch.float64)
    directions = nn.functional.normalize(torch.rand(2, 4, generator=generator).double())
    network = Patches()
    relevance = gradient_times_input(network, chips, directions)

    def cosine(some):
        return (nn.functional.normalize(network(some)) * directions).sum(1)

    for y, x in ((0, 0), (3, 5), (7, 7)):
        darker = chips.clone()
        darker[:, :, y, x] *= 1 - 1e-6
        expected = ((cosine(chips) - cosine(darker)) / 1e-6).clamp_min(0)
        torch.testing.assert_close(relevance[:, y, x], expected, rtol=1e-4, atol=1e-8)


def test_a_lake_without_embeddings_is_told_to_ingest(tmp_path):
    empty = Lake.create(tmp_path / "empty.lake", LakeSettings("farl", 0, crops=False, seed=0))
    with pytest.raises(LackingError, match="no embeddings"):
        measure_drops(empty, occlusion.EXPERIMENT, 0, silent)
