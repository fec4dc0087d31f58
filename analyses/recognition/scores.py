"""How well the embeddings that a lake holds tell people apart; no network is run."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import polars as pl

from analyses.cohort import MOST_OF_ONE, draw_identities, draw_of_each, number_people
from analyses.estimates import interval_row
from analyses.question import Settings
from analyses.recognition.redrawn import Sample, intervals, redraw
from analyses.rerun.lake_models import embedded_images, stored_embeddings
from analyses.statistics import Array, Interval
from leamstore.lake import Lake
from leamstore.verification import ScoreCounts, cosines, draw_comparisons

MOST_IMAGES: Final = 2000
"""Images after which no further person is drawn from a large lake."""

MOST_COMPARISONS: Final = 200_000
"""Comparisons of either kind, drawn if there are more."""

RATES: Final = (1e-1, 1e-2, 1e-3, 1e-4)
"""Rates of false matches at which true accepts are given."""

FEWEST_FALSE_MATCHES: Final = 10
"""Impostor comparisons that have to be accepted at a rate, so that it can be measured."""

BINS: Final = 30
"""Bins of the histogram of cosines, between the least and the greatest."""

AUC: Final = "AUC"
EQUAL_ERRORS: Final = "equal errors"
THRESHOLD: Final = "threshold of equal errors"


def true_accepts(rate: float) -> str:
    """Return the name of the measure: true accepts at a rate of false matches."""
    return f"true accepts at {rate:g}"


MEASURES: Final = (AUC, EQUAL_ERRORS, THRESHOLD, *map(true_accepts, RATES))


@dataclass(frozen=True)
class Recognition:
    """How well a model recognises, as rows of the result tables.

    Attributes
    ----------
    measures : polars.DataFrame
        measure, estimate, low, high, identities, images, genuine, impostor.
    histogram : polars.DataFrame
        comparison (genuine or impostor), cosine (the middle of the bin), share (of the
        comparisons, in %), low, high.
    """

    measures: pl.DataFrame
    histogram: pl.DataFrame


def measure_recognition(lake: Lake, settings: Settings, model: str) -> Recognition | None:
    """Measure how well a model's embeddings in a lake tell people apart, as `recognise` does."""
    images = draw_of_each(embedded_images(lake, {model}), MOST_OF_ONE, settings.seed)
    images = draw_identities(images, MOST_IMAGES, settings.seed)
    embeddings = stored_embeddings(lake, model, images["image_id"])
    return recognise(embeddings, images["identity"], settings)


def recognise(embeddings: Array, identities: pl.Series, settings: Settings) -> Recognition | None:
    """Measure how well embeddings (image, n) tell people apart.

    Returns
    -------
    Recognition or None
        None if there are no two images of one person, or no two people.
    """
    people = number_people(identities)
    compared = draw_comparisons(people, MOST_COMPARISONS, settings.seed)
    if compared.genuine.all() or not compared.genuine.any():
        return None
    scores = cosines(embeddings, embeddings)[compared.first, compared.second]
    sample = Sample(people, compared)
    edges = np.linspace(scores.min(), scores.max(), BINS + 1)
    found = intervals(redraw(partial(_measure, edges=edges), scores, sample, settings))
    measures, shares = found[: len(MEASURES)], found[len(MEASURES) :]
    counts = {
        "identities": len(np.unique(people)), "images": len(people),
        "genuine": int(compared.genuine.sum()), "impostor": int((~compared.genuine).sum()),
    }  # fmt: skip
    couples = len(sample.couples[0])
    unknown = {
        true_accepts(rate)
        for rate in RATES
        if not can_be_measured(rate, counts["impostor"], couples)
    }
    rows = [
        {"measure": name, **interval_row(_UNKNOWN if name in unknown else interval), **counts}
        for name, interval in zip(MEASURES, measures, strict=True)
    ]
    return Recognition(
        pl.DataFrame(rows).fill_nan(None), pl.DataFrame(_histogram(shares, edges)).fill_nan(None)
    )


def can_be_measured(rate: float, impostor: int, couples: int) -> bool:
    """Return whether comparisons suffice for a rate of false matches.

    At the rate, at least `FEWEST_FALSE_MATCHES` comparisons have to be accepted, and all
    comparisons of a couple of two people: else one couple who look alike decides it.
    """
    # A rate of 0.1 isn't quite that; what is a whole number up to rounding suffices.
    return min(impostor * rate / FEWEST_FALSE_MATCHES, couples * rate) >= 1 - 1e-9


_UNKNOWN: Final = Interval(*map(np.asarray, (np.nan, np.nan, np.nan)))


def _measure(counts: ScoreCounts, edges: Array) -> Array:
    """Return (draw, n): the measures in their order, then the histograms of both kinds."""
    threshold, equal_errors = counts.equal_errors()
    measures = [counts.area_under_curve, equal_errors, threshold, *map(counts.true_accepts, RATES)]
    places = np.append(np.searchsorted(counts.thresholds, edges[:-1]), len(counts.thresholds))
    rejected = (counts.false_non_matches, 1 - counts.false_matches)
    shares = [100 * np.diff(below[:, places]) for below in rejected]
    return np.column_stack([*measures, *shares])


def _histogram(shares: list[Interval], edges: Array) -> Iterator[dict[str, Any]]:
    middles = (edges[:-1] + edges[1:]) / 2
    places = [(kind, middle) for kind in ("genuine", "impostor") for middle in middles.tolist()]
    for (kind, middle), share in zip(places, shares, strict=True):
        row = interval_row(share, ("share", "low", "high"))
        yield {"comparison": kind, "cosine": middle, **row}
