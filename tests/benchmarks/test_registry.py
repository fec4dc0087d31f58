from pkgutil import resolve_name

import pytest

from benchmarks.registry import BENCHMARKS


@pytest.mark.parametrize("benchmark", BENCHMARKS, ids=lambda benchmark: benchmark.name)
def test_every_benchmark_has_a_function_and_goals(benchmark):
    assert callable(resolve_name(benchmark.function))
    assert benchmark.goals


def test_names_are_unique():
    assert len({benchmark.name for benchmark in BENCHMARKS}) == len(BENCHMARKS)


@pytest.mark.parametrize("name", ["bc", "sql"])
def test_a_benchmark_measures_each_of_its_cases_once(name, settings):
    benchmark = next(benchmark for benchmark in BENCHMARKS if benchmark.name == name)
    measured = list(benchmark.measure(settings))
    assert sorted(one.case for one in measured) == sorted(benchmark.goals)
    assert all(one.value > 0 for one in measured)
