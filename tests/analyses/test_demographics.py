import numpy as np
import polars as pl
import pytest

from analyses import demographics
from analyses.question import LackingError, Settings

from .conftest import shares, silent

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
    rows = demographics.groups_of_people(images)
    assert rows.rows() == [
        ("gender", "f", "A"), ("gender", "f", "B"), ("gender", "m", "D"), ("gender", "m", "E")
    ]  # fmt: skip


def test_a_lake_without_attributes_says_where_to_state_them(make_lake):
    lake = make_lake({"Ada": {}, "Bea": {}, "Cyd": {}}, lambda *_: shares())
    with pytest.raises(LackingError, match=r"no two genders or ethnicities.*identities\.csv"):
        answer(lake)
