"""Runs benchmarks one after another; one that cannot be measured gives a row with a reason."""

from collections.abc import Iterator, Sequence

from benchmarks.benchmark import Benchmark, Settings
from benchmarks.results import Row
from leamstore.errors import LeamError


def choose(benchmarks: Sequence[Benchmark], names: Sequence[str], long: bool) -> list[Benchmark]:
    """Return the benchmarks of these names in their order; all but the long ones for ``all``.

    Raises
    ------
    LeamError
        If a name is unknown.
    """
    known = [benchmark.name for benchmark in benchmarks]
    unknown = [name for name in names if name not in ("all", *known)]
    if unknown:
        raise LeamError(
            f"There is no benchmark {', '.join(unknown)}: choose all, or from {', '.join(known)}."
        )
    return [
        benchmark
        for benchmark in benchmarks
        if benchmark.name in names or ("all" in names and (long or not benchmark.is_long))
    ]


def rows_of(benchmark: Benchmark, settings: Settings) -> Iterator[Row]:
    """Yield a row for each case of a benchmark, in the order of its goals where it fails."""
    done = set()
    try:
        for measured in benchmark.measure(settings):
            done.add(measured.case)
            yield Row(benchmark, measured.case, measured.value, measured.note)
    except ImportError as error:
        reason = f"not measured: {error.name} isn't installed (uv sync brings it)"
    except LeamError as error:
        reason = f"not measured: {error}"
    else:
        return
    for case in benchmark.goals:
        if case not in done:
            yield Row(benchmark, case, None, reason)
