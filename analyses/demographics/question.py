"""Differences between groups of people by gender, ethnicity and age (RQ7).

The paper compares what occlusion costs (Tables 22 to 24, Figures 9 to 11); this question also
compares where models look: the region shares in the top 1 %. An observation is a person
throughout; the paper's tests take each image for one.
"""

from dataclasses import asdict
from itertools import product
from typing import Final

import polars as pl

from analyses.demographics.findings import findings
from analyses.demographics.occluded_pairs import (
    AGED_PERCENTS,
    FAR,
    SUMS,
    WHOLE,
    mean_cosines,
    measure_pairs,
    span_of,
)
from analyses.demographics.people import SMALLEST_GROUP, compare_groups, groups_of_people
from analyses.demographics.scores import QUANTILES, STEP, find_quantiles
from analyses.estimates import labelled, with_holm
from analyses.paper import beside_paper, read_table
from analyses.question import (
    LEFT_OUT,
    LEFT_OUT_LAYOUT,
    LackingError,
    Layout,
    Question,
    Settings,
)
from analyses.regions.shares import means_of, regions_in, sum_shares
from analyses.rerun.experiment import Experiment
from analyses.rerun.lake_models import runnable_models
from analyses.rerun.papers_occlusions import (
    PAPERS_GUIDE,
    over_models,
    papers_conditions,
    with_papers_mean,
)
from analyses.work import Work
from leamstore.lake import Lake

EXPERIMENT: Final = Experiment(masks=("own", "random"), fills=("black",), random_draws=1)
"""The paper's occlusions: own and random masks in black."""

_RUN: Final = ("guiding", "judged")


def answer(lake: Lake, settings: Settings, work: Work) -> dict[str, pl.DataFrame]:
    """Return what the lake allows: region shares and drops by group, and cosines by age."""
    known = groups_of_people(lake.images)
    has_ages = bool(lake.images["age"].is_not_null().any())
    if known.is_empty() and not has_ages:
        raise LackingError(
            f"{lake.path} has no two genders or ethnicities with {SMALLEST_GROUP} identities "
            "each, and no ages; state them in an identities.csv and an images.csv next to the "
            "images and run `python -m ingest`."
        )
    tables: dict[str, pl.DataFrame] = {}
    lacking: list[LackingError] = []
    for part in (_compare_shares, compare_pairs):
        try:
            tables |= part(lake, known, settings, work)
        except LackingError as error:
            lacking.append(error)
    if not tables and lacking:
        raise lacking[0]
    return tables


def _compare_shares(
    lake: Lake, known: pl.DataFrame, settings: Settings, work: Work
) -> dict[str, pl.DataFrame]:
    """Return the differences of region shares between all groups, by model and region."""
    if known.is_empty():
        return {}
    shares = means_of(sum_shares(lake, "pair_regions", ("model",), "activation = 'top'"))
    areas = means_of(sum_shares(lake, "image_regions", ("model",), "percent = 100"))
    models = shares["model"].unique(maintain_order=True)
    asked = list(product(models, known["attribute"].unique(maintain_order=True)))
    rows = []
    for model, attribute in work.track(asked, "Groups", len(asked)):
        people = known.filter(attribute=attribute)
        compared = (
            group_differences(people.join(frame.filter(model=model), on="identity"), settings)
            for frame in (shares, areas)
        )
        rows.append(beside_areas(*compared))
    return {"demographics": with_holm(pl.concat(rows))}


