"""The list of all questions; a new question is a module and a line here."""

from importlib import import_module
from typing import Final

from analyses.occlusion import question as occlusion
from analyses.question import Question

_MODULES: Final = (
    "analyses.recognition.question",
    "analyses.regions.question",
    "analyses.similarity.question",
    "analyses.regions.individuals",
    "analyses.regions.thresholds",
    "analyses.occlusion.question",
    "analyses.person.question",
    "analyses.sanity.question",
    "analyses.demographics.question",
)
"""Modules with a `Question` named QUESTION."""

QUESTIONS: Final[tuple[Question, ...]] = tuple(import_module(name).QUESTION for name in _MODULES)


def with_all_guides(questions: tuple[Question, ...]) -> tuple[Question, ...]:
    """Return the questions with occlusion's full transfer matrix in the place of its usual one."""
    return tuple(
        occlusion.ALL_GUIDES if question is occlusion.QUESTION else question
        for question in questions
    )
