import polars as pl

from analyses.findings import against_paper, extent, limits, with_interval
from analyses.question import Settings
from analyses.regions import individuals, thresholds
from analyses.regions import question as regions
from tests.analyses.conftest import shares, silent

MANY = {f"person {number:02}": {} for number in range(12)}
SETTINGS = Settings(seed=0, draws=200)


def of_person(identity):
    return int(identity.split()[1])


def asked(module, lake):
    return module.findings(module.answer(lake, SETTINGS, silent))


def test_few_people_support_no_statement_about_people():
    (sentence,) = limits(pl.DataFrame({"identities": [3, 2]}))
    assert sentence.startswith("This is 3 identities, fewer than 10")
    assert not limits(pl.DataFrame({"identities": [10]}))


def test_layers_that_nothing_was_measured_of_do_not_count_their_people():
    (sentence,) = limits(pl.DataFrame({"identities": [None, 2]}))
    assert sentence.startswith("This is 2 identities, fewer than 10")


def test_the_papers_numbers_within_our_intervals_are_counted():
    rows = pl.DataFrame({
        "share": [10.0, 20.0, 30.0], "low": [9.0, 19.0, 29.0], "high": [11.0, 21.0, 31.0],
        "paper": [10.5, 25.0, None], "difference": [-0.5, -5.0, None],
    })  # fmt: skip
    (sentence,) = against_paper(rows)
    assert "Of 2 numbers that the paper prints, too, 1 lie within" in sentence
    assert "differ by 2.8 points on average and by 5.0 at most" in sentence


def test_the_leading_region_and_the_layers_that_differ_are_named(make_lake):
    def by_layer(identity, number, layer, activation):
        return shares(nose=60.0 if layer == "conv1" else 70.0, hair=10.0)

    found = asked(regions, make_lake(MANY, by_layer))
    assert found[0].startswith("NET: the most relevant 1 % of pixels lie on nose 65.0 %")
    assert "from 60.0 % [60.0, 60.0] in conv1 to 70.0 %" in found[1]
    assert "and layers differ" in found[1]


def test_layers_whose_intervals_overlap_are_not_said_to_differ(make_lake):
    def by_person(identity, number, layer, activation):
        return shares(nose=60.0 + 2 * of_person(identity) + (layer == "conv1"))

    found = asked(regions, make_lake(MANY, by_person))
    assert "a difference of layers isn't shown" in found[1]


def test_a_region_is_measured_by_its_area(make_lake):
    def by_percent(identity, number, layer, percent):
        return shares(nose=30.0 if percent != 100.0 else 10.0)

    found = asked(thresholds, make_lake(MANY, by_percent))
    assert found[0] == (
        "NET: nose gets most for its size: 10.0 % of the grid, and 30.0 % [30.0, 30.0] of the "
        "most relevant 1 % (3.0 times its area)."
    )
    assert "of 2 regions 1 get more and 1 less" in found[1]


def test_what_lies_between_people_is_said_before_and_after_the_areas(make_lake):
    def by_person(identity, number, layer, activation):
        mine = float(of_person(identity))
        return shares(nose=20.0 + mine if activation == "top" else 10.0 + number, hair=5.0 + number)

    found = asked(individuals, make_lake(MANY, by_person, seen=("nose", "hair")))
    assert found[0].startswith("NET: in 1 of ")
    assert "for nose: 1.00 [" in found[1]
    assert "not yet a pattern of theirs" in found[-1]


def test_a_number_stands_with_its_interval_or_alone():
    row = {"auc": 0.6123, "low": 0.5, "high": 0.7}
    assert with_interval(row, ".2f", "auc") == "0.61 [0.50, 0.70]"
    assert with_interval(row, "+.1f", "auc", scale=100) == "+61.2 [+50.0, +70.0]"
    assert with_interval(row | {"low": None}, ".2f", "auc") == "0.61"


def test_known_values_go_from_one_to_another_or_are_one_or_unknown():
    assert extent(pl.Series([0.5, None, 0.25]), ".2f") == "0.25 to 0.50"
    assert extent(pl.Series([3, 3])) == "3"
    assert extent(pl.Series([None], dtype=pl.Float64)) == "unknown"
