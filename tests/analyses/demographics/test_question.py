import numpy as np
import polars as pl
import pytest

from analyses.demographics import question as demographics
from analyses.demographics.occluded_pairs import SPANS
from analyses.demographics.people import compare_groups, groups_of_people
from analyses.estimates import with_holm
from analyses.figures.demographics import pictures
from analyses.question import LackingError, Settings
from tests.analyses.conftest import shares, silent
from tests.analyses.planted_faces import IMAGES, Faces, make_faces_lake
from tests.analyses.planted_faces import planted as planted_chips

SETTINGS = Settings(draws=200)
PEOPLE = {f"F{n}": {"gender": "female"} for n in range(6)} | {
    f"M{n}": {"gender": "male"} for n in range(6)
}


def planted(identity, number, layer, activation):
    """Women 4 % more nose and a twice as large area of it; people differ by a little."""
    if activation == 100.0:
        return shares(nose=4.0 if identity.startswith("F") else 2.0)
    return shares(nose=(24.0 if identity.startswith("F") else 20.0) + int(identity[1]) / 10)


def answer(lake):
    return demographics.answer(lake, SETTINGS, silent)["demographics"]


def people_frame(noses):
    return pl.DataFrame({
        "model": "NET",
        "attribute": "gender",
        "group": [group for group, values in noses.items() for _ in values],
        "nose": np.concatenate(list(noses.values())),
    })  # fmt: skip


def test_a_planted_difference_of_groups_comes_back(make_lake):
    row = answer(make_lake(PEOPLE, planted)).filter(region="nose").row(0, named=True)
    assert row["groups"] == "female - male"
    assert row["identities"] == 12
    assert (row["first"], row["second"]) == pytest.approx((24.25, 20.25))
    assert row["difference"] == pytest.approx(4.0)
    assert row["effect"] == 1.0
    # The most extreme of the 924 ways to split twelve people, on either side.
    assert row["p"] == pytest.approx(2 / 924)


def test_the_regions_own_area_stands_beside_the_difference(make_lake):
    row = answer(make_lake(PEOPLE, planted)).filter(region="nose").row(0, named=True)
    assert (row["area_difference"], row["area_effect"]) == pytest.approx((2.0, 1.0))


def test_what_nobody_has_is_no_test_and_costs_the_others_nothing(make_lake):
    rows = answer(make_lake(PEOPLE, planted))
    assert rows.filter(region="hat")["p_holm"].item() is None
    # The nose and the face, which has what the nose leaves, are the two tests.
    assert rows.filter(region="nose")["p_holm"].item() == pytest.approx(2 * 2 / 924)


def test_a_gender_effect_of_known_size_is_found_by_its_interval():
    hits, found = 0, 0
    for seed in range(200):
        generator = np.random.default_rng(seed)
        noses = {"female": generator.normal(21.0, 1, 40), "male": generator.normal(20.0, 1, 40)}
        row = demographics.group_differences(people_frame(noses), SETTINGS).row(0, named=True)
        hits += row["low"] <= 1.0 <= row["high"]
        found += row["p"] < 0.05
    # Power of a t test at one standard deviation, 40 against 40, is 0.99; 0.94 is covered.
    assert found >= 0.95 * 200
    assert 0.89 * 200 <= hits <= 0.99 * 200


def test_no_gender_effect_is_found_at_more_than_the_nominal_rate():
    found = 0
    for seed in range(200):
        values = np.random.default_rng(seed).normal(20.0, 1, (2, 40))
        noses = {"female": values[0], "male": values[1]}
        found += demographics.group_differences(people_frame(noses), SETTINGS)["p"].item() < 0.05
    # 10 expected; the binomial's 99.8 % lies within 2 to 21.
    assert 2 <= found <= 21


def test_no_region_of_many_is_found_at_more_than_the_nominal_rate_after_holm():
    columns = [f"region {n}" for n in range(10)]
    found = 0
    for seed in range(200):
        values = np.random.default_rng(seed).normal(20.0, 1, (40, 10))
        people = pl.DataFrame(values, schema=columns).with_columns(
            group=pl.Series(["female"] * 20 + ["male"] * 20)
        )
        rows = with_holm(compare_groups(people, columns, Settings(draws=100), "region"))
        found += bool((rows["p_holm"] < 0.05).any())
    # At most 10 expected; more than 21 has a chance below one in a thousand.
    assert found <= 21


