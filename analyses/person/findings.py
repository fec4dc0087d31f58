"""What the tables of `analyses.person.question` do and do not support, in sentences."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from analyses.findings import limits
from analyses.person.evidence import AUC, MEASURE
from analyses.person.verdict import ALIKE, COLUMNS, IMAGE, PERSON, PERSONS


def findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return each occluded layer's verdict with its numbers, and what the lake lacks."""
    evidence = tables["person_evidence"]
    verdicts = tables["person"].join(
        tables["person_claims"], on=("model", "position", "layer"), maintain_order="left"
    )
    occluded = verdicts.filter(pl.col(COLUMNS[PERSON]) != "not asked")
    others = verdicts.filter(pl.col(COLUMNS[PERSON]) == "not asked")
    persons = verdicts.filter(verdict=PERSONS)
    sentences = limits(verdicts)
    sentences += [
        f"The pattern is shown to be the person's in {persons.height} of {occluded.height} model "
        f"layers that were occluded, of {_range(verdicts['identities'])} people."
    ]
    sentences += [_layer_finding(row, evidence) for row in occluded.to_dicts()]
    if others["auc"].is_not_null().any():
        beyond = others.filter(pl.col(COLUMNS[ALIKE]) == "shown").height
        sentences.append(
            f"In the {others.height} other layers, the AUC of one person's pairs of maps is "
            f"{_range(others['auc'])}, and above every control that the lake holds in {beyond}; "
            "without occlusion that shows nothing of the person."
        )
    lacking = tables["person_controls"].filter(pl.col("required") & pl.col("held").is_null())
    sentences += [
        f"{row['model']} lacks the control {row['control']}, and no verdict can be for the person "
        f"without it: run `{row['command']}`."
        for row in lacking.to_dicts()
    ]
    return sentences


def _layer_finding(row: Mapping[str, Any], evidence: pl.DataFrame) -> str:
    own = evidence.filter(model=row["model"], position=row["position"])
    contrasts = "; ".join(
        f"{words}, {_by_fill(own.filter(claim=claim))}"
        for claim, words in (
            (PERSON, "same person's other image against a stranger in the same pose"),
            (IMAGE, "own map against a stranger's"),
        )
    )
    sentence = (
        f"{row['model']}, {row['layer']}: {row['verdict']}. Drop of the {MEASURE}: {contrasts}."
    )
    if row["auc"] is None:
        return sentence
    compared = ", ".join(
        f"{found['control'] or 'maps'} {_in_words(found, 2)}"
        for found in own.filter(claim=AUC).to_dicts()
    )
    return f"{sentence} AUC of one person's pairs: {compared}."


def _by_fill(rows: pl.DataFrame) -> str:
    return ", ".join(f"{row['fill']} {_in_words(row, 3, sign='+')}" for row in rows.to_dicts())


def _in_words(row: Mapping[str, Any], decimals: int, sign: str = "") -> str:
    if row["low"] is None:
        return f"{row['estimate']:{sign}.{decimals}f}"
    estimate, low, high = (f"{row[key]:{sign}.{decimals}f}" for key in ("estimate", "low", "high"))
    return f"{estimate} [{low}, {high}]"


def _range(values: pl.Series) -> str:
    known = values.drop_nulls().to_numpy()
    low, high = (f"{end:.3g}" for end in (known.min(), known.max()))
    return low if low == high else f"{low} to {high}"
