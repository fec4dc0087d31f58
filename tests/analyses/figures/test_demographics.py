import polars as pl
import pytest

from analyses.figures.demographics import pictures
from analyses.figures.rendering import render

ENDS = {"low": 0.01, "high": 0.03, "paper": None}
PAPER = {"paper": pl.Float64}


def drops():
    return pl.DataFrame([
        {"attribute": "gender", "group": group, "guiding": "NET", "judged": "NET",
         "percent": percent, "mask": mask, "estimate": 0.02, **ENDS}
        for group in ("female", "male")
        for mask in ("own", "random")
        for percent in (0.1, 1.0)
    ], schema_overrides=PAPER)  # fmt: skip


def shares():
    return pl.DataFrame([
        {"model": "NET", "attribute": "gender", "groups": "female - male", "region": region,
         "difference": 1.0, "low": low, "high": 2.0, "p_holm": p, "area_difference": 0.5}
        for region, low, p in (("nose", 0.5, 0.01), ("left_eye", -0.5, 0.6), ("hat", 0.0, None))
    ])  # fmt: skip


def ages():
    return pl.DataFrame([
        {"guiding": "NET", "judged": "NET", "years": years, "mask": mask, "percent": percent,
         "estimate": 0.8, **ENDS}
        for years in (1, 5, 30)
        for mask, percent in (("none", 0.0), ("own", 1.0), ("random", 1.0))
    ], schema_overrides=PAPER)  # fmt: skip


def test_what_the_lake_has_is_drawn_and_nothing_else():
    assert not list(pictures({}))
    tables = {"demographics_occlusion": drops(), "demographics": shares()}
    names = [picture.name for picture in pictures(tables)]
    assert names == ["demographics_occlusion_gender", "demographics_NET_gender_female_male"]


def test_drops_are_drawn_at_one_percent_a_bar_for_each_group_and_mask():
    (picture,) = pictures({"demographics_occlusion": drops()})
    (axes,) = picture.figure.axes
    assert [bar.get_height() for bar in axes.patches] == [0.02] * 4
    assert [label.get_text() for label in axes.get_xticklabels()] == ["female", "male"]


def test_groups_may_have_names_that_look_like_formulas():
    odd = pl.col("group").replace("male", "$x^$ {")
    both = {
        "demographics_occlusion": drops().with_columns(odd),
        "demographics": shares().with_columns(groups=pl.lit("female - $x^$ {")),
    }
    for picture in pictures(both):
        assert b"$x^$ {" in render(picture, ()).svg


def test_a_region_that_differs_after_correction_is_filled():
    (picture,) = pictures({"demographics": shares()})
    marks = [line for line in picture.figure.axes[0].lines if line.get_marker() == "o"]
    assert [mark.get_markerfacecolor() != "white" for mark in marks] == [True, False, False]


def test_cosines_are_drawn_against_years_with_the_faces_as_they_are():
    (picture,) = pictures({"demographics_ages": ages()})
    (axes,) = picture.figure.axes
    drawn = list(axes.containers)
    assert len(drawn) == 3
    assert list(drawn[0].lines[0].get_xdata()) == [1, 5, 30]


def test_scores_are_drawn_as_boxes_of_each_mask_by_percent_and_span():
    rows = pl.DataFrame([
        {"guiding": "NET", "judged": "NET", "years": span, "mask": mask, "percent": percent,
         "quantile": quantile, "estimate": 0.8 + 0.01 * place, "identities": 3, "pairs": 12}
        for span in ("0 to 14", "15 or more")
        for mask, percent in (("none", 0.0), ("own", 1.0), ("random", 1.0))
        for place, quantile in enumerate((0.05, 0.25, 0.5, 0.75, 0.95))
    ])  # fmt: skip
    (picture,) = pictures({"demographics_age_scores": rows})
    near, far = picture.figure.axes
    assert near.get_title(loc="left") == "0 to 14 years, 12 pairs of 3 people"
    assert len(far.patches) == 3
    box = far.patches[0].get_path().vertices[:, 1]
    assert [box.min(), box.max()] == pytest.approx([0.81, 0.83])
