import time

import pytest

from benchmarks import timing
from benchmarks.timing import medians, seconds_of


class Clock:
    """A clock that only moves when something sleeps by it."""

    def __init__(self):
        self.now = 1.0

    def perf_counter(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(timing, "time", clock)
    return clock


def test_sides_take_turns_after_one_call_each_that_does_not_count():
    calls = []
    found = medians({"ours": lambda: calls.append("o"), "theirs": lambda: calls.append("t")}, 3)
    assert "".join(calls) == "ot" * 4
    assert set(found) == {"ours", "theirs"}


def test_a_median_leaves_the_odd_slow_call_out(clock):
    pauses = iter([0, 0.25, 2.0, 0.25])
    assert medians({"ours": lambda: clock.sleep(next(pauses))}, 3) == {"ours": 0.25}


def test_seconds_are_seconds():
    assert seconds_of(lambda: time.sleep(0.02)) >= 0.02


def test_what_is_done_before_each_call_does_not_count(clock):
    calls = []

    def side():
        calls.append("o")
        clock.sleep(0.25)

    found = medians({"ours": side}, 2, before=lambda: clock.sleep(2.0))
    assert found == {"ours": 0.25}
    assert calls == ["o"] * 3
