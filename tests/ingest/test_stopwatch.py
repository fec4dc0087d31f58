from types import SimpleNamespace

import pytest

from ingest import stopwatch
from ingest.stopwatch import Stopwatch


@pytest.fixture
def now(monkeypatch):
    """Seconds of the clock, which stands still unless a test moves it."""
    now = [10.0]
    monkeypatch.setattr(stopwatch, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return now


def test_seconds_of_a_stage_add_up(now):
    watch = Stopwatch()
    for seconds in (1.0, 2.0):
        with watch.measured("read"):
            now[0] += seconds
        now[0] += 5.0
    assert watch.seconds == {"read": 3.0}


def test_a_stage_that_fails_is_counted_up_to_there(now):
    watch = Stopwatch()
    with pytest.raises(ValueError, match="broken"), watch.measured("read"):
        now[0] += 1.0
        raise ValueError("broken")
    assert watch.seconds == {"read": 1.0}


def test_what_is_done_with_an_item_is_not_time_waited_for_it(now):
    def made():
        for item in "ab":
            now[0] += 1.0
            yield item

    watch = Stopwatch()
    for _ in watch.waited("read", made()):
        now[0] += 5.0
    assert watch.seconds == {"read": 2.0}
