import shutil

import polars as pl
import pytest

from analyses.demographics import question as demographics
from leamstore.lake import Lake
from tests.dashboards.planted import demographics_tables, write


def test_a_lake_without_the_answer_says_what_computes_it(lake, open_page):
    shown = open_page("demographics", lake)
    assert not shown.exception
    assert "python -m analyses demographics --lake" in shown.info[0].value


def test_differences_of_groups_are_those_of_the_answer(answered, open_page):
    shown = open_page("demographics", answered)
    assert not shown.exception
    expected = answered.sql(
        "SELECT difference, low, high, p_holm FROM result_demographics WHERE region = 'nose'"
    ).row(0)
    table = pl.from_pandas(shown.dataframe[0].value).filter(region="nose")
    row = table.select("difference", "low", "high", "p_holm").row(0)
    assert row == pytest.approx(expected, abs=1e-4)
    assert row[0] == pytest.approx(10, abs=2)


def test_cosines_by_age_are_those_of_the_answer(answered, open_page):
    shown = open_page("demographics", answered)
    table = next(
        table
        for table in (pl.from_pandas(one.value) for one in shown.dataframe)
        if "years" in table.columns
    )
    expected = answered.sql(
        "SELECT estimate FROM result_demographics_ages "
        "WHERE mask = 'own' AND percent = 1 AND years = 2"
    ).item()
    assert expected == pytest.approx((1.6 - 0.1 - 0.2) / 2)
    own = table.filter(mask="own", percent=1.0, years=2)
    assert own["estimate"].item() == pytest.approx(expected, abs=1e-4)


def test_an_answer_without_ages_says_so(answered, open_page, tmp_path):
    shutil.copytree(answered.path, tmp_path / "ageless.lake")
    ageless = Lake(tmp_path / "ageless.lake")
    tables = demographics_tables()
    del tables["demographics_ages"]
    write(ageless, demographics.QUESTION, tables)
    shown = open_page("demographics", ageless)
    assert not shown.exception
    assert any("no numbers by age" in one.value for one in shown.info)
