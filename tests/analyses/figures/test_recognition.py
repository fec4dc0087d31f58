import numpy as np
import pytest

from analyses.figures.recognition import pictures
from analyses.recognition.probe import OWN, SEPARATION
from analyses.recognition.scores import THRESHOLD
from tests.dashboards.planted import MODEL, recognition_tables


def test_cosines_stand_by_kind_with_the_threshold_in_a_panel_for_each_model():
    tables = recognition_tables()
    scores, *_ = pictures(tables)
    assert [one.get_title(loc="left") for one in scores.figure.axes] == [MODEL, f"{MODEL}@random"]
    genuine, impostor, threshold = scores.figure.axes[0].lines
    expected = tables["recognition"].filter(model=MODEL, measure=THRESHOLD)["estimate"].item()
    assert threshold.get_xdata()[0] == expected
    for kind in (genuine, impostor):
        assert np.sum(kind.get_ydata(orig=True)) == pytest.approx(100)


def test_aucs_of_models_and_controls_differ_in_colour():
    _, areas, _ = pictures(recognition_tables())
    (axes,) = areas.figure.axes
    model, control = axes.containers
    assert (len(model.lines[0].get_xdata()), len(control.lines[0].get_xdata())) == (1, 1)
    assert model.lines[0].get_color() != control.lines[0].get_color()


def test_each_other_input_has_a_line_about_zero():
    tables = recognition_tables()
    *_, inputs = pictures(tables)
    (axes,) = inputs.figure.axes
    others = tables["recognition_probe"].filter(measure=SEPARATION)
    assert len(axes.get_yticks()) == others.height - 1
    assert not any(OWN in label.get_text() for label in axes.get_yticklabels())


def test_without_a_model_that_can_be_run_no_inputs_are_drawn():
    tables = recognition_tables()
    tables["recognition_probe"] = tables["recognition_probe"].clear()
    assert [one.name for one in pictures(tables)] == ["recognition_scores", "recognition_auc"]
