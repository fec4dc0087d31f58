"""All questions: a new one is a module and a line here."""

from typing import Final

from analyses import demographics, individuals, occlusion, regions, thresholds
from analyses.question import Question

QUESTIONS: Final[tuple[Question, ...]] = (
    regions.QUESTION,
    individuals.QUESTION,
    thresholds.QUESTION,
    occlusion.QUESTION,
    demographics.QUESTION,
)
