import numpy as np
import polars as pl
import pytest

from analyses.occlusion import question as occlusion
from analyses.occlusion.averages import average, contrast
from analyses.occlusion.curves import Curves
from analyses.question import LackingError, Settings
from analyses.rerun.drops import measure_drops, measure_people
from analyses.rerun.experiment import Experiment
from analyses.rerun.verification import MEASURES
from leamstore import tables
from leamstore.lake import Lake, LakeSettings
from tests.analyses.conftest import silent
from tests.analyses.planted_faces import (
    IMAGES,
    PEOPLE,
    Colours,
    Faces,
    Patches,
    cosine,
    entry_of,
    make_faces_lake,
    patch,
    planted,
    vectors_of,
)

EXPERIMENT = Experiment(percents=(6.25,), percent=6.25)


@pytest.fixture
def make_lake(tmp_path):
    def make(*args, **kwargs):
        return make_faces_lake(tmp_path, Faces(*args, **kwargs))

    return make


@pytest.fixture(scope="module")
def own_patches(tmp_path_factory):
    """A lake whose maps mark each person's own patch, to be read only."""
    folder = tmp_path_factory.mktemp("own-patches")
    return make_faces_lake(folder, Faces(*planted(lambda person, _: person)))


@pytest.fixture(scope="module")
def own_drops(own_patches):
    return measure_drops(own_patches, EXPERIMENT, 0, silent)


def mean_drops(drops, fill="black", judged="NET"):
    table = average(drops.filter(fill=fill, judged=judged, guiding=judged), Settings(draws=200))
    found = table.filter(measure="cosine")
    return dict(zip(found["mask"], found["estimate"], strict=True))


def test_maps_of_the_persons_own_patch_hide_it_and_the_contrasts_say_so(own_drops):
    found = mean_drops(own_drops)
    assert found["own"] > 0.3
    assert found["same person"] == pytest.approx(found["own"])
    for mask in ("random", "swap", "matched stranger"):
        assert found[mask] < 0.1
    judged = own_drops.filter(judged="NET", guiding="NET")
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
    found = table.filter(measure="cosine")
    assert found.filter(contrast="own - swap")["low"].item() > 0
    person = found.filter(contrast="same person - matched stranger")
    assert person["low"].item() <= 0 <= person["high"].item()


def test_a_patch_common_to_everybody_shows_neither_image_nor_person(make_lake):
    lake = make_lake(*planted(lambda *_: 12))
    drops = measure_drops(lake, EXPERIMENT, 0, silent)
    found = mean_drops(drops)
    assert found["own"] == found["swap"] == found["same person"] == found["mean map"]
    judged = drops.filter(judged="NET", guiding="NET", fill="black")
    tested = contrast(judged, Settings(draws=200)).filter(contrast="own - swap")
    assert (tested["estimate"] == 0).all()
    assert (tested["p_holm"].fill_null(1.0) == 1.0).all()


def test_the_drop_of_an_anchor_is_that_worked_out_by_hand(own_drops):
    row = own_drops.filter(image_id=0, mask="own", fill="black", judged="NET", guiding="NET")
    vectors = vectors_of(planted(lambda person, _: person)[0])
    after = vectors[0].copy()
    after[0] = 0

    expected = np.mean([cosine(vectors[0], p) - cosine(after, p) for p in vectors[1:3]])
    assert row["cosine"].item() == pytest.approx(expected, abs=1e-5)
    expected = np.mean([np.linalg.norm(after - p) - np.linalg.norm(vectors[0] - p)
                        for p in vectors[1:3]])  # fmt: skip
    assert row["euclidean"].item() == pytest.approx(expected, rel=1e-4)


def test_every_model_guides_for_itself_and_the_papers_guide_for_all(own_patches):
    one = Experiment(percents=(1,), curve_masks=("own",), masks=("own",), fills=("black",))
    drops = measure_drops(own_patches, one, 0, silent)
    pairs = set(drops.select("guiding", "judged").unique().iter_rows())
    assert pairs == {("NET", "NET"), ("IR_CASIA", "NET"), ("IR_CASIA", "IR_CASIA")}
    assert drops["chips"].unique().to_list() == ["crops"]
    assert drops.height == 3 * PEOPLE * IMAGES


def test_all_guides_guide_for_all_and_the_question_records_it(own_patches):
    whole = Experiment(percents=(), masks=("own",), fills=("black",), percent=1, all_guides=True)
    drops = measure_drops(own_patches, whole, 0, silent)
    assert drops.select("guiding", "judged").n_unique() == 4
    assert occlusion.ALL_GUIDES.settings["all_guides"] is True
    assert occlusion.QUESTION.settings["all_guides"] is False
    assert occlusion.ALL_GUIDES.name == occlusion.QUESTION.name


def test_sums_by_person_average_to_the_same_as_images_do(own_patches, own_drops):
    by_person = measure_people(own_patches, EXPERIMENT, 0, silent)
    assert by_person.height * IMAGES == own_drops.height
    for summarise in (average, contrast):
        ours, theirs = (summarise(drops, Settings(draws=200)) for drops in (by_person, own_drops))
        numbers = ["estimate", "low", "high", "identities", "images"]
        np.testing.assert_allclose(ours.select(numbers), theirs.select(numbers), atol=1e-12)


