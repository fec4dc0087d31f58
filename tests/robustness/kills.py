"""SIGKILL an ingest at random moments, go on, and compare with one that nobody disturbed.

``python -m tests.robustness.kills --times 100`` takes about half an hour of two cores;
``--signal SIGINT`` does the same by Ctrl-C, which has to end in a sentence, and
``--signal SIGKILL SIGINT`` kills so often by each. Half of the kills come at a moment drawn over
the whole run; the other half just before one of the run's steps on files (a file opened for
writing, renamed or removed, a folder made), drawn over all of them. After each, what a reader sees
must be whole; after the next ingest, every table, array and file must equal those of the lake that
was made in one go.
"""

# ruff: noqa: I001 - scenarios sets the size of shards before other modules are imported
from tests.robustness.scenarios import Scenario, change_photographs, ingest, write_photographs

import argparse
import contextlib
import importlib
import json
import os
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ingest.photographs.datasets import Photograph
from ingest.faces.survey import look_at
from leamstore import commandline, tables
from leamstore.lake import Lake
from leamstore.tables.ledger import retiring_shards
from leamstore.safety.verify import verify
from tests.robustness.children import answer_of, begin, ended
from tests.robustness.contents import contents, differences

STEPS = {"open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link"}

UNFINISHED = (
    "the unit is not done",
    "entries that have no row in the tables",
    "images have left, and their maps are not cleared",
    "it was being written",
)
"""What may be found in a lake whose ingest was killed; a reader of the tables sees none of it."""


