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
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.occlusion.averages import sum_people
from analyses.occlusion.drops import likeness_of, named, people_of
from analyses.occlusion.experiment import Experiment
from analyses.occlusion.hiding import Faces, Task, open_faces, order_masks, plan_tasks
from analyses.occlusion.masks import Order, cut_masks
from analyses.occlusion.running import RunnableModels
from analyses.occlusion.verification import MEASURES
from analyses.question import Settings
from analyses.statistics import bootstrap_ratio
from analyses.work import Work
from leamstore.lake import Lake

SHARED: Final = ("cosine", "centred cosine")
"""The measures of likeness that are shown as a share of the whole face's."""

_OF: Final = ("guiding", "judged", "layer", "chips")
_KEYS: Final = (*_OF, "curve", "fill", "mask", "percent")


@dataclass(frozen=True)
class Curves:
    """Which curves are drawn.

    Attributes
    ----------
    percents : tuple of float
        Pixels hidden or revealed, in % of the chip, from 0 to 100.
    masks : tuple of str
        What orders the pixels; a random order is drawn once an image.
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
        Whose layer and guides are taken.
    runnable : RunnableModels, optional
        As `analyses.occlusion.hiding.plan_tasks` takes it.

    Returns
    -------
    polars.DataFrame
        guiding, judged, layer, chips, curve, fill, mask, percent, identity, images, and for each
        of `SHARED` the sums over the person's images of the likeness to the positives, and of
        that of the whole face (whole cosine, whole centred cosine).

    Raises
    ------
    LackingError
        As `analyses.occlusion.drops.measure_drops`.
    """
    tasks = plan_tasks(lake, experiment, seed, runnable)
    return pl.concat(work.map(partial(curves_of_people, curves), tasks, "Deletion and insertion"))


def curves_of_people(curves: Curves, task: Task) -> pl.DataFrame:
    """Return the summed likenesses of a task's people, as `measure_curves` does."""
    faces = open_faces(task, [fill for _, fill in curves.fills])
    orders = order_masks(faces, curves.masks, random_draws=1)
    people, membership = people_of(task.images)
    whole = likeness_of(faces, faces.embeddings)
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
            sums = membership @ np.concatenate([reached, whole], axis=1)
            rows.append(people.with_columns(
                **named(task), curve=pl.lit(curve), fill=pl.lit(fill), mask=pl.lit(mask),
                percent=pl.lit(float(percent)), **_columns(sums),
            ))  # fmt: skip
    return pl.concat(rows).select(*_KEYS, *people.columns, *_measured())


def _embed_step(
    faces: Faces, order: Order, percent: float, curve: str, fill: str
) -> NDArray[np.float64]:
    first = cut_masks(order, percent)
    return faces.embed_hidden(first if curve == "deletion" else ~first, fill)


def _columns(sums: NDArray[np.float64]) -> dict[str, pl.Series]:
    names = [*MEASURES, *(f"whole {measure}" for measure in MEASURES)]
    chosen = dict(zip(names, sums.T, strict=True))
    return {name: pl.Series(chosen[name]) for name in _measured()}


def _measured() -> list[str]:
    return [*SHARED, *(f"whole {measure}" for measure in SHARED)]


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
    return pl.concat(
        _shares(conditions, reached, whole, images, "share", settings)
        for conditions, reached, whole, images in _by_run(reached, _KEYS)
    )


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
    tables = []
    for conditions, sums, whole, images in _by_run(reached, _KEYS):
        percents = conditions["percent"].unique().sort()
        on = [key for key in _KEYS if key != "percent"]
        # Conditions come curve by curve, and in each by percent.
        shape = (len(sums), -1, len(percents), len(SHARED))
        areas = np.trapezoid(sums.reshape(shape), percents.to_numpy() / 100, axis=2)
        lines = conditions.select(on).unique(maintain_order=True)
        wholes, counts = whole.reshape(shape)[:, :, 0], images.reshape(*shape[:3])[:, :, :1]
        tables.append(_shares(lines, areas, wholes, counts, "area", settings))
        for first, second in curves.contrasts:
            firsts, seconds = (
                np.flatnonzero(lines["mask"].to_numpy() == mask) for mask in (first, second)
            )
            named_so = lines[firsts].with_columns(mask=pl.lit(f"{first} - {second}"))
            difference = areas[:, firsts] - areas[:, seconds]
            tables.append(
                _shares(
                    named_so, difference, wholes[:, firsts], counts[:, firsts], "area", settings
                )
            )
    return pl.concat(tables).sort(*_OF, "curve", maintain_order=True)


def _by_run(reached: pl.DataFrame, keys: Sequence[str]) -> Any:
    """Yield conditions, and by person, condition and measure the sums, the wholes and images."""
    columns = _measured()
    for _, part in reached.group_by(_OF, maintain_order=True):
        conditions = part.select(keys).unique(maintain_order=True)
        sums, images = sum_people(part, conditions, columns)
        yield conditions, sums[..., : len(SHARED)], sums[..., len(SHARED) :], images


def _shares(
    conditions: pl.DataFrame,
    sums: NDArray[np.float64],
    whole: NDArray[np.float64],
    images: NDArray[np.float64],
    name: str,
    settings: Settings,
) -> pl.DataFrame:
    """Return sums over wholes with intervals over identities: a row a condition and measure."""
    interval = bootstrap_ratio(sums, whole, seed=settings.seed, draws=settings.draws)
    ends = {
        column: values.ravel()
        for column, values in zip((name, "low", "high"), interval, strict=True)
    }
    counted = conditions.with_columns(
        identities=pl.lit(len(sums), pl.Int32),
        images=pl.Series(images.sum(0)[:, 0], dtype=pl.Int32),
    )
    rows = counted.join(pl.DataFrame({"measure": SHARED}), how="cross", maintain_order="left_right")
    return (
        rows.with_columns(**ends)
        .with_columns(pl.col("low", "high").fill_nan(None))
        .select(*conditions.columns, "measure", name, "low", "high", "identities", "images")
    )
