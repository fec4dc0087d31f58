import shutil

import pytest

from leamstore import tables
from leamstore.lake import Lake


def said(shown):
    return " ".join(
        element.value
        for kind in (shown.markdown, shown.info, shown.warning, shown.error, shown.caption)
        for element in kind
    )


def test_the_counts_are_those_of_the_lake(lake, open_page):
    shown = open_page("", lake)
    counts = {metric.label: metric.value for metric in shown.metric}
    assert not shown.exception
    assert counts == {
        "Images kept": "6", "People": "2", "Models": "1", "Layers": "2", "Ordered pairs": "12",
        "Rejected": "2",
    }  # fmt: skip


def test_the_stand_ins_are_branded(lake, open_page):
    warnings = " ".join(warning.value for warning in open_page("", lake).warning)
    assert "Landmark parser" in warnings
    assert "Demo set" in warnings


def test_a_model_says_its_weights_and_their_terms(lake, open_page):
    sha256 = lake.sql("SELECT weights_sha256 FROM models").item()
    shown = said(open_page("", lake))
    assert sha256 in shown
    assert "CC0" in shown


def test_a_rejected_photograph_that_is_gone_is_said_to_be(lake, open_page):
    assert "The photograph is gone" in said(open_page("", lake, rejected="truncated"))
    assert "The photograph is gone" not in said(open_page("", lake, rejected="no-face"))


def test_an_empty_lake_says_how_to_fill_it(empty, open_page):
    shown = open_page("", empty)
    assert not shown.exception
    assert f"empty so far: fill it by `python -m ingest --lake {empty.path}`" in said(shown)


def test_one_person_is_told_to_be_too_few(one_person, open_page):
    assert "This lake holds one person" in said(open_page("", one_person))


def test_an_ingest_under_way_shows_how_far_it_is(half, open_page):
    shown = open_page("", half)
    assert not shown.exception
    assert "hasn't ended" in said(shown)
    assert half.sql("SELECT command FROM runs").item() == shown.code[0].value


def test_no_lake_is_one_sentence(tmp_path, open_page):
    shown = open_page("", tmp_path / "nowhere.lake")
    assert not shown.exception
    assert [error.value for error in shown.error] == [
        f"There is no lake at {tmp_path / 'nowhere.lake'}: make one with "
        f"`python -m ingest --lake {tmp_path / 'nowhere.lake'}`, or name another by --lake or "
        "LEAM_LAKE."
    ]


@pytest.mark.parametrize("page", ["explorer", "regions", "sql"])
def test_every_page_stands_an_empty_lake(page, empty, open_page):
    shown = open_page(page, empty)
    assert not shown.exception


@pytest.mark.parametrize("page", ["explorer", "regions", "sql"])
def test_every_page_stands_a_half_ingested_lake(page, half, open_page):
    shown = open_page(page, half)
    assert not shown.exception
    assert not shown.error


def test_a_changed_lake_shows_no_stale_numbers(lake, open_page, tmp_path):
    shutil.copytree(lake.path, tmp_path / "growing.lake")
    growing = Lake(tmp_path / "growing.lake")
    shown = open_page("", growing)
    with tables.writing(growing.tables_path) as connection:
        connection.execute("DELETE FROM images WHERE status = 'rejected'")
    counts = {metric.label: metric.value for metric in shown.run().metric}
    assert counts["Rejected"] == "0"
