import shutil

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from analyses.paper import read_table
from analyses.question import Settings
from analyses.regions.question import QUESTION
from analyses.results import answer_question
from analyses.work import Work
from dashboards.context import open_context
from dashboards.views.regions import Asked, _beside_paper, _shares
from leamstore import tables
from leamstore.lake import Lake


def table_of(shown):
    return pl.from_pandas(shown.dataframe[0].value)


def test_the_shares_are_those_of_sql(lake, open_page):
    shown = open_page("regions", lake)
    assert not shown.exception
    expected = lake.sql(
        "SELECT avg(100.0 * nose / pixels) FROM pair_regions "
        "WHERE activation = 'top' AND layer = 'conv1'"
    ).item()
    nose = table_of(shown).filter(region="nose", layer="conv1")
    assert nose["share"].item() == pytest.approx(expected, abs=1e-4)
    assert nose["maps"].item() == 12
    assert nose["low"].item() <= expected <= nose["high"].item()


def test_absolute_shares_are_of_the_whole_chip(lake, open_page):
    expected = lake.sql(
        "SELECT avg(100.0 * nose / (512 * 512)) FROM pair_regions "
        "WHERE activation = 'full' AND layer = 'conv1'"
    ).item()
    shown = open_page("regions", lake, measure="absolute", activation="full")
    nose = table_of(shown).filter(region="nose", layer="conv1")
    assert nose["share"].item() == pytest.approx(expected, abs=1e-4)


def test_one_persons_shares_have_no_interval(lake, open_page):
    shown = open_page("regions", lake, identity="Grace_Hopper")
    assert table_of(shown)["low"].null_count() == table_of(shown).height
    assert "no intervals" in " ".join(caption.value for caption in shown.caption)


@pytest.mark.parametrize("by", ["layer", "model", "percent", "person"])
def test_each_comparison_has_a_row_for_each_group_and_region(lake, open_page, by):
    groups = {"layer": 2, "model": 1, "percent": 15, "person": 2}[by]
    shown = open_page("regions", lake, by=by)
    assert not shown.exception
    assert table_of(shown).height == groups * table_of(shown)["region"].n_unique()


def test_the_papers_number_stands_beside_its_own_model(lake, open_page, tmp_path):
    ours = pl.DataFrame({"model": ["AF_R18"], "region": ["nose"], "share": [10.0]})
    asked = Asked("model", "full", "relative", None, None, None)
    paper = _beside_paper(ours, asked, "farl")["paper"].item()
    assert paper == read_table(10).filter(row="nose", column="AF_R18")["value"].item()


def test_no_number_of_the_papers_stands_beside_another_parsers_regions():
    ours = pl.DataFrame({"model": ["AF_R18"], "region": ["nose"], "share": [10.0]})
    asked = Asked("model", "full", "relative", None, None, None)
    assert _beside_paper(ours, asked, "landmarks")["paper"].to_list() == [None]


def test_a_variant_of_the_papers_model_has_that_models_numbers_by_percent():
    ours = pl.DataFrame({"percent": [1.0, 100.0], "region": ["nose"] * 2, "share": [10.0, 3.0]})
    asked = Asked("percent", "top", "relative", "IR_VGG_INT8", None, None)
    rows = _beside_paper(ours, asked, "farl")
    assert rows.columns == ["percent", "region", "share", "paper", "difference"]
    value = read_table(19).filter(row="nose", column="1")["value"].item()
    assert rows["paper"].to_list() == [value, None]


def test_regions_that_the_parser_cannot_see_are_left_out(lake):
    shares = _shares(
        open_context(str(lake.path)), Asked("layer", "top", "relative", "DLIB_R29", None, None)
    )
    assert "hair" not in shares["region"]


@pytest.fixture(scope="module")
def answered_regions(lake, tmp_path_factory):
    folder = tmp_path_factory.mktemp("regions") / "answered.lake"
    shutil.copytree(lake.path, folder)
    answer_question(Lake(folder), QUESTION, Settings(), Work())
    return Lake(folder)


@pytest.mark.parametrize("by", ["layer", "model"])
@pytest.mark.parametrize("activation", ["full", "top"])
def test_the_answers_shares_are_those_that_the_page_counts_itself(
    lake, answered_regions, by, activation
):
    model = None if by == "model" else "DLIB_R29"
    asked = Asked(by, activation, "relative", model, None, None)
    counted, answered = (
        _shares(open_context(str(one.path)), asked) for one in (lake, answered_regions)
    )
    assert_frame_equal(counted, answered)


def test_the_answer_is_shown_instead_of_counting_again(answered_regions, tmp_path):
    shutil.copytree(answered_regions.path, tmp_path / "another.lake")
    another = Lake(tmp_path / "another.lake")
    asked = Asked("model", "top", "relative", None, None, None)
    before = _shares(open_context(str(another.path)), asked)
    with tables.writing(another.tables_path) as connection:
        connection.execute("UPDATE pair_regions SET nose = 0")
    assert_frame_equal(_shares(open_context(str(another.path)), asked), before)


def test_an_answer_that_is_out_of_date_is_not_shown(answered_regions, tmp_path):
    shutil.copytree(answered_regions.path, tmp_path / "grown.lake")
    grown = Lake(tmp_path / "grown.lake")
    with tables.writing(grown.tables_path) as connection:
        connection.execute("UPDATE units SET checksum = 'of other maps'")
        connection.execute("UPDATE pair_regions SET nose = 0")
    asked = Asked("model", "top", "relative", None, None, None)
    shares = _shares(open_context(str(grown.path)), asked)
    assert shares.filter(region="nose")["share"].item() == 0
