"""Whether the models of a lake recognise people at all, and whether their input is as it should be.

A network that is fed the wrong chips gives embeddings and maps without any error. So the embeddings
that the lake holds are compared, genuine pairs of images with impostor pairs (`scores`), and the
networks are run again on other inputs than their entries state (`probe`). Intervals redraw people
(`redrawn`). Models of random weights are controls.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final

import polars as pl

from analyses.cohort import embedded_models
from analyses.person.controls import RANDOM
from analyses.question import LEFT_OUT, LEFT_OUT_LAYOUT, LackingError, Layout, Question, Settings
from analyses.recognition import probe
from analyses.recognition.findings import LEAST_GAIN, findings
from analyses.recognition.redrawn import THRESHOLDS
from analyses.recognition.scores import (
    BINS,
    FEWEST_FALSE_MATCHES,
    MOST_COMPARISONS,
    MOST_IMAGES,
    RATES,
    measure_recognition,
)
from analyses.rerun.lake_models import try_models
from analyses.work import Work
from leamstore.lake import Lake
from leamstore.stand_ins import is_random


def answer(lake: Lake, settings: Settings, work: Work) -> dict[str, pl.DataFrame]:
    """Return the errors of all models, histograms of their cosines, and the probe of the input."""
    rows = embedded_models(lake)
    if not rows:
        raise LackingError(f"{lake.path} holds no embeddings: run `python -m ingest` first.")
    names = [row["model"] for row in rows]
    measured = work.map(partial(measure_recognition, lake, settings), names, "Recognition")
    found = [(row, one) for row, one in zip(rows, measured, strict=True) if one is not None]
    if not found:
        raise LackingError(
            f"{lake.path} holds no two people of one model, or no two images of one person: nobody "
            "can be told from anybody."
        )
    runnable = try_models(lake, settings.catalog, [row["model"] for row in _networks(rows)])
    return {
        "recognition": pl.concat(_of_model(row, one.measures) for row, one in found),
        "recognition_scores": pl.concat(_of_model(row, one.histogram) for row, one in found),
        "recognition_probe": probe.probe_models(lake, runnable, settings, work),
        **runnable.left_out_tables("recognition"),
    }


def _of_model(row: Mapping[str, Any], rows: pl.DataFrame) -> pl.DataFrame:
    control = pl.lit(RANDOM if is_random(row) else None, pl.String)
    return rows.select(pl.lit(row["model"]).alias("model"), control.alias("control"), pl.all())


def _networks(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first model of each trained network, whose embeddings no target changes."""
    first: dict[tuple[Any, ...], dict[str, Any]] = {}
    for row in rows:
        network = tuple(row[key] for key in ("catalog_name", "weights", "weights_sha256"))
        if not is_random(row):
            first.setdefault(network, row)
    return list(first.values())


QUESTION: Final = Question(
    name="recognition",
    asks="Do the models recognise people at all, and is their input as it should be?",
    papers_tables=(),
    answer=answer,
    findings=findings,
    layouts={
        "recognition": Layout(
            "errors of verification by cosine, as shares, and the threshold as a cosine",
            rows=("model",),
            columns=("measure",),
            decimals=4,
        ),
        "recognition_scores": Layout(
            "% of the comparisons by cosine",
            per=("model",),
            rows=("cosine",),
            columns=("comparison",),
            estimate="share",
        ),
        "recognition_probe": Layout(
            "how well people are told apart if the input differs from the entry's",
            per=("model",),
            rows=("changed", "variant"),
            columns=("measure",),
            decimals=4,
        ),
        f"recognition_{LEFT_OUT}": LEFT_OUT_LAYOUT,
    },
    settings={
        "most_images": MOST_IMAGES,
        "most_comparisons": MOST_COMPARISONS,
        "rates": RATES,
        "fewest_false_matches": FEWEST_FALSE_MATCHES,
        "bins": BINS,
        "thresholds": THRESHOLDS,
        "probed_images": probe.MOST_IMAGES,
        "probed_of_one": probe.MOST_OF_ONE,
        "ranges": probe.RANGES,
        "zooms": probe.ZOOMS,
    },
    notes=(
        f"All pairs of up to {MOST_IMAGES:,} images are compared, or {MOST_COMPARISONS:,} of "
        "either kind. AUC: the probability that two images of one person are more alike than two "
        "people's; 0.5 is chance. Equal errors: both errors at the threshold at which they are "
        "equal. True accepts: the share of genuine pairs accepted where that share of impostor "
        "pairs is.",
        f"The probe embeds up to {probe.MOST_IMAGES} images anew, of which one thing is changed at "
        "a time. Separation (d') is the difference between the mean cosines of genuine and of "
        "impostor pairs over their common deviation, with the mean embedding subtracted first. An "
        "input is called better if the interval of the difference lies above 0, p < 0.05 after "
        f"Holm's correction over a model's inputs, and it is {LEAST_GAIN:.0%} better at least.",
    ),
)