def pairs_frame(drop_of, people=12, masks=("none", "own", "random")):
    """Pairs of 12 people with six pairs each, whose cosine of 0.9 falls by a planted drop."""
    return pl.DataFrame([
        {"guiding": guiding, "judged": judged, "layer": "conv1", "percent": percent, "mask": mask,
         "fill": "black", "chips": "crops", "identity": f"p{n:02}", "years": years, "pairs": 3,
         "before": 3 * 0.9, "after": 3 * (0.9 - drop_of(n, mask, percent))}
        for guiding, judged in (("NET", "NET"), ("IR_CASIA", "AF_R18"))
        for mask in masks
        for percent in ((0.0,) if mask == "none" else (0.1, 1.0))
        for n in range(people)
        for years in (1, 20)
    ]).with_columns(pl.col("years", "pairs").cast(pl.Int32))  # fmt: skip


def known_groups(people=12):
    return pl.DataFrame({
        "attribute": "gender",
        "group": ["female" if n % 2 else "male" for n in range(people)],
        "identity": [f"p{n:02}" for n in range(people)],
    })  # fmt: skip


def planted_drop(n, mask, percent):
    """Own masks cost women 0.02 more, random ones the same; people differ by a little."""
    if mask == "none":
        return 0.0
    return percent * (0.05 + 0.02 * (n % 2) * (mask == "own") + 0.0005 * n)


def test_a_planted_difference_of_what_occlusion_costs_comes_back_by_own_masks_alone():
    rows = demographics.drop_differences(pairs_frame(planted_drop), known_groups(), SETTINGS)
    own = rows.filter(mask="own", percent=1.0, judged="NET").row(0, named=True)
    assert own["groups"] == "female - male"
    assert own["difference"] == pytest.approx(0.02 + 0.0005)
    assert own["effect"] == 1.0
    assert own["low"] > 0
    random = rows.filter(mask="random", percent=1.0, judged="NET").row(0, named=True)
    assert random["difference"] == pytest.approx(0.0005)
    assert random["p_holm"] == 1.0
    assert rows.height == 2 * 2 * 2


def test_drops_of_groups_stand_beside_tables_22_and_23():
    rows = demographics.drops_of_groups(pairs_frame(planted_drop), known_groups(), SETTINGS)
    papers = rows.filter(guiding="IR_CASIA", judged="AF_R18", mask="own", percent=1.0)
    assert dict(papers.select("group", "paper").iter_rows()) == {"female": 0.1144, "male": 0.1021}
    women = papers.filter(group="female").row(0, named=True)
    assert women["estimate"] == pytest.approx(0.05 + 0.02 + 0.0005 * 6)
    assert women["difference"] == pytest.approx(women["estimate"] - 0.1144)
    assert women["before"] == pytest.approx(0.9)
    assert (women["identities"], women["pairs"]) == (6, 36)
    assert rows.filter(guiding="NET")["paper"].is_null().all()


def test_cosines_by_age_stand_beside_table_24():
    rows = demographics.cosines_by_age(pairs_frame(planted_drop), SETTINGS)
    assert set(rows["mask"]) == {"none", "own", "random"}
    papers = rows.filter(judged="AF_R18", mask="own", percent=1.0)
    assert dict(papers.select("years", "paper").iter_rows()) == {1: 0.3827, 20: 0.1653}
    expected = 0.9 - np.mean([planted_drop(n, "own", 1.0) for n in range(12)])
    assert papers["estimate"].to_list() == pytest.approx([expected] * 2)
    assert rows.filter(percent=0.1)["paper"].is_null().all()


def test_the_mean_over_the_papers_models_stands_beside_the_mean_of_its_tables():
    mean = demographics.papers_drops_by_gender().filter(
        judged="mean of 9 models", mask="own", percent=1.0
    )
    # The paper's text: 0.1248 for women, 0.1038 for men.
    found = dict(mean.select("group", "paper").iter_rows())
    assert found == pytest.approx({"female": 0.1248, "male": 0.1038}, abs=1e-4)


