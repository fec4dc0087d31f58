import polars as pl
import pytest

from dashboards.views.people import deviations, nearest_people

ROWS = pl.DataFrame(
    [
        ("Ada", "nose", 10.0), ("Ada", "face", 90.0),
        ("Bea", "nose", 10.0), ("Bea", "face", 90.0),
        ("Cem", "nose", 40.0), ("Cem", "face", 60.0),
    ],
    schema=["identity", "region", "share"], orient="row",
)  # fmt: skip


def test_a_lake_without_the_answer_says_what_computes_it(lake, open_page):
    shown = open_page("people", lake)
    assert not shown.exception
    assert "python -m analyses individuals --lake" in shown.info[0].value


def test_deviations_are_in_standard_deviations_between_people():
    found = deviations(ROWS).filter(region="nose")
    assert found["everybody"].to_list() == pytest.approx([20.0] * 3)
    assert found["beyond"].to_list() == pytest.approx([-10, -10, 20])
    spread = 300**0.5
    assert found["deviations"].to_list() == pytest.approx([-10 / spread, -10 / spread, 20 / spread])


def test_the_nearest_person_has_the_same_shares():
    found = nearest_people(ROWS, "Ada")
    assert found["identity"].to_list() == ["Bea", "Cem"]
    assert found["bc"].to_list() == pytest.approx([1.0, (0.1 * 0.4) ** 0.5 + (0.9 * 0.6) ** 0.5])
    assert found["points"].abs().to_list() == pytest.approx([0, 30])


def test_a_persons_variation_is_that_of_sql(answered, open_page):
    shown = open_page("people", answered, identity="Grace_Hopper")
    assert not shown.exception
    expected = answered.sql(
        "SELECT share, std, min, max FROM result_individuals "
        "WHERE identity = 'Grace_Hopper' AND region = 'nose'"
    ).row(0)
    tables = [pl.from_pandas(one.value) for one in shown.dataframe]
    person = next(table for table in tables if "std" in table.columns)
    row = person.filter(region="nose").select("share", "std", "min", "max").row(0)
    assert row == pytest.approx(expected, abs=1e-3)


def test_regions_of_the_nearest_people_are_in_words(answered, open_page):
    shown = open_page("people", answered, identity="Grace_Hopper")
    tables = [pl.from_pandas(one.value) for one in shown.dataframe]
    nearest = next(table for table in tables if "bc" in table.columns)
    assert not any("_" in region for region in nearest["most_apart"])


def test_one_person_alone_differs_from_nobody():
    alone = deviations(ROWS.filter(identity="Ada"))
    assert alone["deviations"].null_count() == alone.height
