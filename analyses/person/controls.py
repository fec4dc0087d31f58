"""Control models: which models of a lake control which, and the command that adds missing ones.

A control follows a network without asking it about the person (the targets norm, impostor and
impostor-random), or asks a network of random weights. Its maps are the standard that a model's
own have to exceed.
"""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import polars as pl

from analyses.cohort import embedded_models
from leamstore.lake import Lake
from leamstore.stand_ins import is_random

RANDOM: Final = "random weights"

CONTROLS: Final = ("norm", "impostor", "impostor-random", RANDOM)
"""The controls that are models, by name."""

_OWN_OPTIONS: Final = ("--models", "--target", "--weights", "--positives", "--layers", "--lake")
_FLAGS_OF_OUTPUT: Final = ("--json", "--quiet", "-q", "--debug")


@dataclass(frozen=True)
class Subject:
    """A model whose maps are examined, and its controls.

    Attributes
    ----------
    row : dict
        Its row of the table models.
    controls : dict of str to str
        Those of `CONTROLS` that the lake holds: names of models.
    """

    row: dict[str, Any]
    controls: dict[str, str]

    @property
    def name(self) -> str:
        """The model's name in the lake."""
        return str(self.row["model"])


def find_subjects(lake: Lake) -> list[Subject]:
    """Return the models that were run and aren't controls themselves, with their controls."""
    rows = embedded_models(lake)
    return [
        Subject(row, _controls_of(row, rows))
        for row in rows
        if row["positives"] != "none" and not is_random(row)
    ]


def command_to_add(lake: Lake, subject: Subject, control: str) -> str:
    """Return the command that adds a control: the model's last ingest, with other options."""
    commands = lake.sql(
        "SELECT command FROM runs ORDER BY coalesce(list_contains("
        "json_extract_string(settings, '$.models[*]'), ?), false) DESC, started DESC LIMIT 1",
        [subject.name],
    )["command"]
    before = shlex.split(commands[0]) if len(commands) else shlex.split("python -m ingest")
    added = ["--models", subject.row["catalog_name"], "--lake", str(lake.path)]
    if control != RANDOM:
        added += ["--target", control, *_weights_option(subject.row)]
    else:
        added += ["--weights", "random", "--target", subject.row["target"]]
        added += ["--positives", subject.row["positives"]]
    kept = [word for word in _without(before, _OWN_OPTIONS) if word not in _FLAGS_OF_OUTPUT]
    return shlex.join(kept + added)


def controls_table(lake: Lake, subjects: list[Subject], controls: Sequence[str]) -> pl.DataFrame:
    """Return the controls of each model that the lake holds, and commands that add the others.

    Returns
    -------
    polars.DataFrame
        model, control, held (the control's name in the lake; NULL without it) and command (that
        adds it; NULL where it is held).
    """
    rows = [
        (subject.name, control, held, None if held else command_to_add(lake, subject, control))
        for subject in subjects
        for control in controls
        for held in [subject.controls.get(control)]
    ]
    columns = ("model", "control", "held", "command")
    return pl.DataFrame(rows, dict.fromkeys(columns, pl.String), orient="row")


def _weights_option(row: dict[str, Any]) -> list[str]:
    """Return what names the weights, if they were a file and not those of the catalog's entry."""
    was_a_file = row["weights_sha256"] is not None and row["licence"] is None
    return ["--weights", row["weights_path"]] if was_a_file and row.get("weights_path") else []


def _controls_of(subject: dict[str, Any], rows: list[dict[str, Any]]) -> dict[str, str]:
    found = {}
    for row in rows:
        if row["catalog_name"] != subject["catalog_name"]:
            continue
        asked_alike = all(row[key] == subject[key] for key in ("target", "positives"))
        if is_random(row) and asked_alike:
            found[RANDOM] = row["model"]
        elif not is_random(row) and row["target"] in CONTROLS:
            found[row["target"]] = row["model"]
    return found


def _without(words: list[str], options: tuple[str, ...]) -> list[str]:
    """Return a command's words without these options and their values."""
    kept, skipping = [], False
    for word in words:
        if not skipping and word.split("=")[0] not in options:
            kept.append(word)
        skipping = not skipping and word in options
    return kept
