"""Drops in likeness when pixels are hidden (before minus after), by image or by person."""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.rerun.experiment import Experiment
from analyses.rerun.lake_models import RunnableModels
from analyses.rerun.masks import cut_masks
from analyses.rerun.occluded_faces import Faces, Task, open_faces, order_masks, plan_tasks
from analyses.rerun.verification import MEASURES, likeness
from analyses.work import Work
from leamstore.lake import Lake

KEYS: Final = ("guiding", "judged", "layer", "percent", "mask", "fill", "chips")
"""Columns that identify a condition; chips says what chips are cut from: photographs or crops."""


def measure_drops(
    lake: Lake,
    experiment: Experiment,
    seed: int,
    work: Work,
    runnable: RunnableModels | None = None,
) -> pl.DataFrame:
    """Occlude every image under every condition and return the drops of its likeness.

    Parameters
    ----------
    runnable : RunnableModels, optional
        As `analyses.rerun.occluded_faces.plan_tasks` takes it.

    Returns
    -------
    polars.DataFrame
        `KEYS`, image_id, identity, images (1), and a column for each of `MEASURES`: likeness to
        the positives before minus after, so that more is always a stronger occlusion.

    Raises
    ------
    LackingError
        If there are no embeddings or one identity only, or a network or its chips can't be had.
    """
    tasks = plan_tasks(lake, experiment, seed, runnable)
    return pl.concat(work.map(partial(_measure, experiment, _by_image), tasks, "Occlusion"))


def measure_people(
    lake: Lake,
    experiment: Experiment,
    seed: int,
    work: Work,
    runnable: RunnableModels | None = None,
) -> pl.DataFrame:
    """Measure as `measure_drops`, but return sums over each person's images, which are fewer rows.

    Returns
    -------
    polars.DataFrame
        `KEYS`, identity, images, and a column of sums for each of `MEASURES`.
    """
    tasks = plan_tasks(lake, experiment, seed, runnable)
    return pl.concat(work.map(partial(_measure, experiment, _by_person), tasks, "Occlusion"))


def people_of(images: pl.DataFrame) -> tuple[pl.DataFrame, NDArray[np.float64]]:
    """Return the people with their numbers of images, and the index of each image's person.

    Returns
    -------
    people : polars.DataFrame
        A row a person.
    membership : (person, image) float64
        1 where the image is the person's: its product with values by image sums them.
    """
    people = images.group_by("identity", maintain_order=True).agg(images=pl.len().cast(pl.Int32))
    mine = people["identity"].to_numpy()[:, None] == images["identity"].to_numpy()
    return people, mine.astype(np.float64)


Sums = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Function from values (condition, image, measure) to their sums (condition, row, measure)."""


def _by_image(images: pl.DataFrame) -> tuple[pl.DataFrame, Sums]:
    return images.select("image_id", "identity", images=pl.lit(1, pl.Int32)), lambda values: values


def _by_person(images: pl.DataFrame) -> tuple[pl.DataFrame, Sums]:
    people, membership = people_of(images)
    return people, lambda values: membership @ values


def _measure(
    experiment: Experiment, by: Callable[[pl.DataFrame], tuple[pl.DataFrame, Sums]], task: Task
) -> pl.DataFrame:
    """Return the drops of a task's faces, summed by the rows of a table."""
    schema = {"percent": pl.Float64, "mask": pl.String, "fill": pl.String}
    conditions = pl.DataFrame(experiment.conditions, schema, orient="row")
    faces = open_faces(task, sorted(set(conditions["fill"])))
    orders = order_masks(faces, sorted(set(conditions["mask"])), experiment.random_draws)
    before = likeness_of(faces, faces.embeddings)
    drops = np.empty((conditions.height, *before.shape))
    for place, (percent, mask, fill) in enumerate(conditions.iter_rows()):
        after = [
            likeness_of(faces, faces.embed_hidden(cut_masks(order, percent), fill))
            for order in orders[mask]
        ]
        drops[place] = before - np.mean(after, axis=0)
    rows, sums = by(task.images)
    keys = conditions.with_columns(**named(task)).select(KEYS)
    measured = pl.DataFrame(sums(drops).reshape(-1, len(MEASURES)), schema=list(MEASURES))
    conditioned = keys.join(rows, how="cross", maintain_order="left_right")
    return pl.concat([conditioned, measured], how="horizontal")


def likeness_of(faces: Faces, embeddings: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the likeness (image, measure) of faces, so embedded, to their positives."""
    return likeness(embeddings, faces.gallery, faces.positives, faces.task.setting.judge)


def named(task: Task) -> Mapping[str, pl.Expr]:
    """Return a task's columns: the guiding and judging models, and the source of its chips."""
    setting = task.setting
    names = {
        "guiding": setting.guide.model,
        "judged": setting.judged,
        "layer": setting.guide.name,
        "chips": setting.source,
    }
    return {column: pl.lit(name) for column, name in names.items()}
