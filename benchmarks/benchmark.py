"""The definition of a benchmark: its work, its reference, its goals and the timing function."""

import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from pkgutil import resolve_name
from typing import Final, Literal

_REACHED: Final[dict[str, Callable[[float, float], bool]]] = {"<=": operator.le, ">=": operator.ge}


@dataclass(frozen=True)
class Settings:
    """Settings of all benchmarks of a run.

    Attributes
    ----------
    quick : bool
        Sizes that show that a benchmark runs, and nothing else.
    seed : int
        Of everything drawn.
    images : Path or None
        Folder of identities to ingest; None: the demo set.
    scratch : Path
        Folder for files, on the disk that is measured; removed at the end.
    """

    quick: bool
    seed: int
    images: Path | None
    scratch: Path

    def size(self, full: int, quick: int) -> int:
        """Return the size of something: `full`, or `quick` in a quick run."""
        return quick if self.quick else full

    @property
    def repeats(self) -> int:
        """Number of timings of each side of a comparison."""
        return self.size(5, 1)


@dataclass(frozen=True)
class Goal:
    """The goal of a measured value."""

    relation: Literal["<=", ">="]
    value: float
    unit: str

    def is_reached(self, value: float) -> bool:
        """Return whether a measured value meets the goal."""
        return _REACHED[self.relation](value, self.value)

    def __str__(self) -> str:
        return f"{self.relation} {in_unit(self.value, self.unit)}"


@dataclass(frozen=True)
class Measured:
    """A number that came out.

    Attributes
    ----------
    case : str
        Which of the benchmark's goals it belongs to.
    value : float
        In the goal's unit.
    note : str
        What it was made of, and what a reader must know.
    """

    case: str
    value: float
    note: str


Measure = Callable[[Settings], Iterator[Measured]]


@dataclass(frozen=True)
class Benchmark:
    """A benchmark, as the list of them names it.

    Attributes
    ----------
    name : str
        As it is typed.
    work, against : str
        What is measured, and against what.
    goals : mapping of str to Goal
        By case; each case is a row of the table.
    function : str
        ``package.module:callable`` of type `Measure`; imported when it is run.
    is_long : bool
        Whether it takes many minutes, and so runs only if it is asked for.
    """

    name: str
    work: str
    against: str
    goals: Mapping[str, Goal]
    function: str
    is_long: bool = False

    def measure(self, settings: Settings) -> Iterator[Measured]:
        """Run it."""
        measure: Measure = resolve_name(self.function)
        return measure(settings)


def at_most(value: float, unit: str) -> Goal:
    """Return the goal of a number that is to be small."""
    return Goal("<=", value, unit)


def at_least(value: float, unit: str) -> Goal:
    """Return the goal of a number that is to be large."""
    return Goal(">=", value, unit)


def in_unit(value: float, unit: str) -> str:
    """Return a number of three digits with its unit."""
    digits = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return f"{digits}{'' if unit in 'x' else ' '}{unit}"
