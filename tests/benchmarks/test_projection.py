import pytest

from benchmarks.projection import PAPER, Study


def test_hours_are_those_of_all_models_one_after_the_other():
    study = Study(pairs=3600, models={"small": 2, "large": 1})
    # Two small models of 3600 pairs at 0.5 s, an hour together, and a large one at 2 s.
    assert study.hours({"small": 0.5, "large": 2.0}) == pytest.approx(3.0)


def test_a_network_that_was_not_measured_has_no_hours():
    with pytest.raises(KeyError):
        Study(10, {"small": 1}).hours({"large": 1.0})


def test_the_paper_has_nine_models():
    assert sum(PAPER.models.values()) == 9
