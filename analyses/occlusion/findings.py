"""Findings of `analyses.occlusion.question`: sentences on what its tables do and do not support."""

from collections.abc import Mapping
from typing import Final

import polars as pl

from analyses.findings import limits, with_interval
from analyses.paper import read_table
from analyses.rerun.papers_occlusions import PAPERS_GUIDE

_ALPHA: Final = 0.05
_PERCENT: Final = 1.0

_CLAIMS: Final = (
    ("own - random", "cosine", "its maps find pixels that matter"),
    ("own - swap", "centred cosine", "a map fits its image"),
    ("same person - matched stranger", "centred cosine", "a map fits its person"),
)


def findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return findings on hiding 1 %: each model's own maps, areas, true accepts and transfer."""
    drops, contrasts = tables["occlusion"], tables["occlusion_contrasts"]
    few = limits(drops)
    if few:
        return few
    own = contrasts.filter(pl.col("guiding") == pl.col("judged"), pl.col("percent") == _PERCENT)
    sentences = []
    for (model,), rows in own.group_by("judged", maintain_order=True):
        sentences += [_claim(str(model), rows, *claim) for claim in _CLAIMS]
        sentences.append(_accepts(str(model), contrasts))
        sentences.append(_areas(str(model), tables["occlusion_areas"]))
    return [sentence for sentence in [*sentences, _transfer(contrasts), _papers(drops)] if sentence]


def _claim(model: str, rows: pl.DataFrame, contrast: str, measure: str, claim: str) -> str:
    asked = rows.filter(contrast=contrast, measure=measure)
    if asked.is_empty():
        return ""
    numbers = ", ".join(f"{row['fill']} {with_interval(row, '+.4f')}" for row in asked.to_dicts())
    more, less = (_clear(asked, sign).height for sign in (1, -1))
    if more == asked.height:
        verdict = f"above zero under every fill, so {claim}"
    elif more and less:
        verdict = f"the sign depends on the fill, so it is not shown that {claim}"
    else:
        verdict = (
            f"above zero under {more} and below it under {less} of {asked.height} fills, so it is "
            f"not shown that {claim}"
        )
    return (
        f"{model}, {asked['layer'][0]}, {_PERCENT:g} % hidden, {asked['identities'][0]} people: "
        f"{contrast} in {measure} is {numbers}; {verdict}."
    )


def _accepts(model: str, contrasts: pl.DataFrame) -> str:
    asked = contrasts.filter(
        guiding=model, judged=model, contrast="own - random", measure="true accepts", fill="black"
    )
    shown = asked.filter(pl.col("percent").is_in([_PERCENT, asked["percent"].max()]))
    numbers = ", ".join(
        f"at {row['percent']:g} % {with_interval(row, '+.1f', scale=100)}"
        for row in shown.to_dicts()
    )
    if not numbers:
        return ""
    return (
        f"{model}: true accepts that verification loses in black, by own maps minus at random, in "
        f"percentage points: {numbers}."
    )


def _areas(model: str, areas: pl.DataFrame) -> str:
    differences = areas.filter(pl.col("mask").str.contains(" - "))
    asked = differences.filter(guiding=model, judged=model, measure="cosine")
    numbers = ", ".join(
        f"{row['curve']} {row['mask']} {with_interval(row, '+.4f', 'area')}"
        for row in asked.to_dicts()
    )
    return (
        f"{model}: areas under the curves of the cosine, where own maps are better if deletion is "
        f"below zero and insertion above it: {numbers}."
        if numbers
        else ""
    )


def _transfer(contrasts: pl.DataFrame) -> str:
    others = contrasts.filter(pl.col("guiding") != pl.col("judged")).filter(
        percent=_PERCENT, fill="black", measure="cosine", contrast="own - random"
    )
    if others.is_empty():
        return ""
    return (
        f"Maps of one model hide more from another than random pixels do in "
        f"{_clear(others, 1).height} of {others.height} pairs of models, and less in "
        f"{_clear(others, -1).height} ({_PERCENT:g} % in black, cosine)."
    )


def _papers(drops: pl.DataFrame) -> str:
    """Compare the ratios of the drops by own maps and by random pixels, which have no scale."""
    asked = drops.filter(fill="black", measure="cosine", percent=_PERCENT)
    ratios = []
    for (guiding, judged), rows in asked.group_by("guiding", "judged", maintain_order=True):
        cost = dict(rows.select("mask", "estimate").iter_rows())
        if cost.get("own") and cost.get("random", 0) > 0:
            by = "" if guiding == judged else f" by {guiding}"
            ratios.append(f"{judged}{by} {cost['own'] / cost['random']:.1f}")
    table = dict(read_table(9).filter(row=f"{_PERCENT:g}").select("column", "value").iter_rows())
    papers = table["LEAM Occluded"] / table["Randomly Occluded"]
    return (
        f"Drop in cosine when own pixels are hidden in black, as a multiple of the drop for random "
        f"ones: {', '.join(ratios)}; in the paper {papers:.1f} (Table 9, by {PAPERS_GUIDE})."
        if ratios
        else ""
    )


def _clear(rows: pl.DataFrame, sign: int) -> pl.DataFrame:
    """Return the rows whose interval is clear of zero on one side, and Holm's p below 0.05."""
    nearest = pl.col("low") if sign > 0 else -pl.col("high")
    return rows.filter((nearest > 0) & (pl.col("p_holm") < _ALPHA))
