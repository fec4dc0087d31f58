from itertools import product

import polars as pl
import pytest

from analyses.figures.occlusion import pictures
from analyses.rerun.verification import MEASURES

RUNS = (("NET", "NET"), ("IR_CASIA", "NET"), ("IR_CASIA", "IR_CASIA"))


def rows_of(runs, low=0.01, **columns):
    names = list(columns)
    return pl.DataFrame([
        {"guiding": guiding, "judged": judged, "layer": "conv1",
         **dict(zip(names, row, strict=True)),
         "estimate": 0.02, "share": 0.5, "low": low, "high": 0.03, "paper": None}
        for guiding, judged in runs
        for row in product(*columns.values())
    ], schema_overrides={"paper": pl.Float64})  # fmt: skip


def tables_of(runs):
    return {
        "occlusion": rows_of(
            runs, percent=(0.1, 1.0), mask=("own", "random"), fill=("black",), measure=MEASURES
        ),
        "occlusion_contrasts": rows_of(
            runs,
            percent=(1.0,),
            contrast=("own - random", "own - swap"),
            fill=("black", "blur"),
            measure=MEASURES,
        ),
        "occlusion_curves": rows_of(
            runs,
            percent=(0.0, 100.0),
            mask=("own", "random"),
            curve=("deletion",),
            fill=("black",),
            measure=("cosine",),
        ),
    }


def test_one_model_has_its_drops_its_contrasts_and_its_curves_and_no_transfer():
    drawn = [picture.name for picture in pictures(tables_of(RUNS[:1]))]
    assert drawn == ["occlusion_NET", "occlusion_contrasts_NET", "occlusion_curves_NET"]


def test_several_models_have_the_matrix_of_those_that_were_tried():
    *_, transfer = pictures(tables_of(RUNS))
    assert transfer.name == "occlusion_transfer"
    axes = transfer.figure.axes[0]
    written = {text.get_position(): text.get_text() for text in axes.texts}
    assert [label.get_text() for label in axes.get_xticklabels()] == ["IR_CASIA", "NET"]
    # By column and row: NET never guided for IR_CASIA.
    assert written == {(0, 0): "0.020*", (1, 0): "0.020*", (1, 1): "0.020*"}


def test_a_model_the_paper_lacks_is_drawn_with_the_papers_mean():
    first, *_ = pictures(tables_of(RUNS[:1]))
    lines = first.figure.axes[0].lines
    dotted = [line for line in lines if line.get_linestyle() == ":"]
    assert len(dotted) == 2
    assert dict(zip(*dotted[0].get_data(), strict=True))[1.0] == pytest.approx(0.1148)


def test_drops_without_intervals_are_drawn_all_the_same():
    tables = tables_of(RUNS[:1])
    unknown = [pl.lit(None, pl.Float64).alias(name) for name in ("low", "high")]
    assert len(list(pictures({k: rows.with_columns(unknown) for k, rows in tables.items()}))) == 3
