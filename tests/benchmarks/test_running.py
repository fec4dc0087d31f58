import pytest

from benchmarks.benchmark import Benchmark, Measured, at_most
from benchmarks.registry import BENCHMARKS
from benchmarks.running import choose, rows_of
from leamstore.errors import LeamError

GOALS = {"first": at_most(1, "s"), "second": at_most(1, "s")}


def benchmark_of(function):
    return Benchmark("one", "work", "peer", GOALS, f"{__name__}:{function.__name__}")


def whole(_settings):
    yield Measured("first", 0.5, "fine")
    yield Measured("second", 2.0, "slow")


def without_its_peer(_settings):
    yield Measured("first", 0.5, "fine")
    import a_peer_that_nobody_has  # noqa: F401


def without_photographs(_settings):
    yield from ()
    raise LeamError("needs photographs")


def test_each_case_becomes_a_row_with_a_verdict(settings):
    rows = list(rows_of(benchmark_of(whole), settings))
    assert [(row.case, row.verdict) for row in rows] == [("first", "yes"), ("second", "no")]


def test_a_missing_peer_is_a_sentence_and_no_crash(settings):
    rows = list(rows_of(benchmark_of(without_its_peer), settings))
    assert [(row.case, row.value, row.verdict) for row in rows] == [
        ("first", 0.5, "yes"),
        ("second", None, "-"),
    ]
    assert "a_peer_that_nobody_has isn't installed" in rows[1].note


def test_what_a_benchmark_lacks_is_said_in_every_row(settings):
    rows = list(rows_of(benchmark_of(without_photographs), settings))
    assert [row.note for row in rows] == ["not measured: needs photographs"] * 2


def test_long_benchmarks_run_only_if_asked_for():
    def names(asked, long):
        return [benchmark.name for benchmark in choose(BENCHMARKS, asked, long)]

    assert "memory" not in names(["all"], long=False)
    assert "memory" in names(["all"], long=True)
    assert names(["memory"], long=False) == ["memory"]


def test_an_unknown_name_is_refused_with_those_that_are_known():
    with pytest.raises(LeamError, match=r"no benchmark speed: .*leam, torchcam"):
        choose(BENCHMARKS, ["speed"], long=False)
