"""Planted truth: lakes and stacks of maps of which it is known what they have in common."""

import itertools

import numpy as np
import polars as pl
import pytest

from analyses.figures.similarity import pictures
from analyses.question import LackingError, Settings
from analyses.similarity import question as similarity
from analyses.similarity.question import QUESTION, Stack, compare, measures
from leamstore import arrays, geometry, schema, tables
from leamstore.arrays.blocks import Block
from leamstore.lake import Lake, LakeSettings
from leamstore.layers import normalise, take_top
from leamstore.poses import CANONICAL, INNER
from leamstore.tables import ledger
from tests.analyses.conftest import rows_of, silent

PEOPLE, IMAGES, POSITIVES = 12, 3, 2
CELLS, STRIDE = 16, 7
CHIP = CELLS * STRIDE
CHIP_TO_CROP = geometry.scaling(CHIP, schema.GRID)
SETTINGS = Settings(seed=0, draws=200)
CENTRE = (7.5, 7.5)


@pytest.fixture(autouse=True)
def small(monkeypatch):
    monkeypatch.setattr(similarity, "SIZE", 56)
    monkeypatch.setattr(similarity, "MOST_EMD_PAIRS", 10)


def blob(centre, spread=1.0):
    rows, columns = np.mgrid[:CELLS, :CELLS]
    return np.exp(-((columns - centre[0]) ** 2 + (rows - centre[1]) ** 2) / (2 * spread**2))


def shift(x, y):
    return np.array([[1.0, 0.0, x], [0.0, 1.0, y]])


@pytest.fixture
def make_lake(tmp_path):
    """Make a lake with a noisy blob at centre_of(person, image), in cells, for each positive.

    poses (person, image, 2): by how many cells each face lies beside the middle of its chip.
    """

    def make(
        centre_of,
        people=PEOPLE,
        images=IMAGES,
        poses=None,
        model="NET",
        keep_pairs=2,
        chip_to_crop=CHIP_TO_CROP,
    ):
        lake = Lake.create(
            tmp_path / "planted.lake", LakeSettings("landmarks", keep_pairs, False, 0)
        )
        poses = np.zeros((people, images, 2)) if poses is None else poses
        places = list(itertools.product(range(people), range(images)))
        generator = np.random.default_rng(0)
        pair_maps = np.stack([
            blob(centre_of(*place)) + generator.random((CELLS, CELLS)) * 0.05
            for place in places
            for _ in range(POSITIVES)
        ])  # fmt: skip
        image_maps = pair_maps.reshape(-1, POSITIVES, CELLS, CELLS).mean(1)
        write_maps(lake, model, image_maps, pair_maps if keep_pairs else None)
        write_rows(lake, model, places, images, poses, keep_pairs, chip_to_crop)
        return lake

    return make


def write_maps(lake, model, image_maps, pair_maps):
    keep_pairs = 0 if pair_maps is None else POSITIVES
    arrays.require_layer(
        lake.maps_path, model, "conv1", (CELLS, CELLS), {}, shards=1, keep_pairs=keep_pairs
    )
    named = {"relevance": image_maps} | ({} if pair_maps is None else {"pair_relevance": pair_maps})
    for name, maps in named.items():
        slots = arrays.SHARD_IMAGES * (keep_pairs if name == "pair_relevance" else 1)
        stored = np.full((slots, CELLS, CELLS), np.nan, np.float16)
        stored[: len(maps)] = maps / maps.max((1, 2), keepdims=True)
        arrays.write_shards(lake.maps_path, f"{model}/conv1/{name}", 0, stored)


def write_rows(lake, model, places, images, poses, keep_pairs, chip_to_crop):
    scale = schema.GRID / CHIP
    rows = []
    for image_id, (person, number) in enumerate(places):
        moved = poses[person, number] * STRIDE * scale
        landmarks = np.zeros((68, 2))
        landmarks[INNER] = CANONICAL + moved
        rows.append({
            "image_id": image_id, "identity": f"person {person:02}", "status": "kept",
            "path": f"{image_id}.jpg", "sha256": str(image_id), "bytes": 1, "modified": 1,
            "landmarks": landmarks.tolist(), "crop_to_image": np.eye(2, 3).tolist(),
            "crop_to_identity": shift(*(poses[person, 0] * STRIDE * scale - moved)).tolist(),
            "crop_to_canonical": shift(*-moved).tolist(),
        })  # fmt: skip
    layer = {
        "model": model, "layer": "conv1", "position": 0, "height": CELLS, "width": CELLS,
        "channels": 1, "stride": float(STRIDE), "offset": (STRIDE - 1) / 2,
    }  # fmt: skip
    embeddings = [
        {
            "model": model,
            "image_id": image_id,
            "vector": [1.0],
            "chip_to_crop": chip_to_crop.tolist(),
        }
        for image_id in range(len(places))
    ]
    pairs = [
        {"model": model, "anchor": anchor, "cosine": 1.0, "pair_id": anchor * POSITIVES + nth,
         "positive": anchor - anchor % images + (anchor + 1 + nth) % images}
        for anchor in range(len(places))
        for nth in range(POSITIVES)
    ]  # fmt: skip
    with tables.writing(lake.tables_path) as connection:
        tables.append(connection, "images", rows_of("images", rows))
        tables.append(connection, "models", rows_of("models", [
            {"model": model, "input_size": CHIP, "embedding_size": 1}
        ]))  # fmt: skip
        tables.append(connection, "layers", rows_of("layers", [layer]))
        unit = {"embeddings": rows_of("embeddings", embeddings)}
        if keep_pairs:
            unit["pairs"] = rows_of("pairs", pairs)
        block = Block(0, 1)
        ledger.commit_unit(
            connection, model, block, ledger.block_images(pl.DataFrame(rows), block), unit, "run"
        )


