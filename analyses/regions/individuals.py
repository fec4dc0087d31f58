"""Individual differences (RQ4): region shares by person, and their variance between people.

A difference between people needn't be the network's: a larger nose gets more pixels from any map.
So the share of variance between people is shown with that of the regions' areas in the crop, and
once more for what the areas leave unexplained.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from analyses.estimates import interval_columns
from analyses.findings import in_words, limits, with_interval
from analyses.question import Layout, Question, Settings
from analyses.regions.shares import means_of, regions_in, sum_shares
from analyses.statistics import Array, bootstrap_intraclass_correlation
from analyses.work import Work
from leamstore.lake import Lake


def answer(lake: Lake, settings: Settings, work: Work) -> dict[str, pl.DataFrame]:
    """Return each person's shares in the top 1 %, and the shares of variance between people."""
    sums = sum_shares(lake, "pair_regions", ("model", "images.image_id"), "activation = 'top'")
    areas = sum_shares(lake, "image_regions", ("model", "images.image_id"), "percent = 100")
    shares, areas = (means_of(of).drop("maps") for of in (sums, areas))
    models = shares["model"].unique(maintain_order=True).to_list()
    between = [
        variance_between_people(shares.filter(model=model), areas.filter(model=model), settings)
        for model in work.track(models, "Variance between people", total=len(models))
    ]
    people = variation_of_people(shares)
    return {
        "individuals": people,
        "individuals_person": draw_person(people, settings.seed),
        "individuals_variance": pl.concat(between),
    }


def variation_of_people(shares: pl.DataFrame) -> pl.DataFrame:
    """Describe each person's region shares over their images, as Tables 7 and 8 do.

    Parameters
    ----------
    shares : polars.DataFrame
        model, identity, image_id and a column for each region, in %.

    Returns
    -------
    polars.DataFrame
        model, identity, region, images, share (their mean), std (n - 1), min, max in %, and cv
        (100 * std / mean, the coefficient of variation; NULL where the mean is zero).
    """
    long = shares.unpivot(
        regions_in(shares),
        index=("model", "identity", "image_id"),
        variable_name="region",
        value_name="value",
    )
    value = pl.col("value")
    described = long.group_by("model", "identity", "region", maintain_order=True).agg(
        images=pl.len(), share=value.mean(), std=value.std(), min=value.min(), max=value.max()
    )
    cv = pl.when(pl.col("share") > 0).then(100.0 * pl.col("std") / pl.col("share"))
    return described.sort("model", "identity", maintain_order=True).with_columns(cv=cv)


def draw_person(people: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Return the rows of one person, drawn by the seed: an example, as Table 8 is.

    Parameters
    ----------
    people : polars.DataFrame
        As `variation_of_people` gives it.
    """
    drawn = people["identity"].unique().sort().sample(1, seed=seed).item()
    columns = ("model", "identity", "region", "images", "std", "share", "min", "max", "cv")
    return people.filter(identity=drawn).select(columns)


def variance_between_people(
    shares: pl.DataFrame, areas: pl.DataFrame, settings: Settings
) -> pl.DataFrame:
    """Return the share of each region's variance that lies between people.

    Parameters
    ----------
    shares : polars.DataFrame
        One model's: model, identity, image_id and a column for each region, in %.
    areas : polars.DataFrame
        The same for the regions' areas, in % of the crop.

    Returns
    -------
    polars.DataFrame
        model, region, then the intraclass correlations ICC(1), each with an interval over
        identities: of the share, of the area, and of the residuals of the share regressed on
        the area over all images.
    """
    regions = [name for name in regions_in(shares) if name in areas.columns]
    together = shares.join(areas, on=("model", "image_id"), suffix="_area")
    identities = together["identity"].to_numpy()
    share = together.select(regions).to_numpy()
    area = together.select(f"{name}_area" for name in regions).to_numpy()
    compared = {"share": share, "area": area, "share beyond area": beyond(share, area)}
    rows = []
    for what, values in compared.items():
        interval = bootstrap_intraclass_correlation(
            values, identities, seed=settings.seed, draws=settings.draws
        )
        columns = interval_columns(interval, ("between_people", "low", "high"))
        rows.append(pl.DataFrame({"region": regions, "of": what, **columns}))
    people, images = len(np.unique(identities)), len(identities)
    return pl.concat(rows).select(
        pl.lit(shares["model"][0]).alias("model"),
        "region",
        "of",
        pl.col("between_people", "low", "high").fill_nan(None),
        identities=pl.lit(people),
        images=pl.lit(images),
    )


def beyond(values: Array, explained_by: Array) -> Array:
    """Return the residuals of each column regressed on the same column of another array."""
    values, by = values - values.mean(0), explained_by - explained_by.mean(0)
    squares = (by**2).sum(0)
    slope = np.divide((values * by).sum(0), squares, out=np.zeros_like(squares), where=squares > 0)
    return values - slope * by


def findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return findings on the variance between people, with and without that of the areas."""
    rows = tables["individuals_variance"]
    sentences = limits(rows)
    for (model,), own in rows.group_by("model", maintain_order=True):
        sentences += _between_people(str(model), own.drop_nulls("between_people"))
    sentences.append(
        "Variance between people is not yet a pattern of theirs: all maps of a person share the "
        "positives that they were made with, and people differ in pose and background, too."
    )
    return sentences


def _between_people(model: str, rows: pl.DataFrame) -> list[str]:
    share, beyond_area = (rows.filter(of=of) for of in ("share", "share beyond area"))
    if share.is_empty():
        return [f"{model}: how much of the variance lies between people can't be estimated."]
    clear, left = (part.filter(pl.col("low") > 0).height for part in (share, beyond_area))
    most = share.sort("between_people").row(-1, named=True)
    rest = beyond_area.filter(region=most["region"])
    after = (
        f", and {with_interval(rest.row(0, named=True), '.2f', 'between_people')} of what the "
        "region's area in the crop leaves unexplained"
        if rest.height
        else ""
    )
    return [
        f"{model}: in {clear} of {share.height} regions people differ by more than their own "
        f"images do, interval clear of zero; beyond the regions' areas in {left} of "
        f"{beyond_area.height}.",
        f"{model}: most lies between people for {in_words(most['region'])}: "
        f"{with_interval(most, '.2f', 'between_people')} of the variance{after}.",
    ]


QUESTION = Question(
    name="individuals",
    asks="Which regions matter for a person, and how much of that is the person's?",
    papers_tables=(7, 8),
    answer=answer,
    findings=findings,
    layouts={
        "individuals": Layout(
            "Region shares in the top 1 % by person, mean over images and layers, %",
            per=("model",),
            rows=("identity",),
            columns=("region",),
            estimate="share",
        ),
        "individuals_person": Layout(
            "variation over the images of one person, drawn by the seed: shares in the top 1 %, %",
            per=("model", "identity"),
        ),
        "individuals_variance": Layout(
            "Share of the variance between images that lies between people, ICC(1)",
            per=("model",),
            rows=("region",),
            columns=("of",),
            estimate="between_people",
        ),
    },
    notes=(
        "share beyond area: what the region's area in the crop leaves unexplained. All maps of a "
        "person share their positives, so that this alone doesn't show the pattern to be theirs.",
        "The paper's ten people are not named: its Tables 7 and 8 have no counterpart of ours.",
    ),
)
