"""Deletion and insertion curves, and the areas under them (RISE: Petsiuk, Das and Saenko 2018).

Deletion hides pixels, those that a map calls most relevant first, until the whole chip is black:
the better the map, the sooner the face is lost. Insertion begins with a blurred face and reveals
the most relevant pixels first: the better the map, the sooner the face is back. Both are the
likeness to the positives as a share of that of the whole face; random masks and everybody's mean
map tell what any mask gives.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.estimates import grouped_ratio
from analyses.occlusion.averages import runs, subtract_masks
from analyses.question import Settings
from analyses.rerun.drops import likeness_of, named, people_of
from analyses.rerun.experiment import Experiment
from analyses.rerun.lake_models import RunnableModels
from analyses.rerun.masks import Order, cut_masks
from analyses.rerun.occluded_faces import Faces, Task, open_faces, order_masks, plan_tasks
from analyses.rerun.verification import MEASURES
from analyses.work import Work
from leamstore.lake import Lake

SHARED: Final = ("cosine", "centred cosine")
"""The measures of likeness that are shown as a share of the whole face's."""

_WHOLES: Final = tuple(f"whole {measure}" for measure in SHARED)
_PLACES: Final = [MEASURES.index(measure) for measure in SHARED]

_OF: Final = ("guiding", "judged", "layer", "chips")
_KEYS: Final = (*_OF, "curve", "fill", "mask", "percent")


@dataclass(frozen=True)
class Curves:
    """The design of deletion and insertion curves.

    Attributes
    ----------
    percents : tuple of float
        Pixels hidden or revealed, in % of the chip, from 0 to 100.
    masks : tuple of str
        The orders of the pixels; a random one is drawn once per image.
    fills : tuple of (str, str)
        Each curve, deletion or insertion, with what hides.
    contrasts : tuple of (str, str)
        Masks whose areas are compared.
    """

    percents: tuple[float, ...] = (0, 2.5, 5, 10, 20, 30, 40, 60, 80, 100)
    masks: tuple[str, ...] = ("own", "swap", "mean map", "random")
    fills: tuple[tuple[str, str], ...] = (("deletion", "black"), ("insertion", "blur"))
    contrasts: tuple[tuple[str, str], ...] = (
        ("own", "random"),
        ("own", "swap"),
        ("own", "mean map"),
    )


CURVES: Final = Curves()
"""The curves that `analyses.occlusion.question` draws."""


def measure_curves(
    lake: Lake,
    curves: Curves,
    experiment: Experiment,
    seed: int,
    work: Work,
    runnable: RunnableModels | None = None,
) -> pl.DataFrame:
    """Hide and reveal every face step by step.

    Parameters
    ----------
    experiment : Experiment
        Experiment that states the layer and the guides.
    runnable : RunnableModels, optional
        As `analyses.rerun.occluded_faces.plan_tasks` takes it.

    Returns
    -------
    polars.DataFrame
        guiding, judged, layer, chips, curve, fill, mask, percent, identity, images, and for each
        of `SHARED` the sums over the person's images of the likeness to the positives, and of
        that of the whole face (whole cosine, whole centred cosine).

    Raises
    ------
    LackingError
        As `analyses.rerun.drops.measure_drops`.
    """
    tasks = plan_tasks(lake, experiment, seed, runnable)
    return pl.concat(work.map(partial(curves_of_people, curves), tasks, "Deletion and insertion"))


def curves_of_people(curves: Curves, task: Task) -> pl.DataFrame:
    """Return the summed likenesses of a task's people, as `measure_curves` does."""
    faces = open_faces(task, [fill for _, fill in curves.fills])
    orders = order_masks(faces, curves.masks, random_draws=1)
    people, membership = people_of(task.images)
    whole = likeness_of(faces, faces.embeddings)
    columns = [*SHARED, *_WHOLES]
    rows = []
    for curve, fill in curves.fills:
        bare = likeness_of(
            faces, _embed_step(faces, orders[curves.masks[0]][0], 100, "deletion", fill)
        )
        for mask, percent in product(curves.masks, curves.percents):
            if percent in (0, 100):  # both ends are the same for every mask
                is_whole = (percent == 0) == (curve == "deletion")
                reached = whole if is_whole else bare
            else:
                reached = likeness_of(
                    faces, _embed_step(faces, orders[mask][0], percent, curve, fill)
                )
            sums = [(membership @ one)[:, _PLACES] for one in (reached, whole)]
            rows.append(people.with_columns(
                **named(task), curve=pl.lit(curve), fill=pl.lit(fill), mask=pl.lit(mask),
                percent=pl.lit(float(percent)),
                **dict(zip(columns, np.hstack(sums).T, strict=True)),
            ))  # fmt: skip
    return pl.concat(rows).select(*_KEYS, *people.columns, *columns)


def _embed_step(
    faces: Faces, order: Order, percent: float, curve: str, fill: str
) -> NDArray[np.float64]:
    first = cut_masks(order, percent)
    return faces.embed_hidden(first if curve == "deletion" else ~first, fill)


def draw_points(reached: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return the points of the curves.

    Parameters
    ----------
    reached : polars.DataFrame
        As `measure_curves` gives it.

    Returns
    -------
    polars.DataFrame
        guiding, judged, layer, chips, curve, fill, mask, percent, measure, share (of the whole
        face's mean likeness), low, high, identities, images.
    """
    return _shares(reached, _KEYS, "share", settings)


def measure_areas(reached: pl.DataFrame, curves: Curves, settings: Settings) -> pl.DataFrame:
    """Return the areas under the curves by the trapezoidal rule, and contrasts between masks.

    Parameters
    ----------
    reached : polars.DataFrame
        As `measure_curves` gives it.

    Returns
    -------
    polars.DataFrame
        guiding, judged, layer, chips, curve, fill, mask (or "first - second"), measure, area
        (1: the whole face's likeness all along), low, high, identities, images.
    """
    lines = [key for key in _KEYS if key != "percent"]
    of_person = ["identity", "images", *_WHOLES]
    areas = reached.group_by(*lines, *of_person, maintain_order=True).agg(
        _area_under(measure) for measure in SHARED
    )
    differences = [subtract_masks(areas, *masks, SHARED) for masks in curves.contrasts]
    areas = pl.concat([areas, *(rows.select(areas.columns) for rows in differences)])
    return _shares(areas, lines, "area", settings).sort(*_OF, "curve", maintain_order=True)


def _area_under(measure: str) -> pl.Expr:
    """Return the area under a curve by the trapezoidal rule; percents are in order."""
    heights = (pl.col(measure) + pl.col(measure).shift()) / 2
    return (heights * pl.col("percent").diff() / 100).sum().alias(measure)


def _shares(sums: pl.DataFrame, by: Sequence[str], name: str, settings: Settings) -> pl.DataFrame:
    """Return sums over wholes with intervals over identities: a row a condition and measure."""
    shares = pl.concat(
        grouped_ratio(run, by, SHARED, _WHOLES, settings, observations="images")
        for run in runs(sums)
    )
    return shares.rename({"estimate": name})
