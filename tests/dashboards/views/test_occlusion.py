import shutil

import polars as pl
import pytest

from leamstore import tables
from leamstore.lake import Lake


def tables_of(shown):
    return [pl.from_pandas(one.value) for one in shown.dataframe]


def test_a_lake_without_the_answer_says_what_computes_it(lake, open_page):
    shown = open_page("occlusion", lake)
    assert not shown.exception
    assert "python -m analyses occlusion --lake" in shown.info[0].value


def test_the_comparisons_are_those_of_the_answer(answered, open_page):
    shown = open_page("occlusion", answered, likeness="centred cosine")
    assert not shown.exception
    expected = answered.sql(
        "SELECT estimate FROM result_occlusion_contrasts WHERE guiding = judged AND "
        "measure = 'centred cosine' AND contrast = 'own - swap' AND fill = 'black' AND percent = 1"
    ).item()
    table = next(table for table in tables_of(shown) if "contrast" in table.columns)
    row = table.filter(contrast="own - swap", fill="black", percent=1.0)
    assert row["estimate"].item() == pytest.approx(expected, abs=1e-4)
    assert set(table["measure"]) == {"centred cosine"}


def test_several_guides_are_shown_as_a_transfer_matrix(answered, open_page):
    titles = [one.value for one in open_page("occlusion", answered).subheader]
    assert "Whose maps hide faces from whom" in titles


def test_a_guide_that_the_lake_no_longer_holds_is_a_sentence(answered, open_page):
    shown = open_page("occlusion", answered, guiding="IR_CASIA")
    assert not shown.exception
    assert any("no longer holds maps of IR_CASIA" in one.value for one in shown.info)


def test_an_answer_from_before_the_lake_has_changed_is_out_of_date(answered, open_page, tmp_path):
    shutil.copytree(answered.path, tmp_path / "changed.lake")
    changed = Lake(tmp_path / "changed.lake")
    assert not any("out of date" in one.value for one in open_page("occlusion", answered).warning)
    with tables.writing(changed.tables_path) as connection:
        connection.execute("UPDATE images SET gender = 'male'")
    shown = open_page("occlusion", changed)
    assert not shown.exception
    assert any("out of date" in one.value for one in shown.warning)
