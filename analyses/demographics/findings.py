"""Findings of `analyses.demographics.question`: what its tables do and do not support."""

from collections.abc import Mapping

import polars as pl

from analyses.demographics.occluded_pairs import SPANS, WHOLE
from analyses.demographics.scores import QUANTILES
from analyses.findings import FEWEST_IDENTITIES, in_words, with_interval

_ALPHA = 0.05
_PERCENT = 1.0
_MOST = 4
"""Differences named in a sentence."""


def findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return findings on groups and on age, and say which comparisons the data do not allow."""
    return [*_small_groups(tables), *_shares(tables), *_drops(tables), *_ages(tables)]


def _small_groups(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Name the comparisons of which either group is too small to speak for people in general."""
    compared = [
        tables[name].select("groups", "first_identities", "second_identities")
        for name in ("demographics", "demographics_occlusion_differences")
        if name in tables
    ]
    few = {
        groups: f"{groups} ({first} and {second} people)"
        for rows in compared
        for groups, first, second in rows.unique(maintain_order=True).iter_rows()
        if min(first, second) < FEWEST_IDENTITIES
    }
    if not few:
        return []
    return [
        f"With fewer than {FEWEST_IDENTITIES} people on a side: {', '.join(few.values())}. What "
        "is said of these groups below supports no statement about people in general, whatever "
        "the numbers."
    ]


def _shares(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    rows = tables.get("demographics")
    if rows is None:
        return ["Nothing is said of where models look: no region counts by group."]
    sentences = []
    for (model, groups), part in rows.group_by("model", "groups", maintain_order=True):
        tested = part.filter(pl.col("p").is_not_null())
        found = tested.filter(pl.col("p_holm") < _ALPHA).sort("p_holm")
        start = f"{model!s}, {groups!s}, {part['identities'][0]} people: "
        if found.is_empty():
            sentences.append(
                f"{start}no difference of region shares among {tested.height} regions holds after "
                f"Holm's correction (the least p is {_least(tested)}); with so few people, "
                "small differences would go unseen."
            )
            continue
        named = "; ".join(
            f"{in_words(row['region'])} {row['difference']:+.1f} points "
            f"[{row['low']:+.1f}, {row['high']:+.1f}], Cliff's delta {row['effect']:+.2f}, "
            f"p {row['p_holm']:.2g} (of its area, delta {row['area_effect'] or 0:+.2f})"
            for row in found.head(_MOST).to_dicts()
        )
        sentences.append(
            f"{start}{found.height} of {tested.height} regions differ after Holm's correction: "
            f"{named}. Where the area's delta is as large, the faces or the parser may explain it."
        )
    return sentences


def _least(tested: pl.DataFrame) -> str:
    return f"{min(tested['p_holm'], default=1.0):.2g}"


def _drops(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    rows = tables.get("demographics_occlusion_differences")
    if rows is None:
        return [
            "Nothing is said of occlusion by group: no groups are stated, or networks or faces "
            "are missing (`python -m analyses occlusion` says which)."
        ]
    sentences = []
    at_one = rows.filter(percent=_PERCENT)
    for (guiding, judged, groups), part in at_one.group_by(
        "guiding", "judged", "groups", maintain_order=True
    ):
        named = "; ".join(
            f"{row['mask']} {row['first']:.4f} against {row['second']:.4f}, difference "
            f"{with_interval(row, '+.4f', 'difference')}, delta "
            f"{row['effect']:+.2f}, p {row['p_holm']:.2g} "
            f"({'shown' if row['p_holm'] < _ALPHA else 'not shown'})"
            for row in part.drop_nulls("p_holm").to_dicts()
        )
        if named:
            sentences.append(
                f"{_whose(str(guiding), str(judged))}, {groups}, {_PERCENT:g} % in black, drop of "
                f"the cosine: {named}. A difference at random, too, is one of the faces or the "
                "black, not of the maps."
            )
    return sentences


def _whose(guiding: str, judged: str) -> str:
    """Return who judges, and by whose maps if they aren't its own."""
    return judged if guiding == judged else f"{judged} by maps of {guiding}"


def _ages(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    costs, scores = tables.get("demographics_age_costs"), tables.get("demographics_age_scores")
    if costs is None or scores is None:
        return ["Nothing is said of age: the lake states no ages of two images of one person."]
    at_one = costs.filter(percent=_PERCENT)
    runs = at_one.group_by("guiding", "judged", maintain_order=True)
    return [
        sentence
        for (guiding, judged), part in runs
        for sentence in (
            _costs(_whose(str(guiding), str(judged)), part),
            _scores(
                _whose(str(guiding), str(judged)), scores.filter(guiding=guiding, judged=judged)
            ),
        )
        if sentence
    ]


def _costs(run: str, rows: pl.DataFrame) -> str:
    """Return findings on the cost of own masks over that of random ones, near and far in years."""
    numbers = ", ".join(
        f"{with_interval(row, '.4f')} at {row['years']} years ({row['identities']} people)"
        for row in rows.to_dicts()
    )
    few = [row["years"] for row in rows.to_dicts() if row["identities"] < FEWEST_IDENTITIES]
    caution = (
        f" At {' and '.join(few)} years these are fewer than {FEWEST_IDENTITIES} people, and no "
        "statement about people in general."
        if few
        else ""
    )
    return (
        f"{run}, {_PERCENT:g} % in black: own maps cost so much more of the cosine than random "
        f"pixels do, by years between the images: {numbers}.{caution}"
    )


def _scores(run: str, rows: pl.DataFrame) -> str:
    """Return findings on the effect of own masks on the median and the highest scores."""
    near = rows.filter(years=SPANS[0], percent=_PERCENT, mask="own")
    whole = rows.filter(years=SPANS[0], mask=WHOLE).select("quantile", whole="estimate")
    both = near.join(whole, on="quantile").with_columns(drop=pl.col("whole") - pl.col("estimate"))
    drops = dict(both.select("quantile", "drop").iter_rows())
    if not drops:
        return ""
    middle, highest = drops[0.5], drops[QUANTILES[-1]]
    return (
        f"{run}, {SPANS[0]} years: own {_PERCENT:g} % in black takes {middle:.3f} from the median "
        f"of the scores and {highest:.3f} from their {QUANTILES[-1]:.0%} quantile; the paper "
        "finds the highest scores less affected (Figure 11)."
    )
