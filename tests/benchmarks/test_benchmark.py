import pytest

from benchmarks.benchmark import at_least, at_most, in_unit


@pytest.mark.parametrize(
    ("goal", "value", "reached"),
    [
        (at_most(1.2, "passes"), 1.2, True),
        (at_most(1.2, "passes"), 1.21, False),
        (at_least(4, "x"), 4.0, True),
        (at_least(4, "x"), 3.99, False),
    ],
)
def test_a_goal_is_reached_on_its_own_side(goal, value, reached):
    assert goal.is_reached(value) == reached


def test_a_goal_reads_as_in_the_readme():
    assert str(at_least(45, "x")) == ">= 45x"
    assert str(at_most(15, "%")) == "<= 15 %"


def test_numbers_have_three_digits():
    assert in_unit(1234.5, "x") == "1,234x"
    assert in_unit(1.2345, "passes") == "1.23 passes"
    assert in_unit(0.00012345, "s") == "0.000123 s"
