"""Findings of `analyses.person.question`: sentences on what its tables do and do not support."""

from collections.abc import Mapping
from typing import Any

import polars as pl

from analyses.findings import extent, limits, with_interval
from analyses.person.evidence import AUC, MEASURE
from analyses.person.verdict import ALIKE, COLUMNS, IMAGE, PERSON, PERSONS


def findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return each occluded layer's verdict with its numbers, and the controls the lake lacks."""
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
        f"layers that were occluded, of {extent(verdicts['identities'])} people."
    ]
    sentences += [_layer_finding(row, evidence) for row in occluded.to_dicts()]
    if others["auc"].is_not_null().any():
        beyond = others.filter(pl.col(COLUMNS[ALIKE]) == "shown").height
        sentences.append(
            f"In the {others.height} other layers, the AUC of one person's pairs of maps is "
            f"{extent(others['auc'])}, and above every control that the lake holds in {beyond}; "
            "without occlusion that shows nothing of the person."
        )
    lacking = tables["person_controls"].filter(pl.col("required") & pl.col("held").is_null())
    sentences += [
        f"{row['model']} lacks the control {row['control']}, without which no pattern can be shown "
        f"to be the person's: run `{row['command']}`."
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
        f"{found['control'] or 'maps'} {with_interval(found, '.2f')}"
        for found in own.filter(claim=AUC).to_dicts()
    )
    return f"{sentence} AUC of one person's pairs: {compared}."


def _by_fill(rows: pl.DataFrame) -> str:
    return ", ".join(f"{row['fill']} {with_interval(row, '+.3f')}" for row in rows.to_dicts())