def group_differences(shares: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Compare the region shares of the groups of one attribute two by two.

    Parameters
    ----------
    shares : polars.DataFrame
        One model's: model, attribute, group and a column for each region, in %; a row an
        identity.

    Returns
    -------
    polars.DataFrame
        model, attribute, and as `analyses.demographics.people.compare_groups`.
    """
    rows = compare_groups(shares, regions_in(shares), settings, "region")
    return labelled(rows, {name: shares[name][0] for name in ("model", "attribute")})


def beside_areas(shares: pl.DataFrame, areas: pl.DataFrame) -> pl.DataFrame:
    """Add area_difference and area_effect: the same comparison of the regions' areas in the crop.

    A group with larger eyes has more pixels on eyes, whatever the network looks at.
    """
    on = ["model", "attribute", "groups", "region"]
    beside = areas.select(*on, area_difference="difference", area_effect="effect")
    return shares.join(beside, on=on, how="left", maintain_order="left")


def compare_pairs(
    lake: Lake, known: pl.DataFrame, settings: Settings, work: Work
) -> dict[str, pl.DataFrame]:
    """Return the drops by group, the differences between groups, and the cosines by age."""
    runnable = runnable_models(lake, settings.catalog).with_layer(lake, EXPERIMENT.layer)
    measured = measure_pairs(lake, EXPERIMENT, settings.seed, work, runnable)
    pairs, scores = (
        pl.concat([rows, over_models(rows, sums)])
        for rows, sums in ((measured.sums, SUMS), (measured.scores, ("pairs",)))
    )
    tables = runnable.left_out_tables("demographics")
    if not known.is_empty():
        tables["demographics_occlusion"] = drops_of_groups(pairs, known, settings)
        tables["demographics_occlusion_differences"] = drop_differences(pairs, known, settings)
    if pairs["years"].is_not_null().any():
        tables["demographics_ages"] = cosines_by_age(pairs, settings)
        tables["demographics_age_costs"] = _costs_by_age(pairs, settings)
        tables["demographics_age_scores"] = _scores_by_age(scores, settings)
    return tables


def drops_of_groups(pairs: pl.DataFrame, known: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return each group's mean drop of the cosine, with that of Tables 22 and 23.

    Parameters
    ----------
    pairs : polars.DataFrame
        The sums of `analyses.demographics.occluded_pairs.measure_pairs`.
    known : polars.DataFrame
        attribute, group, identity.

    Returns
    -------
    polars.DataFrame
        attribute, group, guiding, judged, layer, percent, mask, fill, chips, estimate (before
        minus after), low, high, identities, pairs, before (the cosine of faces as they are),
        paper and difference.
    """
    by = ["attribute", "group", *_RUN, "layer", "percent", "mask", "fill", "chips"]
    joined = pairs.filter(pl.col("mask") != WHOLE).join(known, on="identity")
    drops = mean_cosines(joined, by, settings, "drop")
    before = joined.group_by(by).agg(before=pl.col("before").sum() / pl.col("pairs").sum())
    rows = drops.join(before, on=by, how="left", maintain_order="left")
    on = ("attribute", "group", *_RUN, "percent", "mask")
    return beside_paper(rows, papers_drops_by_gender(), on, "estimate").sort(
        "attribute", *_RUN, "mask", "percent", "group", maintain_order=True
    )


def papers_drops_by_gender() -> pl.DataFrame:
    """Return Tables 22 (female) and 23 (male) and their means over models, with ours' columns."""
    both = pl.concat(
        papers_conditions(number).with_columns(attribute=pl.lit("gender"), group=pl.lit(group))
        for number, group in ((22, "female"), (23, "male"))
    )
    return with_papers_mean(both)


def drop_differences(pairs: pl.DataFrame, known: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Compare the drops by occlusion between groups, two by two.

    Returns
    -------
    polars.DataFrame
        guiding, judged, attribute, groups, mask, percent, and as
        `analyses.demographics.people.compare_groups`, with p_holm over the whole table.
    """
    summed = pairs.filter(pl.col("mask") != WHOLE).group_by(
        *_RUN, "mask", "percent", "identity", maintain_order=True
    )
    drops = summed.agg(drop=(pl.col("before") - pl.col("after")).sum() / pl.col("pairs").sum())
    conditions = drops.select("mask", "percent").unique().sort("mask", "percent")
    conditions = conditions.with_row_index("condition").with_columns(
        pl.col("condition").cast(pl.String)
    )
    columns = conditions["condition"].to_list()
    tables = []
    for run, part in drops.join(conditions, on=["mask", "percent"]).group_by(
        _RUN, maintain_order=True
    ):
        people = part.pivot("condition", index="identity", values="drop").join(known, on="identity")
        for (attribute,), rows in people.group_by("attribute", maintain_order=True):
            compared = compare_groups(rows, columns, settings, "condition")
            named = dict(zip(_RUN, run, strict=True)) | {"attribute": attribute}
            tables.append(labelled(compared, named))
    together = pl.concat(tables).join(conditions, on="condition", maintain_order="left")
    first = [*_RUN, "attribute", "groups", "mask", "percent"]
    return with_holm(together.select(*first, pl.exclude(*first, "condition")))


def cosines_by_age(pairs: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return the mean cosine after occlusion by age difference, with that of Table 24.

    Returns
    -------
    polars.DataFrame
        guiding, judged, layer, mask, percent, years, estimate, low, high, identities, pairs,
        paper and difference; the mask `WHOLE` stands for the faces as they are.
    """
    by = [*_RUN, "layer", "mask", "percent", "years"]
    aged = pairs.filter(pl.col("years").is_not_null(), pl.col("percent").is_in(AGED_PERCENTS))
    rows = mean_cosines(aged, by, settings)
    on = (*_RUN, "mask", "percent", "years")
    return beside_paper(rows, _papers_cosines_by_age(), on, "estimate").sort(by)


def _costs_by_age(pairs: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return the excess of the drop by own masks over that by random ones, by span of years."""
    by = [*_RUN, "layer", "percent", "years"]
    aged = pairs.filter(pl.col("years").is_not_null(), pl.col("percent").is_in(AGED_PERCENTS))
    own, random = (aged.filter(mask=mask).drop("mask", "before") for mask in ("own", "random"))
    on = [column for column in own.columns if column != "after"]
    both = own.join(random.rename({"after": "before"}), on=on, maintain_order="left")
    return mean_cosines(both.with_columns(years=span_of("years")), by, settings, "drop").sort(by)


def _scores_by_age(scores: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return quantiles of pairs' cosines after occlusion by span of years, as Figure 11 shows."""
    by = [*_RUN, "layer", "mask", "percent", "years"]
    return find_quantiles(scores, by, settings).sort(*by, "quantile")


def _papers_cosines_by_age() -> pl.DataFrame:
    """Return Table 24 and its mean over models, with the columns of ours, and paper."""
    table = read_table(24).select(
        judged="row", years=pl.col("column").cast(pl.Int32), paper="value"
    )
    return with_papers_mean(table).with_columns(
        guiding=pl.lit(PAPERS_GUIDE), mask=pl.lit("own"), percent=pl.lit(1.0)
    )


QUESTION: Final = Question(
    name="demographics",
    asks="Do models look elsewhere, or lose more by occlusion, by gender, ethnicity or age?",
    papers_tables=(22, 23, 24),
    answer=answer,
    findings=findings,
    layouts={
        "demographics": Layout(
            "Region shares in the top 1 %, mean over pairs and layers, %",
            per=("model", "attribute", "groups"),
            rows=("region",),
        ),
        "demographics_occlusion": Layout(
            "drop of the cosine to the positives by occlusion in black",
            per=("guiding", "judged", "attribute"),
            rows=("percent",),
            columns=("mask", "group"),
            decimals=4,
        ),
        "demographics_occlusion_differences": Layout(
            "differences of the drop between groups",
            per=(*_RUN, "attribute", "groups"),
            rows=("mask", "percent"),
        ),
        "demographics_ages": Layout(
            "cosine of pairs after occlusion in black, by years between anchor and positive",
            per=_RUN,
            rows=("years",),
            columns=("mask", "percent"),
            decimals=3,
        ),
        "demographics_age_costs": Layout(
            "what own masks in black cost of the cosine beyond random ones, by years between",
            per=_RUN,
            rows=("percent",),
            columns=("years",),
            decimals=4,
        ),
        "demographics_age_scores": Layout(
            "quantiles of the cosines of pairs after occlusion in black, by years between",
            per=(*_RUN, "years"),
            rows=("quantile",),
            columns=("mask", "percent"),
            decimals=3,
        ),
        f"demographics_{LEFT_OUT}": LEFT_OUT_LAYOUT,
    },
    settings={
        "smallest_group": SMALLEST_GROUP,
        "occlusion": asdict(EXPERIMENT),
        "aged_percents": AGED_PERCENTS,
        "far": FAR,
        "quantiles": QUANTILES,
        "score_step": STEP,
    },
    notes=(
        "An observation is a person. p_holm is adjusted over all of its table; effect is Cliff's "
        "delta, above zero where the first group has more; area_: the same of the region's area "
        "in the crop, which can explain a difference of shares.",
        f"The paper occludes by the maps of {PAPERS_GUIDE} alone, and tests images rather than "
        "people. Black changes a light skin more than a dark one, with any model.",
    ),
)
