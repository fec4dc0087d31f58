import polars as pl
import pytest

from analyses.question import LackingError, Settings
from analyses.regions import question as regions
from leamstore import tables
from leamstore.schema import REGION_NAMES
from tests.analyses.conftest import shares, silent

PEOPLE = {"Ada": {}, "Bea": {}, "Cyd": {}}
SETTINGS = Settings(seed=0, draws=200)


def answer(lake):
    return regions.answer(lake, SETTINGS, silent)


def share_of(rows, **where):
    return rows.filter(**where)["share"].item()


def planted(identity, number, layer, activation):
    """The nose of the top: 10 %, 20 % and 60 % by person in conv1, 30 % in the other layer."""
    if activation != "top":
        return shares(nose=5.0, hair=25.0)
    nose = {"Ada": 10.0, "Bea": 20.0, "Cyd": 60.0}[identity]
    return shares(nose=nose if layer == "conv1" else 30.0)


def test_planted_shares_come_back_by_layer_and_activation(make_lake):
    rows = answer(make_lake(PEOPLE, planted))["regions_by_layer"]
    where = {"model": "NET", "region": "nose"}
    assert share_of(rows, layer="conv1", activation="top", **where) == pytest.approx(30.0)
    assert share_of(rows, layer="conv1", activation="full", **where) == pytest.approx(5.0)
    assert share_of(rows, layer="layer1.0.conv1", activation="top", **where) == pytest.approx(30.0)


def test_a_models_share_is_the_mean_over_its_layers(make_lake):
    def by_layer(identity, number, layer, activation):
        return shares(nose=10.0 if layer == "conv1" else 40.0)

    rows = answer(make_lake(PEOPLE, by_layer))["regions_by_model"]
    assert share_of(rows, activation="top", region="nose") == pytest.approx(25.0)


def test_the_interval_is_over_people(make_lake):
    rows = answer(make_lake(PEOPLE, planted))["regions_by_layer"].filter(
        region="nose", activation="top"
    )
    spread = rows.filter(layer="conv1").select("low", "high").row(0)
    same = rows.filter(layer="layer1.0.conv1").select("low", "high").row(0)
    # Draws of three people reach from thrice the lowest to thrice the highest.
    assert spread == pytest.approx((10.0, 60.0), abs=4.0)
    assert same == pytest.approx((30.0, 30.0))


def test_shares_sum_to_100_when_the_parser_sees_everything(make_lake):
    result = answer(make_lake(PEOPLE, planted))
    for name, by in (
        ("regions_by_layer", ["model", "layer", "activation"]),
        ("regions_by_model", ["model", "activation"]),
    ):
        sums = result[name].group_by(by).agg(pl.col("share").sum(), pl.len())
        assert sums["share"].to_list() == pytest.approx([100.0] * sums.height)
        assert sums["len"].unique().to_list() == [len(REGION_NAMES)]


def test_what_the_parser_can_not_see_is_no_row(make_lake):
    lake = make_lake(PEOPLE, planted, seen=("face", "nose"), parser="landmarks")
    assert set(answer(lake)["regions_by_model"]["region"]) == {"face", "nose"}


def test_another_parsers_regions_stand_beside_no_number_of_the_papers(make_lake):
    lake = make_lake(PEOPLE, planted, models=("AF_R50",), parser="landmarks")
    for rows in answer(lake).values():
        assert rows["paper"].null_count() == rows.height


def test_an_all_zero_map_has_no_share_and_does_not_count(make_lake):
    lake = make_lake(PEOPLE, planted)
    nothing = ", ".join(f"{name} = NULL" for name in (*REGION_NAMES, "pixels"))
    with tables.writing(lake.tables_path) as connection:
        connection.execute(f"UPDATE pair_regions SET {nothing} WHERE anchor >= 6")
    rows = answer(lake)["regions_by_layer"].filter(layer="conv1", activation="top", region="nose")
    assert rows.select("share", "identities", "maps").row(0) == pytest.approx((15.0, 2, 12))


def test_layers_stand_in_the_order_of_the_network(make_lake):
    lake = make_lake(PEOPLE, planted, layers=("stem", "block", "another"))
    layers = answer(lake)["regions_by_layer"]["layer"].unique(maintain_order=True)
    assert layers.to_list() == ["stem", "block", "another"]


def test_a_model_of_the_paper_stands_beside_its_numbers(make_lake):
    result = answer(make_lake(PEOPLE, planted, models=("AF_R50", "NET")))
    rows = result["regions_by_model"].filter(region="nose", activation="top")
    assert rows.filter(model="AF_R50").select("paper", "difference").row(0) == pytest.approx(
        (20.07, 30.0 - 20.07)
    )
    assert rows.filter(model="NET")["paper"].item() is None
    by_layer = result["regions_by_layer"].filter(model="AF_R50", region="nose", activation="full")
    assert by_layer.filter(layer="conv1")["paper"].item() == 11.19
    assert by_layer.filter(layer="layer1.0.conv1")["paper"].item() is None


def test_conv1_of_the_model_of_table_1_is_taken_from_table_1():
    rows = regions.papers_shares_by_layer().filter(model="CF_R18", layer="conv1", region="hair")
    assert rows["paper"].to_list() == [21.06]


def test_a_lake_without_pairs_says_how_to_get_them(make_lake):
    with pytest.raises(LackingError, match=r"no region counts of ordered pairs.*--positives all"):
        answer(make_lake(PEOPLE, planted, pairs=False))


def test_the_same_seed_gives_the_same_answer(make_lake):
    lake = make_lake(PEOPLE, planted)
    assert answer(lake)["regions_by_model"].equals(answer(lake)["regions_by_model"])
