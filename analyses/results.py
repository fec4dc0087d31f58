"""Answers: the result tables of a question, written into the lake and computed only once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import polars as pl

from analyses.question import LEFT_OUT, LackingError, Question, Settings
from analyses.work import Work
from leamstore.errors import LakeError, LockedError
from leamstore.lake import Lake
from leamstore.tables import results

PATIENCE: Final = 60.0
"""Seconds that an answer waits for another process to release the tables."""


@dataclass(frozen=True)
class Answer:
    """The outcome of a question.

    Attributes
    ----------
    question : Question
    state : str
        answered (computed now), kept (nothing has changed since it was), or lacking.
    why : str
        Of a lacking answer: what the lake lacks, in a sentence.
    tables : dict of str to polars.DataFrame
        Its result tables by name, as in the lake's ``result_<name>``.
    unwritten : str
        The `leamstore.tables.results.inputs_checksum` of an answer that isn't in the lake yet,
        since another process holds the tables open: `write_late` puts it there.
    """

    question: Question
    state: Literal["answered", "kept", "lacking"]
    why: str = ""
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)
    unwritten: str = ""


def answer_question(
    lake: Lake,
    question: Question,
    settings: Settings,
    work: Work,
    again: bool = False,
    patience: float = PATIENCE,
) -> Answer:
    """Answer a question from a lake, or read the answer there if nothing has changed.

    An answer that leaves models out is asked again: they may be there by now.

    Parameters
    ----------
    again : bool
        Compute it even then.
    patience : float
        Seconds after which an answer is left unwritten, if another process holds the tables open.

    Raises
    ------
    LakeError
        If the lake can't be read or written.
    """
    recorded = recorded_settings(question, settings)
    with lake.kept_open():
        inputs = results.inputs_checksum(lake)
        if not again and results.are_current(lake, question.name, recorded, inputs):
            written = results.read_results(lake, question.name)
            if f"{question.name}_{LEFT_OUT}" not in written:
                return Answer(question, "kept", tables=written)
    try:
        tables = question.answer(lake, settings, work)
    except LackingError as error:
        return Answer(question, "lacking", why=str(error))
    try:
        results.write_results(lake, question.name, tables, recorded, inputs, patience=patience)
    except LockedError:
        return Answer(question, "answered", tables=tables, unwritten=inputs)
    return Answer(question, "answered", tables=tables)


def write_late(lake: Lake, answers: Sequence[Answer], settings: Settings) -> list[Answer]:
    """Write the answers that aren't in the lake yet, however long its tables are held open."""
    late = [answer for answer in answers if answer.unwritten]
    for answer in late:
        recorded = recorded_settings(answer.question, settings)
        results.write_results(lake, answer.question.name, answer.tables, recorded, answer.unwritten)
    return [replace(answer, unwritten="") for answer in answers]


def recorded_settings(question: Question, settings: Settings) -> dict[str, Any]:
    """Return all settings of an answer: the common ones and those of the question."""
    return {**settings.recorded(), **question.settings}


def choose_questions(questions: Sequence[Question], names: Sequence[str]) -> list[Question]:
    """Return the questions named, in the order of `questions`; ``all`` or no name is all of them.

    Raises
    ------
    LakeError
        If there is no such question.
    """
    known = {question.name: question for question in questions}
    unknown = [name for name in names if name != "all" and name not in known]
    if unknown:
        raise LakeError(
            f"there is no question {', '.join(unknown)}; ask all, or of {', '.join(known)}."
        )
    if not names or "all" in names:
        return list(questions)
    return [question for question in questions if question.name in names]
