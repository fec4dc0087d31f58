import polars as pl

from analyses.figures.person import pictures
from analyses.person.evidence import AUC
from analyses.person.verdict import CLAIMS

FILLS = ("black", "blur")
OF = {"model": "NET", "position": 0, "layer": "conv1", "low": -0.1, "high": 0.3}


def tables(claims=tuple(CLAIMS)):
    rows = [
        OF | {"claim": claim, "fill": fill, "control": None, "estimate": 0.1}
        for claim in claims
        for fill in FILLS
    ]
    rows += [
        OF | {"claim": AUC, "fill": None, "control": control, "estimate": 0.7}
        for control in (None, "norm")
    ]
    verdicts = pl.DataFrame({"model": "NET", "position": [0], "verdict": "not shown"})
    evidence = pl.DataFrame(rows, infer_schema_length=None)
    return {"person": verdicts, "person_evidence": evidence}


def test_claims_stand_by_fill_under_the_verdict_of_their_layer():
    occlusion, _ = pictures(tables())
    (axes,) = occlusion.figure.axes
    assert axes.get_title(loc="left") == "NET, conv1:\nnot shown"
    assert [label.get_text() for label in axes.get_yticklabels()] == list(CLAIMS)
    assert len(axes.containers) == len(FILLS)


def test_the_models_maps_and_its_controls_each_have_a_line_with_intervals():
    *_, likeness = pictures(tables())
    (axes,) = likeness.figure.axes
    assert len(axes.containers) == 2
    assert all(container.has_yerr for container in axes.containers)


def test_what_was_not_asked_is_not_drawn():
    assert [picture.name for picture in pictures(tables(claims=()))] == ["person_likeness"]
