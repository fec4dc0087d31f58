"""Findings of `analyses.recognition.question`: who recognises, and whose input is wrong."""

from collections.abc import Mapping
from typing import Any, Final

import polars as pl

from analyses.findings import limits, with_interval
from analyses.recognition.probe import OWN, SEPARATION
from analyses.recognition.scores import (
    AUC,
    EQUAL_ERRORS,
    FEWEST_FALSE_MATCHES,
    RATES,
    THRESHOLD,
    true_accepts,
)
from ingest.run.recognition import NEAR_CHANCE

ALPHA: Final = 0.05

_MOST: Final = 3
"""Better inputs named in a sentence."""

LEAST_GAIN: Final = 0.02
"""Share of the entry's own separation by which another input has to be better to matter."""


def findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return findings on each model's errors, then on the probe of its input."""
    measures, probe = tables["recognition"], tables["recognition_probe"]
    by_model = measures.group_by("model", maintain_order=True)
    few = limits(measures)
    return [
        *few,
        *(_recognition(str(model), rows) for (model,), rows in by_model),
        *_unmeasured(measures),
        *([] if few else _inputs(probe)),
    ]


def better(probe: pl.DataFrame) -> pl.DataFrame:
    """Return the variants whose separation is clearly above that of the entry's own input.

    The interval of the difference lies above 0, p < 0.05 after Holm's correction, and the
    difference is no less than `LEAST_GAIN` of the entry's own: paired, tiny ones are clear, too.
    """
    own = pl.col("estimate") - pl.col("difference")
    is_clear = (pl.col("difference_low") > 0) & (pl.col("p_holm") < ALPHA)
    matters = pl.col("difference") >= LEAST_GAIN * own
    return probe.filter(is_clear & matters, measure=SEPARATION).sort("difference", descending=True)


def _recognition(model: str, rows: pl.DataFrame) -> str:
    found: dict[str, dict[str, Any]] = {row["measure"]: row for row in rows.to_dicts()}
    auc, control = found[AUC], rows["control"][0]
    accepts = [rate for rate in RATES if found[true_accepts(rate)]["estimate"] is not None]
    least = "".join(
        f", true accepts {with_interval(found[true_accepts(rate)], '.1f', scale=100)} % at "
        f"{rate:g} false matches"
        for rate in accepts[-1:]
    )
    verdict = ""
    if control is not None:
        verdict = f" It is a control, {control}: what is alike in photographs alone gives as much."
    elif auc["estimate"] < NEAR_CHANCE:
        verdict = (
            " It hardly recognises anybody, and its maps explain nothing: its input, its weights "
            "or the identities of the images are wrong."
        )
    return (
        f"{model}, {auc['identities']} people, {auc['images']} images: AUC "
        f"{with_interval(auc, '.4f')}, equal errors "
        f"{with_interval(found[EQUAL_ERRORS], '.1f', scale=100)} % from a cosine of "
        f"{found[THRESHOLD]['estimate']:.3f} on{least}.{verdict}"
    )


def _unmeasured(measures: pl.DataFrame) -> list[str]:
    unknown = measures.filter(pl.col("estimate").is_null())["measure"].unique()
    rates = [f"{rate:g}" for rate in RATES if true_accepts(rate) in unknown]
    if not rates:
        return []
    people = measures["identities"].to_numpy().min()
    return [
        f"True accepts at {', '.join(rates)} false matches are not measured for all models: a "
        f"rate f takes {FEWEST_FALSE_MATCHES} / f impostor comparisons of 1 / f couples of people, "
        f"and {people} people make no more than {people * (people - 1) // 2:,}."
    ]


def _inputs(probe: pl.DataFrame) -> list[str]:
    by_model = probe.filter(measure=SEPARATION).group_by("model", maintain_order=True)
    return [_input(str(model), rows) for (model,), rows in by_model]


def _input(model: str, rows: pl.DataFrame) -> str:
    own = with_interval(rows.filter(variant=OWN).row(0, named=True), ".2f")
    others, found = rows.filter(pl.col("variant") != OWN), better(rows)
    if found.is_empty():
        alike = others.filter(pl.col("difference_high") > 0)
        untold = ", ".join(map(_difference, alike.to_dicts()))
        return (
            f"{model}: none of {others.height} other inputs tells people apart better than its "
            f"entry's, whose separation is {own}."
            + (f" Not clearly worse: {untold}." if untold else " All are clearly worse.")
        )
    named = "; ".join(
        f"{row['changed']} {_difference(row)} (p {row['p_holm']:.2g})"
        for row in found.head(_MOST).to_dicts()
    )
    fields = found.filter(pl.col("changed") != "margin")["changed"]
    advice = (
        f"Correct {fields[0]} first, ingest again and ask again."
        if len(fields)
        else "No field of an entry states the margin: its alignment may be another one."
    )
    return (
        f"{model}: another input than its entry's tells people apart better, so the entry is "
        f"probably wrong. Separation above the entry's {own}, most first, p after Holm over "
        f"{others.height} inputs: {named}. {advice}"
    )


def _difference(row: dict[str, Any]) -> str:
    ends = f"[{row['difference_low']:+.2f}, {row['difference_high']:+.2f}]"
    return f"{row['variant']} {row['difference']:+.2f} {ends}"
