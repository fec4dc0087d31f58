"""Effect of hiding the pixels that a map calls relevant, by whose map it is (RQ6).

Pixels of an anchor are hidden in the order of a guiding model's map, the chip is embedded again
by a judged model, and the drop of its likeness to its positives is taken. Own against random
shows only that the map finds sensitive pixels, own against swap that it fits this image; that it
fits the person would show in the same person's other image against a stranger matched in pose.

In `analyses.rerun`, experiment declares what is tried, occluded_faces does it and drops measures
it. In this package, averages takes means and curves hides a face step by step until all is hidden.
"""

from dataclasses import asdict, replace
from functools import partial
from typing import Final

import polars as pl

from analyses.occlusion.averages import average, contrast
from analyses.occlusion.curves import CURVES, draw_points, measure_areas, measure_curves
from analyses.occlusion.findings import findings
from analyses.paper import beside_paper
from analyses.question import LEFT_OUT, LEFT_OUT_LAYOUT, Layout, Question, Settings
from analyses.rerun.drops import measure_people
from analyses.rerun.experiment import MASKS, Experiment
from analyses.rerun.fills import FILLS
from analyses.rerun.lake_models import runnable_models
from analyses.rerun.papers_occlusions import PAPERS_GUIDE, over_models, papers_conditions
from analyses.rerun.verification import MEASURES
from analyses.work import Work
from leamstore.lake import Lake

EXPERIMENT: Final = Experiment()
"""The experiment of `QUESTION`."""


def answer(
    lake: Lake, settings: Settings, work: Work, *, experiment: Experiment = EXPERIMENT
) -> dict[str, pl.DataFrame]:
    """Return the drops by condition, contrasts between masks, and the curves with their areas."""
    runnable = runnable_models(lake, settings.catalog).with_layer(lake, experiment.layer)
    drops = in_order(measure_people(lake, experiment, settings.seed, work, runnable))
    reached = measure_curves(lake, CURVES, experiment, settings.seed, work, runnable)
    averages = average(pl.concat([drops, over_models(drops, ("images", *MEASURES))]), settings)
    return {
        "occlusion": beside_paper(averages, papers_drops(), _PAPER_ON, "estimate"),
        "occlusion_contrasts": contrast(drops, settings),
        "occlusion_curves": draw_points(reached, settings),
        "occlusion_areas": measure_areas(reached, CURVES, settings),
        **runnable.left_out_tables("occlusion"),
    }


_PAPER_ON: Final = ("guiding", "judged", "percent", "mask", "fill", "measure")


def in_order(drops: pl.DataFrame) -> pl.DataFrame:
    """Return drops as they are read: run by run, by fill, percent and mask."""
    order = {"fill": list(FILLS), "mask": list(MASKS)}
    ranks = [
        pl.col(column).replace_strict(names, range(len(names))) for column, names in order.items()
    ]
    return drops.sort("guiding", "judged", ranks[0], "percent", ranks[1], maintain_order=True)


def papers_drops() -> pl.DataFrame:
    """Return Tables 21 (by judged model) and 9 (their mean) with the columns of ours."""
    return pl.concat(map(papers_conditions, (21, 9))).with_columns(
        fill=pl.lit("black"), measure=pl.lit("cosine")
    )


QUESTION: Final = Question(
    name="occlusion",
    asks="Does hiding what a map calls relevant make a face less like itself, and whose map does?",
    papers_tables=(9, 21),
    answer=answer,
    findings=findings,
    layouts={
        "occlusion": Layout(
            "drop of the likeness to the positives (guiding model, judging model, measure)",
            per=("guiding", "judged", "measure"),
            rows=("fill", "percent"),
            columns=("mask",),
            decimals=4,
        ),
        "occlusion_contrasts": Layout(
            "difference between the drops of two masks (guiding model, judging model, masks)",
            per=("guiding", "judged", "contrast"),
            rows=("fill", "percent"),
            columns=("measure",),
            decimals=4,
        ),
        "occlusion_curves": Layout(
            "likeness to the positives as a share of the whole face's (guiding, judging, measure)",
            per=("guiding", "judged", "measure"),
            rows=("curve", "fill", "percent"),
            columns=("mask",),
            estimate="share",
            decimals=3,
        ),
        "occlusion_areas": Layout(
            "area under the curve (1: the whole face's likeness all along)",
            per=("guiding", "judged"),
            rows=("curve", "fill", "mask"),
            columns=("measure",),
            estimate="area",
            decimals=4,
        ),
        f"occlusion_{LEFT_OUT}": LEFT_OUT_LAYOUT,
    },
    settings={**asdict(EXPERIMENT), "curves": asdict(CURVES)},
    notes=(
        "Drops are means over images and positives; euclidean is the growth of the distance, "
        "true accepts the share of pairs lost at the threshold of equal errors. own - random "
        "shows that maps find sensitive pixels, own - swap that they fit their image, same "
        "person - matched stranger that they fit the person; the sign can depend on the fill.",
        "deletion hides the most relevant pixels first (a small area is in favour of the map), "
        "insertion reveals them first (a large one is).",
        f"The paper hides by the maps of {PAPERS_GUIDE} alone: its numbers are shown with ours "
        "where that model guides one of its nine.",
    ),
)

_ALL_GUIDES_EXPERIMENT: Final = replace(EXPERIMENT, all_guides=True)

ALL_GUIDES: Final = replace(
    QUESTION,
    answer=partial(answer, experiment=_ALL_GUIDES_EXPERIMENT),
    settings={**QUESTION.settings, **asdict(_ALL_GUIDES_EXPERIMENT)},
)
"""The same question with every model's maps guiding for every model: the full transfer matrix."""