def planted(kind):
    places = np.random.default_rng(1).uniform(3, CELLS - 4, (PEOPLE, IMAGES, 2))
    return {
        "person": lambda person, image: places[person, 0],
        "image": lambda person, image: places[person, image],
        "everybody": lambda person, image: CENTRE,
    }[kind]


def of_groups(table, **values):
    chosen = table.filter(**values, measure="bc", relevance="as it is", matching="all")
    return dict(chosen.select("group", "estimate").iter_rows())


def contrast_of(table, frame="canonical", maps="pair", measure="bc", **values):
    values = {"relevance": "as it is", "matching": "all"} | values
    return table.filter(frame=frame, maps=maps, measure=measure, **values).row(0, named=True)


def test_maps_of_a_persons_own_are_found_in_every_frame(make_lake):
    answered = QUESTION.answer(make_lake(planted("person")), SETTINGS, silent)

    found = answered["similarity_auc"].filter(pl.col("measure") != "emd")
    assert (found["difference_low"] > 0).all()
    assert (found["auc"] > 0.9).all()
    assert (found["p"] < 0.05).all()
    assert any("in 1 of 1 layers" in sentence for sentence in QUESTION.findings(answered))


def test_a_blob_for_everybody_is_alike_and_nobodys_own(make_lake):
    answered = QUESTION.answer(make_lake(planted("everybody")), SETTINGS, silent)

    found = contrast_of(answered["similarity_auc"], maps="image")
    assert found["difference_low"] < 0 < found["difference_high"]
    assert found["low"] < 0.5 < found["high"]
    assert min(of_groups(answered["similarity"], frame="canonical", maps="image").values()) > 0.6
    assert any("in none of 1 layers" in sentence for sentence in QUESTION.findings(answered))


def test_maps_of_an_images_own_set_the_anchor_alone_apart(make_lake):
    answered = QUESTION.answer(make_lake(planted("image")), SETTINGS, silent)

    bc = of_groups(answered["similarity"], frame="canonical", maps="pair")
    assert bc["anchor"] > 0.6
    assert bc["identity"] == pytest.approx(bc["strangers"], abs=0.1)
    for maps in ("pair", "image"):
        found = contrast_of(answered["similarity_auc"], maps=maps)
        assert found["difference_low"] < 0 < found["difference_high"]


def test_maps_that_follow_pose_are_no_persons_once_poses_are_brought_together(make_lake):
    generator = np.random.default_rng(2)
    poses = generator.uniform(-4, 4, (PEOPLE, 1, 2)) + generator.normal(0, 1, (PEOPLE, IMAGES, 2))
    lake = make_lake(lambda person, image: CENTRE + poses[person, image], poses=poses)

    table = QUESTION.answer(lake, SETTINGS, silent)["similarity_auc"]

    unmatched, matched = (
        contrast_of(table, "chip", matching=matching) for matching in ("all", "matched")
    )
    assert unmatched["difference_low"] > 0.05
    assert unmatched["auc"] > 0.7
    assert abs(matched["auc"] - 0.5) < 0.1
    aligned = contrast_of(table, "canonical")
    assert aligned["difference_low"] < 0 < aligned["difference_high"]


def test_a_lake_without_pair_maps_is_answered_from_image_maps(make_lake):
    answered = QUESTION.answer(make_lake(planted("person"), keep_pairs=0), SETTINGS, silent)

    assert set(answered["similarity"]["maps"]) == {"image"}
    assert set(answered["similarity"]["group"]) == {"identity", "strangers"}


@pytest.mark.parametrize(("people", "images"), [(1, 3), (4, 1)])
def test_a_lake_without_two_people_of_two_images_says_so(make_lake, people, images):
    lake = make_lake(planted("person"), people=people, images=images, keep_pairs=0)

    with pytest.raises(LackingError, match=r"two identities with two images each.*ingest"):
        QUESTION.answer(lake, SETTINGS, silent)


@pytest.mark.parametrize(
    ("chip_to_crop", "frames"),
    [
        (CHIP_TO_CROP, ["chip", "identity", "canonical"]),
        (shift(80.0, 80.0), ["chip", "crop", "identity", "canonical"]),
    ],
)
def test_the_crop_is_a_frame_where_it_is_not_the_chip(make_lake, chip_to_crop, frames):
    lake = make_lake(planted("person"), people=3, keep_pairs=0, chip_to_crop=chip_to_crop)

    table = QUESTION.answer(lake, SETTINGS, silent)["similarity"]

    assert table["frame"].unique(maintain_order=True).to_list() == frames


