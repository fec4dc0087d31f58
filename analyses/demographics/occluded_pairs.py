"""Effect of occlusion on pairs of images, by demographic group and age difference (RQ7).

The paper splits its occlusions by gender (Tables 22 and 23), by ethnicity (Figure 9), and by the
age difference of anchor and positive (Table 24, Figures 10 and 11), where the anchor alone is
occluded.
"""

from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.demographics.scores import bin_cosines
from analyses.estimates import grouped_ratio
from analyses.question import Settings
from analyses.rerun.drops import KEYS, named
from analyses.rerun.experiment import Experiment
from analyses.rerun.lake_models import RunnableModels
from analyses.rerun.masks import cut_masks
from analyses.rerun.occluded_faces import Faces, Task, open_faces, order_masks, plan_tasks
from analyses.work import Work
from leamstore.lake import Lake
from leamstore.verification import cosines

WHOLE: Final = "none"
"""The mask that hides nothing: 0 %."""

AGED_PERCENTS: Final = (0.0, 0.1, 1.0, 10.0)
"""The percents that are split by age difference."""

SUMS: Final = ("pairs", "before", "after")
"""Columns that add up over people and models."""

FAR: Final = 15
"""Years from which the paper finds occlusion by maps less efficient."""

SPANS: Final = (f"0 to {FAR - 1}", f"{FAR} or more")
"""The two spans of years between anchor and positive."""


class OccludedPairs(NamedTuple):
    """Cosines of pairs before and after occlusion, summed by person.

    Attributes
    ----------
    sums : polars.DataFrame
        `analyses.rerun.drops.KEYS`, identity, years (between anchor and positive, rounded;
        NULL where an age isn't stated), pairs, before and after (sums of the ordered pairs'
        cosines). The mask `WHOLE` stands for the faces as they are.
    scores : polars.DataFrame
        Of pairs whose ages are stated, at `AGED_PERCENTS`: `analyses.rerun.drops.KEYS`,
        identity, years (as `span_of` names them), bin (of the cosine after) and pairs.
    """

    sums: pl.DataFrame
    scores: pl.DataFrame


def measure_pairs(
    lake: Lake,
    experiment: Experiment,
    seed: int,
    work: Work,
    runnable: RunnableModels | None = None,
) -> OccludedPairs:
    """Occlude every image and return the cosines of its pairs, by person and years.

    Parameters
    ----------
    runnable : RunnableModels, optional
        As `analyses.rerun.occluded_faces.plan_tasks` takes it.

    Raises
    ------
    LackingError
        As `analyses.rerun.drops.measure_drops`.
    """
    tasks = plan_tasks(lake, experiment, seed, runnable)
    found = work.map(partial(pairs_of_people, experiment), tasks, "Occluded pairs")
    return OccludedPairs(*map(pl.concat, zip(*found, strict=True)))


def pairs_of_people(experiment: Experiment, task: Task) -> OccludedPairs:
    """Return the cosines of a task's pairs, as `measure_pairs` does."""
    conditions = experiment.conditions
    faces = open_faces(task, sorted({fill for _, _, fill in conditions}))
    orders = order_masks(
        faces, sorted({mask for _, mask, _ in conditions}), experiment.random_draws
    )
    kinds, kind_of_pair, where = _kinds_of_pairs(task.images, faces.positives)
    before = cosines(faces.embeddings, faces.gallery)[where]
    sums, scores = [], []
    for percent, mask, fill in [(0.0, WHOLE, "none"), *conditions]:
        after = before if mask == WHOLE else _after(faces, orders[mask], percent, fill)[where]
        condition = {
            **named(task), "percent": pl.lit(float(percent)), "mask": pl.lit(mask),
            "fill": pl.lit(fill),
        }  # fmt: skip
        sums.append(kinds.with_columns(
            **condition,
            pairs=pl.Series(np.bincount(kind_of_pair, minlength=kinds.height), dtype=pl.Int32),
            before=pl.Series(np.bincount(kind_of_pair, before, kinds.height)),
            after=pl.Series(np.bincount(kind_of_pair, after, kinds.height)),
        ))  # fmt: skip
        if percent in AGED_PERCENTS:
            counted = _count_scores(kinds[kind_of_pair], after)
            scores.append(counted.with_columns(**condition))
    return OccludedPairs(
        pl.concat(sums).select(*KEYS, "identity", "years", *SUMS),
        pl.concat(scores).select(*KEYS, "identity", "years", "bin", "pairs"),
    )


def _count_scores(pairs: pl.DataFrame, scores: NDArray[np.float64]) -> pl.DataFrame:
    """Count the scores of pairs (identity, years) by person, span of years and bin."""
    binned = pairs.with_columns(bin=pl.Series(bin_cosines(scores))).drop_nulls("years")
    spanned = binned.with_columns(years=span_of("years"))
    counted = spanned.group_by("identity", "years", "bin", maintain_order=True)
    return counted.agg(pairs=pl.len().cast(pl.Int32))


def _after(faces: Faces, orders: list[NDArray[Any]], percent: float, fill: str) -> NDArray[Any]:
    found = [
        cosines(faces.embed_hidden(cut_masks(order, percent), fill), faces.gallery)
        for order in orders
    ]
    return np.asarray(np.mean(found, axis=0))


def _kinds_of_pairs(
    images: pl.DataFrame, positives: NDArray[np.bool_]
) -> tuple[pl.DataFrame, NDArray[np.int64], tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return the kinds of pairs (identity, years), each pair's kind, and where the pairs stand."""
    anchors, others = np.nonzero(positives)
    ages = images["age"].cast(pl.Float64)
    pairs = pl.DataFrame({
        "identity": images["identity"].gather(anchors),
        "years": (ages.gather(anchors) - ages.gather(others)).abs().round().cast(pl.Int32),
    })  # fmt: skip
    kinds = pairs.unique(maintain_order=True).with_row_index("kind")
    placed = pairs.join(
        kinds, on=["identity", "years"], how="left", nulls_equal=True, maintain_order="left"
    )
    return kinds.drop("kind"), placed["kind"].to_numpy().astype(np.int64), (anchors, others)


def span_of(years: str) -> pl.Expr:
    """Return on which side of `FAR` a column of years lies, in words."""
    near, far = (pl.lit(words) for words in SPANS)
    return pl.when(pl.col(years) < FAR).then(near).otherwise(far)


def mean_cosines(
    pairs: pl.DataFrame, by: list[str], settings: Settings, of: str = "after"
) -> pl.DataFrame:
    """Return the mean of pairs' cosines, or of their drop, with intervals over identities.

    Parameters
    ----------
    pairs : polars.DataFrame
        The sums of `measure_pairs`.
    by : list of str
        Columns that form the groups.
    of : str
        before, after, or drop (before minus after).

    Returns
    -------
    polars.DataFrame
        Columns `by`, estimate, low, high, identities, pairs.
    """
    drops = pairs.with_columns(drop=pl.col("before") - pl.col("after"))
    return grouped_ratio(drops, by, [of], ["pairs"], settings).drop("measure")
