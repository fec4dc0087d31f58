import time

from benchmarks.timing import medians, seconds_of


def test_sides_take_turns_after_one_call_each_that_does_not_count():
    calls = []
    found = medians({"ours": lambda: calls.append("o"), "theirs": lambda: calls.append("t")}, 3)
    assert "".join(calls) == "ot" * 4
    assert set(found) == {"ours", "theirs"}


def test_a_median_leaves_the_odd_slow_call_out():
    pauses = iter([0, 0, 0.2, 0])
    assert medians({"ours": lambda: time.sleep(next(pauses))}, 3)["ours"] < 0.1


def test_seconds_are_seconds():
    assert seconds_of(lambda: time.sleep(0.02)) >= 0.02


def test_what_is_done_before_each_call_does_not_count():
    calls = []
    found = medians({"ours": lambda: calls.append("o")}, 2, before=lambda: time.sleep(0.05))
    assert found["ours"] < 0.05
    assert calls == ["o"] * 3