def test_tables_9_and_21_are_read_with_our_names():
    papers = occlusion.papers_drops()
    assert papers.height == 24 + 216
    row = papers.filter(judged="IR_VGG", mask="random", percent=0.5)
    assert row["paper"].item() == 0.0162
    row = papers.filter(judged="mean of 9 models", mask="own", percent=1.0)
    assert row["paper"].item() == 0.1148


@pytest.fixture
def few_steps(monkeypatch):
    steps = Curves(percents=(0, 50, 100), masks=("own", "random"), contrasts=(("own", "random"),))
    monkeypatch.setattr(occlusion, "CURVES", steps)


def answered(make_lake, models):
    # Of 13 people or fewer, ties make the signed-rank test go through all 2^n signs.
    chips, maps = planted(lambda person, _: person, people=14)
    lake = make_lake(chips, maps, models=models)
    return occlusion.answer(lake, Settings(draws=100), silent, experiment=EXPERIMENT_OF_ONE)


EXPERIMENT_OF_ONE = Experiment(
    percents=(1,), percent=1, masks=("own", "random", "swap"), fills=("black", "blur")
)


def test_the_papers_drops_stand_beside_those_of_its_models_by_its_guide(make_lake, few_steps):
    tables = answered(make_lake, ("AF_R18", "IR_CASIA"))
    own = tables["occlusion"].filter(mask="own", fill="black", measure="cosine", percent=1.0)
    papers = {
        (guiding, judged): paper
        for guiding, judged, paper in own.select("guiding", "judged", "paper").iter_rows()
    }
    assert papers == {
        ("AF_R18", "AF_R18"): None,
        ("IR_CASIA", "AF_R18"): 0.1100,
        ("IR_CASIA", "IR_CASIA"): 0.1655,
        # A mean of two models isn't the paper's mean of nine.
        ("IR_CASIA", "mean of 2 models"): None,
    }
    row = own.filter(guiding="IR_CASIA", judged="AF_R18").row(0, named=True)
    assert row["difference"] == pytest.approx(row["estimate"] - 0.11)


def test_the_findings_say_what_is_shown_and_what_is_not(make_lake, few_steps):
    tables = answered(make_lake, ("NET",))
    said = " ".join(occlusion.findings(tables))
    assert "NET, conv1, 1 % hidden, 14 people: own - random in cosine is" in said
    assert "its maps find pixels that matter" in said
    assert "same person - matched stranger" not in said
    assert "in the paper 4.0 (Table 9, by IR_CASIA)" in said


def test_few_people_support_nothing(make_lake, few_steps):
    chips, maps = planted(lambda person, _: person, people=3)
    lake = make_lake(chips, maps, models=("NET",))
    tables = occlusion.answer(lake, Settings(draws=100), silent, experiment=EXPERIMENT_OF_ONE)
    (said,) = occlusion.findings(tables)
    assert "3 identities" in said
    assert "supports no statement" in said


def test_the_whole_answer_is_the_same_for_the_same_seed(own_patches, own_drops):
    assert own_drops.equals(measure_drops(own_patches, EXPERIMENT, 0, silent))
    assert not own_drops.equals(measure_drops(own_patches, EXPERIMENT, 1, silent))


def test_a_lake_of_one_identity_lacks_strangers(make_lake):
    lake = make_lake(*planted(lambda *_: 0, people=1))
    with pytest.raises(LackingError, match="strangers"):
        measure_drops(lake, EXPERIMENT, 0, silent)


class Backwards(Patches):
    """Embeds a chip as `Patches` does, the last patch first."""

    def forward(self, chips):
        return super().forward(chips).flip(1)


def test_another_network_than_the_lakes_is_refused(make_lake):
    lake = make_lake(*planted(lambda person, _: person))
    with tables.writing(lake.tables_path) as connection:
        connection.execute("UPDATE models SET entry = ?", [entry_of("NET", Backwards)])
    with pytest.raises(LackingError, match="weights"):
        measure_drops(lake, EXPERIMENT, 0, silent)


def test_contrasts_are_taken_only_where_both_masks_were_tried():
    rows = [
        {"guiding": "A", "judged": "A", "layer": "conv1", "percent": percent, "mask": mask,
         "fill": "black", "chips": "crops", "image_id": image, "identity": str(image // 2),
         "images": 1,
         **dict.fromkeys(MEASURES, float(mask == "own") + 0.01 * image)}
        for percent, masks in ((1.0, ("own", "random", "swap")), (5.0, ("own", "random")))
        for mask in masks
        for image in range(12)
    ]  # fmt: skip
    table = contrast(pl.DataFrame(rows), Settings(draws=100))
    tried = set(table.select("percent", "contrast").iter_rows())
    assert tried == {(1.0, "own - random"), (5.0, "own - random"), (1.0, "own - swap")}
    np.testing.assert_allclose(table["estimate"], 1)


def test_a_lake_without_embeddings_is_told_to_ingest(tmp_path):
    empty = Lake.create(tmp_path / "empty.lake", LakeSettings("farl", 0, crops=False, seed=0))
    with pytest.raises(LackingError, match="no embeddings"):
        measure_drops(empty, occlusion.EXPERIMENT, 0, silent)
