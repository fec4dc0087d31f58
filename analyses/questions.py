"""All questions: a new one is a module and a line here."""

from typing import Final

from analyses.demographics import question as demographics
from analyses.occlusion import question as occlusion
from analyses.person import question as person
from analyses.question import Question
from analyses.regions import individuals, thresholds
from analyses.regions import question as regions
from analyses.sanity import question as sanity
from analyses.similarity import question as similarity

QUESTIONS: Final[tuple[Question, ...]] = (
    regions.QUESTION,
    similarity.QUESTION,
    individuals.QUESTION,
    thresholds.QUESTION,
    occlusion.QUESTION,
    person.QUESTION,
    sanity.QUESTION,
    demographics.QUESTION,
)


def with_all_guides(questions: tuple[Question, ...]) -> tuple[Question, ...]:
    """Return the questions with occlusion's full transfer matrix in the place of its usual one."""
    return tuple(
        occlusion.ALL_GUIDES if question is occlusion.QUESTION else question
        for question in questions
    )
