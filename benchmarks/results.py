"""Results of a run: rows, printed as a table and written as files for the README."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.benchmark import Benchmark, in_unit


@dataclass(frozen=True)
class Row:
    """A case of a benchmark, measured or not.

    Attributes
    ----------
    value : float or None
        None where it wasn't measured; the note says why.
    """

    benchmark: Benchmark
    case: str
    value: float | None
    note: str

    @property
    def verdict(self) -> str:
        """Whether the goal is reached: yes, no, or - if it wasn't measured."""
        if self.value is None:
            return "-"
        return "yes" if self.benchmark.goals[self.case].is_reached(self.value) else "no"

    @property
    def cells(self) -> tuple[str, ...]:
        """The row as text, under `HEADINGS`."""
        goal = self.benchmark.goals[self.case]
        value = "-" if self.value is None else in_unit(self.value, goal.unit)
        work, against = self.benchmark.work, self.benchmark.against
        return (work, against, self.case, value, str(goal), self.verdict, self.note)

    def as_dict(self) -> dict[str, Any]:
        """Return the row for JSON."""
        goal = self.benchmark.goals[self.case]
        return {
            "benchmark": self.benchmark.name,
            "work": self.benchmark.work,
            "against": self.benchmark.against,
            "case": self.case,
            "value": self.value,
            "unit": goal.unit,
            "goal": str(goal),
            "reached": None if self.value is None else self.verdict == "yes",
            "note": self.note,
        }


HEADINGS = ("work", "measured against", "case", "result", "goal", "reached", "note")


def write_results(
    folder: Path, rows: Sequence[Row], machine: dict[str, Any], quick: bool
) -> list[Path]:
    """Write a run as ``<date>.json`` and ``<date>.md``; return both paths."""
    folder.mkdir(parents=True, exist_ok=True)
    name = machine["date"].replace(":", "").removesuffix("+0000") + ("-quick" if quick else "")
    facts = {"quick": quick, "machine": machine, "rows": [row.as_dict() for row in rows]}
    paths = [folder / f"{name}.json", folder / f"{name}.md"]
    paths[0].write_text(json.dumps(facts, indent=2) + "\n")
    paths[1].write_text(as_markdown(rows, machine, quick))
    return paths


def as_markdown(rows: Sequence[Row], machine: dict[str, Any], quick: bool) -> str:
    """Return a run as a page."""
    versions = ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    bfloat16 = "with" if machine["bfloat16_instructions"] else "without"
    lines = [
        "# Benchmarks",
        "",
        *(["**A quick run: these numbers say nothing.**", ""] if quick else []),
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB, "
        f"{bfloat16} bfloat16 instructions; {versions}; {machine['date']}, commit "
        f"{machine['commit']}, seed {machine['seed']}, load before {machine['load_before']}. "
        "Medians of interleaved repeats.",
        "",
        _line(HEADINGS),
        _line(["---"] * len(HEADINGS)),
        *(_line(row.cells) for row in rows),
    ]
    return "\n".join(lines) + "\n"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"