def main() -> None:
    """Kill as often as was asked for, print counts by signal as JSON; fail if a lake differs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signal", choices=["SIGKILL", "SIGINT"], nargs="+", default=["SIGKILL"])
    options = parser.parse_args()
    signals = [signal.Signals[name] for name in options.signal]
    with tempfile.TemporaryDirectory() as folder:
        trials = kill_often(Path(folder), options.times, options.seed, signals)
    print(json.dumps({by.name: summary(done) for by, done in trials.items()}, indent=2))
    sys.exit(any(trial["wrong"] for done in trials.values() for trial in done))


def summary(trials: list[dict[str, Any]]) -> dict[str, Any]:
    """Count how the kills by one signal went."""
    failed = [trial for trial in trials if trial["wrong"]]
    counts = Counter(f"{trial['scenario']}: {trial['stage']}" for trial in trials)
    return {
        "kills": len(trials),
        "survived": len(trials) - len(failed),
        "in a write": sum(trial["in_a_write"] for trial in trials),
        "ended before the kill": sum(not trial["killed"] for trial in trials),
        "longest end in seconds": max(trial["seconds_to_end"] for trial in trials),
        "died": dict(sorted(counts.items())),
        "failed": failed,
    }


def kill_often(
    folder: Path, times: int, seed: int, signals: Sequence[signal.Signals]
) -> dict[signal.Signals, list[dict[str, Any]]]:
    """Kill ingests `times` times by each signal and return what became of each."""
    rehearsed = [(scenario, rehearse(scenario, folder)) for scenario in scenarios(folder)]
    return {by: _trials(folder, times, random.Random(seed), by, rehearsed) for by in signals}


def _trials(
    folder: Path,
    times: int,
    draw: random.Random,
    by: signal.Signals,
    rehearsed: Sequence[tuple[Scenario, dict[str, Any]]],
) -> list[dict[str, Any]]:
    trials = []
    for number in range(times):
        scenario, whole = rehearsed[number % 2]
        if number // 2 % 2:
            trial = kill(scenario, folder, whole, by, at_step=draw.randrange(whole["steps"]))
        else:
            trial = kill(scenario, folder, whole, by, at_second=draw.uniform(0, whole["seconds"]))
        trials.append(trial)
        print(by.name, number + 1, trial, file=sys.stderr, flush=True)
    return trials


def scenarios(folder: Path) -> list[Scenario]:
    """Write the photographs, and the lake that the second scenario begins with."""
    photographs, before = folder / "changed" / "photographs", folder / "before.lake"

    def make() -> list[str]:
        write_photographs(folder / "new")
        write_photographs(folder / "changed")
        ingest(photographs, before)
        verify(Lake(before))
        change_photographs(folder / "changed")
        return list(sys.modules)

    for name in answer_of(make, folder):
        # What one ingest and a look at its lake have loaded is loaded here, for all that follow.
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    look_at(Photograph(min(photographs.rglob("*_0001.jpg")), "", ""))
    return [
        Scenario("new", folder / "new" / "photographs", None),
        Scenario("changed", photographs, before),
    ]


def rehearse(scenario: Scenario, folder: Path) -> dict[str, Any]:
    """Let the ingest run through: its contents, its seconds and its number of steps."""
    lake = folder / "whole.lake"
    scenario.place(lake)
    begun = time.monotonic()
    steps = answer_of(lambda: _counted(scenario, lake), folder)
    seconds = time.monotonic() - begun
    whole = answer_of(lambda: contents(Lake(lake)), folder)
    return {"contents": whole, "steps": steps, "seconds": seconds}


def kill(
    scenario: Scenario,
    folder: Path,
    whole: dict[str, Any],
    by: signal.Signals,
    at_second: float | None = None,
    at_step: int | None = None,
) -> dict[str, Any]:
    """Kill one ingest, look at what it left, go on, and compare with the whole lake."""
    lake = folder / "killed.lake"
    scenario.place(lake)
    said = folder / "killed.txt"
    child = begin(lambda: _killed_at(scenario, lake, by, at_step), said)
    status = ended(child, at_second)
    signalled = time.monotonic()
    if status is None:
        os.killpg(child, by)
        status = ended(child)
    seconds = time.monotonic() - signalled
    in_a_write = any(
        next(lake.rglob(pattern), None) is not None for pattern in ("*.partial", "*.wal")
    )
    stage, seen = answer_of(lambda: _state(lake, int(scenario.before is not None)), folder)
    made, problems = answer_of(lambda: _gone_on(scenario, lake), folder)
    return {
        "scenario": scenario.name,
        "at": f"step {at_step}" if at_second is None else f"{at_second:.2f} s",
        "killed": status != 0,
        "seconds_to_end": round(seconds, 2),
        "stage": stage,
        "in_a_write": in_a_write,
        "wrong": [
            *_wrong_end(status, by, said),
            *seen,
            *differences(made, whole["contents"]),
            *problems,
        ],
    }


def _counted(scenario: Scenario, lake: Path) -> int:
    steps = []
    _on_each_step(lake, lambda: steps.append(1))
    scenario.ingest(lake)
    return len(steps)


def _wrong_end(status: int | None, by: signal.Signals, said: Path) -> list[str]:
    """Return what is wrong with an end: a kill has no words, Ctrl-C one sentence."""
    if status == 0 or (by == signal.SIGKILL and status == -by):
        return []
    words = said.read_text()
    if status == 130 and "the same command goes on from there" in words.replace("\n", " "):
        return ["a traceback"] if "Traceback" in words else []
    return [f"it ended with {status}: {words}"]


def _killed_at(scenario: Scenario, lake: Path, by: signal.Signals, step: int | None) -> None:
    """Ingest, as the command line does; with a step, be signalled just before it."""
    # A shell lets what it starts in the background ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    left = [step]

    def count() -> None:
        if left[0] == 0:
            os.killpg(0, by)
        left[0] -= 1

    if step is not None:
        _on_each_step(lake, count)
    commandline.run(lambda: scenario.ingest(lake))


def _on_each_step(lake: Path, act: Callable[[], object]) -> None:
    def hook(event: str, arguments: Sequence[object]) -> None:
        if event not in STEPS or not str(arguments[0]).startswith(str(lake)):
            return
        if event != "open" or int(arguments[2]) & (os.O_WRONLY | os.O_RDWR):
            act()

    sys.addaudithook(hook)


def _state(lake: Path, runs_before: int) -> tuple[str, list[str]]:
    """Return how far a killed ingest had come, and what a reader sees that isn't whole."""
    if not (lake / "lake.duckdb").exists():
        return ("creating the lake" if lake.exists() else "starting"), []
    wrong = [
        problem
        for problem in _problems(lake)
        if not re.sub(r": \d+$", "", problem).endswith(UNFINISHED)
    ]
    return _stage(Lake(lake), runs_before), wrong


def _gone_on(scenario: Scenario, lake: Path) -> tuple[dict[str, str], list[str]]:
    """Ingest again, and return what the lake then holds and what is wrong with it."""
    scenario.ingest(lake)
    return contents(Lake(lake)), _problems(lake)


def _stage(lake: Lake, runs_before: int) -> str:
    with tables.reading(lake.tables_path) as connection:
        if retiring_shards(connection):
            return "clearing maps"
    runs = lake.sql("FROM runs ORDER BY rowid DESC").to_dicts()
    if len(runs) == runs_before:
        return "starting"
    if runs[0]["ended"] is not None:
        return "ended"
    if lake.images.is_empty() or "pending" in lake.sql("SELECT status FROM images")["status"]:
        return "looking at faces"
    units = lake.sql("SELECT count(*) FROM units WHERE run_id = ?", [runs[0]["run_id"]]).item()
    return "units, some done" if units else "units, none done"


def _problems(lake: Path) -> list[str]:
    return [f"{fault.place}: {fault.problem}" for fault in verify(Lake(lake))]


if __name__ == "__main__":
    main()