def test_groups_are_compared_two_by_two():
    frame = people_frame({"b": [1.0, 2.0], "a": [3.0, 4.0], "c": [5.0, 6.0]})
    rows = demographics.group_differences(frame, SETTINGS)
    assert rows["groups"].to_list() == ["a - b", "a - c", "b - c"]
    assert rows["difference"].to_list() == [2.0, -2.0, -4.0]


def test_people_whose_images_disagree_and_groups_of_one_are_left_out():
    images = pl.DataFrame({
        "identity": ["A", "A", "B", "C", "C", "D", "E"],
        "gender": ["f", "f", "f", "m", "f", "m", "m"],
        "ethnicity": ["x", None, "x", None, None, "y", None],
    })  # fmt: skip
    rows = groups_of_people(images)
    assert rows.rows() == [
        ("gender", "f", "A"), ("gender", "f", "B"), ("gender", "m", "D"), ("gender", "m", "E")
    ]  # fmt: skip


def test_a_lake_without_attributes_says_where_to_state_them(make_lake):
    lake = make_lake({"Ada": {}, "Bea": {}, "Cyd": {}}, lambda *_: shares())
    with pytest.raises(
        LackingError, match=r"no two genders or ethnicities.*no ages.*identities\.csv"
    ):
        answer(lake)


def test_a_lake_whose_faces_cannot_be_run_again_still_has_its_region_shares(make_lake):
    tables = demographics.answer(make_lake(PEOPLE, planted), SETTINGS, silent)
    assert list(tables) == ["demographics"]
    sentences = demographics.findings(tables)
    assert any("nose +4.0 points" in sentence for sentence in sentences)
    assert any("Nothing is said of occlusion by group" in sentence for sentence in sentences)
    assert any("Nothing is said of age" in sentence for sentence in sentences)


def test_each_small_group_is_named_however_many_people_there_are_in_all(make_lake):
    people = {f"F{n:02}": {"gender": "female"} for n in range(11)}
    people |= {f"M{n:02}": {"gender": "male"} for n in range(3)}
    tables = demographics.answer(make_lake(people, planted), SETTINGS, silent)
    assert demographics.findings(tables)[0].startswith(
        "With fewer than 10 people on a side: female - male (11 and 3 people)."
    )


def test_groups_that_are_all_large_enough_are_not_cautioned_about(make_lake):
    people = {f"{sex}{n:02}": {"gender": sex} for sex in "FM" for n in range(10)}
    tables = demographics.answer(make_lake(people, planted), SETTINGS, silent)
    assert not any("fewer than 10" in sentence for sentence in demographics.findings(tables))


@pytest.fixture(scope="module")
def aged_tables(tmp_path_factory):
    """The answer for twelve people, photographed again 4 years later, and 40."""
    chips, maps = planted_chips(lambda person, _: person, people=12)
    ages = tuple({"age": 20.0 + later} for _ in range(12) for later in (0, 4, 40))
    faces = Faces(chips, maps, stated=ages, models=("NET",))
    lake = make_faces_lake(tmp_path_factory.mktemp("aged"), faces)
    return demographics.answer(lake, SETTINGS, silent)


def test_a_lake_with_ages_has_costs_and_scores_by_the_years_between(aged_tables):
    costs = aged_tables["demographics_age_costs"].filter(percent=10.0)
    # Ten percent of the chip are more than the one patch that tells a person.
    assert costs["years"].to_list() == list(SPANS)
    assert costs["pairs"].to_list() == [12 * 2, 12 * (IMAGES * (IMAGES - 1) - 2)]
    assert (costs["low"] > 0).all()
    scores = aged_tables["demographics_age_scores"].filter(years=SPANS[0], quantile=0.5)
    median = dict(scores.select(pl.concat_str("mask", "percent"), "estimate").iter_rows())
    assert median["own10.0"] < median["random10.0"] <= median["none0.0"]


def test_a_lake_with_ages_has_its_findings_and_figures(aged_tables):
    said = demographics.findings(aged_tables)
    assert any("at 0 to 14 years (12 people)" in sentence for sentence in said)
    assert any("from the median of the scores" in sentence for sentence in said)
    assert [picture.name for picture in pictures(aged_tables)] == [
        "demographics_ages_NET_NET",
        "demographics_age_scores_NET_NET",
    ]
