"""Answers: a question put to a lake, its tables written there, and never computed twice."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import polars as pl

from analyses.question import LackingError, Question, Settings
from analyses.work import Work
from leamstore.errors import LakeError
from leamstore.lake import Lake
from leamstore.tables import results


@dataclass(frozen=True)
class Answer:
    """What became of a question.

    Attributes
    ----------
    question : Question
    state : str
        answered (computed now), kept (nothing has changed since it was), or lacking.
    why : str
        Of a lacking answer: what the lake lacks, in a sentence.
    tables : dict of str to polars.DataFrame
        Its result tables by name, as in the lake's ``result_<name>``.
    """

    question: Question
    state: Literal["answered", "kept", "lacking"]
    why: str = ""
    tables: dict[str, pl.DataFrame] = field(default_factory=dict)


def answer_question(
    lake: Lake, question: Question, settings: Settings, work: Work, again: bool = False
) -> Answer:
    """Answer a question from a lake, or from what was written there if nothing has changed.

    Parameters
    ----------
    again : bool
        Compute it even then.

    Raises
    ------
    LakeError
        If the lake can't be read or written.
    """
    recorded = recorded_settings(question, settings)
    with lake.kept_open():
        inputs = results.inputs_checksum(lake)
        if not again and results.are_current(lake, question.name, recorded, inputs):
            return Answer(question, "kept", tables=results.read_results(lake, question.name))
    try:
        tables = question.answer(lake, settings, work)
    except LackingError as error:
        return Answer(question, "lacking", why=str(error))
    results.write_results(lake, question.name, tables, recorded, inputs)
    return Answer(question, "answered", tables=tables)


def recorded_settings(question: Question, settings: Settings) -> dict[str, Any]:
    """Return all that shapes an answer: what everybody sets and what the question fixes."""
    return {**asdict(settings), **question.settings}


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