def test_few_people_support_nothing(make_lake):
    answered = QUESTION.answer(make_lake(planted("person"), people=3), SETTINGS, silent)

    assert QUESTION.findings(answered) == [
        "NET: 3 identities are too few to tell a person's pattern from chance."
    ]


def test_the_papers_numbers_stand_beside_pair_maps_in_the_persons_pose(make_lake):
    lake = make_lake(planted("person"), people=3, model="AF_R18")

    table = QUESTION.answer(lake, SETTINGS, silent)["similarity"]

    compared = table.filter(pl.col("paper").is_not_null())
    assert set(compared["frame"]) == {"identity"}
    assert set(compared["maps"]) == {"pair"}
    bc = compared.filter(measure="bc").sort("group")
    assert bc["paper"].to_list() == [0.32, 0.32, 0.09]  # anchor, identity, strangers
    assert bc["difference"].to_list() == (bc["estimate"] - bc["paper"]).to_list()
    assert compared.filter(measure="emd")["paper"].to_list() == [7.73, 7.73, 13.89]


def stack_of(maps):
    count = len(maps)
    return Stack(maps, np.arange(count), np.arange(count) // 2, np.zeros((count, 1, 2)))


def measured(maps, pairs):
    return {name: of(np.array(pairs)) for name, (of, _) in measures(maps, centred=False).items()}


def test_maps_without_relevance_are_like_nothing_and_at_no_distance():
    maps = np.zeros((4, 12, 12), np.float32)
    maps[0, 3, 4] = maps[1, 3, 4] = 1

    found = measured(maps, [[0, 1], [0, 2], [2, 3]])

    assert found["bc"].tolist() == pytest.approx([1, 0, 0])
    assert found["emd"].tolist() == pytest.approx([0, np.nan, np.nan], nan_ok=True)


def test_measures_equal_those_of_the_most_relevant_percent():
    maps = np.random.default_rng(0).random((2, 20, 20)).astype(np.float32)
    first, second = normalise(take_top(maps, 1.0))

    found = measured(maps, [[0, 1]])

    assert found["bc"].item() == pytest.approx(np.sqrt(first * second).sum(), abs=1e-6)


def test_a_stack_of_zeros_has_likeness_and_no_distances():
    likeness, contrasts = compare(stack_of(np.zeros((6, 12, 12), np.float32)), SETTINGS)

    assert set(likeness["measure"]) == {"bc", "correlation"}
    assert (likeness["estimate"] == 0).all()
    assert (contrasts["auc"] == 0.5).all()


def test_p_is_adjusted_over_what_can_speak_for_a_person_and_nothing_else(make_lake):
    table = QUESTION.answer(make_lake(planted("person")), SETTINGS, silent)["similarity_auc"]

    adjusted = table.filter(pl.col("p_holm").is_not_null())
    assert set(adjusted["frame"]) == {"canonical"}
    assert set(adjusted["matching"]) == {"matched"}
    assert set(adjusted.select("relevance", "measure").rows()) == set(similarity.CLAIMED)
    # Pair and image maps by two measures: the least p counts four times.
    assert min(adjusted["p_holm"]) == pytest.approx(4 * min(adjusted["p"]))


def test_two_images_of_two_people_each_are_answered_drawn_and_said_to_be_few(make_lake):
    answered = QUESTION.answer(make_lake(planted("person"), people=2, images=2), SETTINGS, silent)

    assert all("2 identities are too few" in sentence for sentence in QUESTION.findings(answered))
    assert list(pictures(answered))


def test_maps_of_zeros_are_answered_and_drawn_without_distances(make_lake):
    lake = make_lake(planted("person"), keep_pairs=0)
    zeros = np.zeros((arrays.SHARD_IMAGES, CELLS, CELLS), np.float16)
    arrays.write_shards(lake.maps_path, "NET/conv1/relevance", 0, zeros)

    answered = QUESTION.answer(lake, SETTINGS, silent)

    assert [picture.name for picture in pictures(answered)] == [
        "similarity_bc_NET",
        "similarity_auc_NET",
    ]
    assert any("mean BC of two maps is 0.00" in said for said in QUESTION.findings(answered))


def test_what_a_filter_leaves_nothing_of_is_said_not_to_be_known(make_lake):
    answered = QUESTION.answer(make_lake(planted("person")), SETTINGS, silent)
    alone = {name: rows.filter(frame="canonical") for name, rows in answered.items()}

    said = QUESTION.findings(alone)

    assert said[0] == "NET, each in the person's own pose: mean BC of two maps is not known."
    assert not any("the chip's own frame" in sentence for sentence in said)
    assert QUESTION.findings({name: rows.clear() for name, rows in answered.items()}) == []
    assert not list(pictures({name: rows.clear() for name, rows in answered.items()}))
