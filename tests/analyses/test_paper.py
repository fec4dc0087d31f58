import polars as pl
import pytest

from analyses.paper import beside_paper, paper_tables, read_table
from leamstore.schema import REGION_NAMES, TOP_PERCENTS

SHARES = (1, 2, 7, 10, 11, *range(12, 21))
NINE = ["AF_R18", "AF_R50", "AF_R100", "CF_R18", "CF_R50", "CF_R100", "IR_CASIA", "IR_VGG",
        "VGG_16"]  # fmt: skip


def value(number, row, column):
    return read_table(number).filter(row=row, column=column)["value"].item()


def test_all_tables_are_there_and_whole():
    rows, columns = zip(
        *((read_table(n)["row"].n_unique(), read_table(n)["column"].n_unique())
          for n in range(1, 25)), strict=True,
    )  # fmt: skip
    assert rows == (19, 19, 9, 9, 9, 9, 19, 16, 12, 19, 19, *[19] * 9, 24, 24, 24, 9)
    assert columns == (5, 6, 6, 6, 6, 6, 10, 5, 2, 9, 9, *[15] * 9, 9, 9, 9, 42)
    for number in range(1, 25):
        table = read_table(number)
        assert table.height == table["row"].n_unique() * table["column"].n_unique()
        assert table["table"].unique().to_list() == [number]
    assert paper_tables()["number"].to_list() == list(range(1, 25))


@pytest.mark.parametrize("number", SHARES)
def test_shares_sum_to_100_within_rounding(number):
    sums = read_table(number).group_by("column").agg(pl.col("value").sum())["value"]
    # 19 numbers, each rounded by at most 0.005; none of the paper's sums is off by more.
    assert (sums - 100.0).abs().max() <= 0.035


@pytest.mark.parametrize("number", SHARES)
def test_regions_bear_the_schemas_names(number):
    assert set(read_table(number)["row"]) == set(REGION_NAMES)


def test_percents_are_those_that_a_lake_counts():
    for number in range(12, 21):
        assert set(read_table(number)["column"].cast(pl.Float64)) == set(TOP_PERCENTS)


def test_variation_of_table_8_is_its_std_over_its_mean():
    rows = read_table(8).pivot("column", index="row", values="value")
    clear = rows.filter(pl.col("Mean") > 0.5)
    # The printed std and mean are rounded to 0.005, and so the quotient of small ones is coarse.
    slack = 0.5 / clear["Mean"] * (1 + clear["CV"] / 100) + 0.01
    assert clear.height == 13
    assert ((100 * clear["Std"] / clear["Mean"] - clear["CV"]).abs() <= slack).all()


def test_table_8_is_the_first_person_of_table_7():
    first = read_table(7).filter(column="I_1").select("row", first="value")
    mean = read_table(8).filter(column="Mean").select("row", mean="value")
    both = first.join(mean, on="row")
    differs = both.filter((pl.col("first") - pl.col("mean")).abs() > 1e-9)
    assert differs.rows() == [("clothes", 3.27, 3.28)]


def test_table_9_is_the_mean_over_models_of_table_21():
    means = read_table(21).group_by("row").agg(pl.col("value").mean())
    for row, mean in means.iter_rows():
        mask, percent = row.split()
        column = {"LEAM": "LEAM Occluded", "Random": "Randomly Occluded"}[mask]
        assert value(9, percent, column) == pytest.approx(mean, abs=1e-4)


def test_means_by_gender_are_those_of_the_text():
    means = [read_table(number).filter(row="LEAM 1")["value"].mean() for number in (22, 23)]
    assert means == pytest.approx([0.1248, 0.1038], abs=5e-5)


def test_the_notes_on_tables_12_to_20_are_true():
    for number, model in zip(range(12, 21), NINE, strict=True):
        for column, other in (("1", 11), ("100", 10)):
            same = all(
                value(number, region, column) == value(other, region, model)
                for region in REGION_NAMES
            )
            assert same == ((number, column) != (20, "100"))


def test_the_note_on_table_2_is_true():
    """Its column CF_R18 has the numbers of Table 1's conv1, in the row order of Table 1."""
    theirs = read_table(2).filter(column="CF_R18")
    original = read_table(1).filter(column="conv1")
    assert theirs["value"].to_list() == original["value"].to_list()
    assert theirs["row"].to_list() != original["row"].to_list()


def test_ours_stand_beside_the_papers_and_the_difference():
    ours = pl.DataFrame({"region": ["nose", "hat"], "share": [30.0, 1.0]})
    paper = pl.DataFrame({"region": ["nose", "face"], "paper": [20.0, 50.0]})
    rows = beside_paper(ours, paper, ["region"]).rows()
    assert rows == [("nose", 30.0, 20.0, 10.0), ("hat", 1.0, None, None)]


@pytest.mark.parametrize("column", ["model", "judged"])
def test_a_variant_of_a_model_stands_beside_that_models_numbers(column):
    models = ["IR_VGG_INT8", "IR_VGG", "IR_VGG_INT8@random"]
    ours = pl.DataFrame({column: models, "region": "nose", "share": 30.0})
    paper = pl.DataFrame({column: ["IR_CASIA", "IR_VGG"], "paper": [20.0, 25.0], "region": "nose"})
    assert beside_paper(ours, paper, [column, "region"])["paper"].to_list() == [25.0, 25.0, None]
