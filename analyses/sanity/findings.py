"""Findings of `analyses.sanity.question`: sentences on what its tables do and do not support."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analyses.findings import extent, limits
from analyses.person.controls import RANDOM
from analyses.sanity.checks import CENTRE, EDGES, MEAN_MAP, OVERLAP, RING


def findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return each check's result over a model's layers, and the controls the lake lacks."""
    sentences = limits(tables["sanity"])
    for (model,), rows in tables["sanity"].group_by("model", maintain_order=True):
        people = rows["identities"].to_numpy().max()
        for (name, measure), part in rows.group_by("check", "measure", maintain_order=True):
            if measure != OVERLAP:
                sentences.append(f"{model}, {people} people. {_finding(str(name), part)}")
    lacking = tables["sanity_controls"].filter(pl.col("held").is_null())
    sentences += [
        f"The lake has no maps of {row['model']} with random weights, so it is unknown whether the "
        f"weights matter: run `{row['command']}`."
        for row in lacking.to_dicts()
    ]
    return sentences


_MEANINGS: Final = {
    RANDOM: "Maps under random weights of the same image",
    CENTRE: "A centred Gaussian",
    MEAN_MAP: "Everybody else's mean map",
    EDGES: "The image's own edges",
}


def _finding(name: str, rows: pl.DataFrame) -> str:
    by_outcome = ", ".join(
        f"{word} in {part.height} of {rows.height} layers"
        for (word,), part in rows.group_by("outcome", maintain_order=True)
    )
    found, chance = (extent(rows[name], ".2f") for name in ("estimate", "control_estimate"))
    by_layer = f"{found} by layer"
    if name == RING:
        above = rows.filter(pl.col("low") > pl.col("control_estimate")).height
        failed = ", ".join(rows.filter(outcome="failed")["layer"])
        warning = f" In {failed}, claims about single pixels mean little." if failed else ""
        return (
            f"Maps that peak in the outer ring of cells: a share of {by_layer}, more than chance "
            f"({chance}) in {above} of {rows.height} layers.{warning}"
        )
    sentence = f"{_MEANINGS[name]}: rank correlation with the map {by_layer}; {by_outcome}."
    if rows["control"][0] != "chance":
        beyond = rows.filter(pl.col("difference_low") > 0).height
        sentence += (
            f" {rows['control'][0].capitalize()}: {chance}; the own is "
            f"nearer in {beyond} of {rows.height} layers."
        )
    return sentence
