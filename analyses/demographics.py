"""Whether models look at groups of people differently (RQ7): region shares in the top 1 %."""

from itertools import combinations, product
from typing import Final

import polars as pl

from analyses.question import LackingError, Layout, Progress, Question, Settings
from analyses.shares import regions_in, sum_shares
from analyses.statistics import bootstrap_difference, holm, mann_whitney
from leamstore.lake import Lake

ATTRIBUTES: Final = ("gender", "ethnicity")
SMALLEST_GROUP: Final = 2
"""Identities below which a group isn't compared."""


def answer(lake: Lake, settings: Settings, progress: Progress) -> dict[str, pl.DataFrame]:
    """Return the differences between all groups of an attribute, by model and region."""
    known = groups_of_people(lake.images)
    if known.is_empty():
        raise LackingError(
            f"{lake.path} has no two genders or ethnicities with {SMALLEST_GROUP} identities "
            "each; state them in an identities.csv beside the images and run `python -m ingest`."
        )
    shares = mean_of_people(sum_shares(lake, "pair_regions", ("model",), "activation = 'top'"))
    areas = mean_of_people(sum_shares(lake, "image_regions", ("model",), "percent = 100"))
    models = shares["model"].unique(maintain_order=True)
    asked = list(product(models, known["attribute"].unique(maintain_order=True)))
    rows = []
    for model, attribute in progress(asked, "Groups", len(asked)):
        people = known.filter(pl.col("attribute") == attribute)
        compared = (
            group_differences(
                people.join(frame.filter(pl.col("model") == model), on="identity"), settings
            )
            for frame in (shares, areas)
        )
        rows.append(beside_areas(*compared))
    return {"demographics": adjust(pl.concat(rows))}


def mean_of_people(sums: pl.DataFrame) -> pl.DataFrame:
    """Return each person's mean share over images, positives and layers, from summed ones."""
    return sums.with_columns(pl.col(name) / pl.col("maps") for name in regions_in(sums))


def groups_of_people(images: pl.DataFrame) -> pl.DataFrame:
    """Return attribute, identity and group of all people whose images agree on it.

    Only groups of `SMALLEST_GROUP` identities or more, and only where there are two of them.
    """
    stated = images.unpivot(
        ATTRIBUTES, index="identity", variable_name="attribute", value_name="group"
    ).drop_nulls("group")
    agreed = stated.unique().filter(pl.len().over("attribute", "identity") == 1)
    large = agreed.filter(pl.len().over("attribute", "group") >= SMALLEST_GROUP)
    several = large.filter(pl.col("group").n_unique().over("attribute") > 1)
    return several.select("attribute", "group", "identity").sort(pl.all())


def group_differences(shares: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Compare the groups of one attribute two by two; an observation is an identity.

    Parameters
    ----------
    shares : polars.DataFrame
        One model's: model, attribute, group and a column for each region, in %; a row an
        identity.

    Returns
    -------
    polars.DataFrame
        model, attribute, groups ("first - second"), region, identities (of both), first and
        second (the groups' means in %), difference with low and high, p of a two-sided
        Mann-Whitney U, and its effect size (Cliff's delta).
    """
    regions = regions_in(shares)
    values = {
        str(name): part.select(regions).to_numpy()
        for (name,), part in shares.sort("group").group_by("group", maintain_order=True)
    }
    return pl.concat(
        pl.DataFrame({
            "region": regions,
            "first": values[first].mean(0),
            "second": values[second].mean(0),
            **bootstrap_difference(
                values[first], values[second], seed=settings.seed, draws=settings.draws
            )._asdict(),
            **mann_whitney(values[first], values[second])._asdict(),
        }).select(
            pl.lit(shares["model"][0]).alias("model"),
            pl.lit(shares["attribute"][0]).alias("attribute"),
            pl.lit(f"{first} - {second}").alias("groups"),
            "region",
            pl.lit(len(values[first]) + len(values[second])).alias("identities"),
            "first",
            "second",
            pl.col("estimate").alias("difference"),
            pl.col("low", "high", "effect", "p").fill_nan(None),
        )
        for first, second in combinations(values, 2)
    )  # fmt: skip


def beside_areas(shares: pl.DataFrame, areas: pl.DataFrame) -> pl.DataFrame:
    """Add area_difference and area_effect: the same comparison of the regions' areas in the crop.

    A group with larger eyes has more pixels on eyes, whatever the network looks at.
    """
    on = ["model", "attribute", "groups", "region"]
    beside = areas.select(*on, area_difference="difference", area_effect="effect")
    return shares.join(beside, on=on, how="left", maintain_order="left")


def adjust(differences: pl.DataFrame) -> pl.DataFrame:
    """Add p_holm: p adjusted by Holm over all rows."""
    p_values = differences["p"].fill_null(float("nan")).to_numpy()
    adjusted = pl.Series("p_holm", holm(p_values)).fill_nan(None)
    return differences.insert_column(differences.columns.index("p") + 1, adjusted)


QUESTION = Question(
    name="demographics",
    asks="Do models look at other regions of women than of men, or of one ethnicity than another?",
    papers_tables=(),
    answer=answer,
    layouts={
        "demographics": Layout(
            "Region shares in the top 1 %, mean over pairs and layers, %",
            per=("model", "attribute", "groups"),
            rows=("region",),
        )
    },
    settings={"smallest_group": SMALLEST_GROUP},
    notes=(
        "An observation is a person. p_holm is adjusted over all of result_demographics; effect "
        "is Cliff's delta, above zero where the first group has more; area_: the same of the "
        "region's area in the crop, which can explain a difference of shares.",
    ),
)
