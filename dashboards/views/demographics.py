"""Demographics: where models look and what occlusion costs, by gender, ethnicity and age."""

from typing import Final

import polars as pl
import streamlit as st

from dashboards import selections
from dashboards.answers import choose_run, show_answer
from dashboards.charts import show_chart, show_table
from dashboards.context import Context
from dashboards.interval_charts import curves, forest, most
from dashboards.page import Page

ALPHA: Final = 0.05
"""Adjusted p below which a difference is marked."""

_SERIES: Final = {"difference": "share", "area_difference": "area of the region"}


def show(context: Context) -> None:
    """Draw the page."""
    tables = show_answer(context, "demographics").tables
    _show_shares(tables.get("demographics"), context.filters.model)
    _show_drops(
        tables.get("demographics_occlusion"),
        tables.get("demographics_occlusion_differences"),
        context.filters.model,
    )
    _show_ages(tables.get("demographics_ages"), context.filters.model)


def _show_shares(rows: pl.DataFrame | None, model: str | None) -> None:
    st.subheader("Where models look, by group")
    own = None if rows is None else rows.filter(model=model)
    if own is None or own.is_empty():
        st.info(
            f"There is no comparison of region shares by group of {model}: the lake states no two "
            "groups of people, or holds no region counts of its pairs."
        )
        return
    groups = selections.one_of(
        "groups", "Groups", own["groups"].unique(maintain_order=True).to_list(), width=300
    )
    chosen = own.filter(groups=groups).sort(pl.col("difference").abs(), descending=True)
    figure = forest(_beside_areas(chosen), "region", "of", f"{groups}, percentage points")
    show_chart(figure, "share-differences", chosen)
    found = chosen.filter(pl.col("p_holm") < ALPHA).height
    st.caption(
        f"Difference of the mean shares of the most relevant 1 %, of {most(chosen['identities'])} "
        f"people, with 95 % intervals over people; an asterisk: p < {ALPHA:g} after Holm "
        f"({found} of {chosen.height}). Also shown, without an interval: the same difference of "
        "the region's area, which doesn't depend on the model."
    )
    show_table(chosen, "share-differences-table")


def _beside_areas(rows: pl.DataFrame) -> pl.DataFrame:
    """Return each region's difference of shares, marked if significant, and that of its area."""
    mark = pl.when(pl.col("p_holm") < ALPHA).then(pl.lit(" *")).otherwise(pl.lit(""))
    named = rows.with_columns(pl.col("region").str.replace_all("_", " ") + mark)
    ends = pl.col("low", "high")
    shares = named.select("region", ends, estimate="difference", of=pl.lit(_SERIES["difference"]))
    areas = named.select(
        "region", ends * pl.lit(None, pl.Float64), estimate="area_difference",
        of=pl.lit(_SERIES["area_difference"]),
    )  # fmt: skip
    return pl.concat([shares, areas.drop_nulls("estimate")])


def _show_drops(
    drops: pl.DataFrame | None, differences: pl.DataFrame | None, model: str | None
) -> None:
    st.subheader("What occlusion costs, by group")
    if drops is None or drops.is_empty():
        st.info(
            "There are no drops by group: the lake states no two groups, or the network or its "
            "chips were missing when the question was answered."
        )
        return
    with st.container(horizontal=True):
        run = choose_run(drops, model)
        attribute = selections.one_of(
            "attribute", "Attribute", run["attribute"].unique().sort().to_list(), width=200
        )
    rows = run.filter(attribute=attribute).with_columns(
        of=pl.concat_str("group", pl.lit(", "), "mask")
    )
    titles = ("hidden, % of the chip (logarithmic)", "drop of the cosine")
    show_chart(curves(rows, "percent", "of", titles, log=True), "drops-by-group", rows)
    st.caption(
        "Hidden in black, by own maps and at random. Bars: 95 %, by bootstrap over people. "
        "Open diamonds: the paper's (arXiv 2509.17457, Tables 22 and 23), where it judges this "
        "model. A difference that random pixels show as well is not one of the maps."
    )
    if differences is None:
        return
    run_of = {name: rows[name][0] for name in ("guiding", "judged")}
    own = differences.filter(attribute=attribute, **run_of)
    for (groups,), part in own.group_by("groups", maintain_order=True):
        figure = curves(
            part.sort("mask"), "percent", "mask", (titles[0], f"{groups}, drop"),
            estimate="difference", log=True,
        )  # fmt: skip
        figure.add_hline(y=0, line={"color": "#7F7F7F", "width": 1})
        st.markdown(f"**{groups}**")
        show_chart(figure, f"drop-differences-{groups}", part)
    with st.expander("All differences, with tests"):
        show_table(own, "drop-differences-table")


def _show_ages(ages: pl.DataFrame | None, model: str | None) -> None:
    st.subheader("By the years between two images")
    if ages is None or ages.is_empty():
        st.info(
            "There are no numbers by age: state ages in an images.csv next to the images, run "
            "`python -m ingest`, and ask again."
        )
        return
    judged = ages.filter((pl.col("judged") == model) | pl.col("judged").str.starts_with("mean of"))
    if judged.is_empty():
        st.info(f"There are no numbers by age of {model}.")
        return
    with st.container(horizontal=True):
        runs = judged.select("guiding", "judged").unique(maintain_order=True).rows()
        run = selections.one_of(
            "aged", "Judged by, by maps of", runs, width=320,
            written=" by ".join, format_func=", by maps of ".join,
        )  # fmt: skip
        own = judged.filter(guiding=run[0], judged=run[1])
        percents = sorted(own.filter(pl.col("percent") > 0)["percent"].unique())
        percent = selections.step_of(
            "aged-percent", "Hidden, % of the chip", percents, default=1.0, width=260
        )
    rows = own.filter(pl.col("percent").is_in([0.0, percent])).with_columns(
        of=pl.col("mask").replace("none", "as they are")
    )
    titles = ("years between anchor and positive", "cosine")
    show_chart(curves(rows.sort("of", "years"), "years", "of", titles), "by-age", rows)
    st.caption(
        "Mean cosine of pairs, faces as they are and the anchor hidden in black. Bars: 95 %, by "
        "bootstrap over people; where people are few, there is none. Open diamonds: the paper's "
        "(arXiv 2509.17457, Table 24). Few pairs are many years apart, and they are of few people."
    )
    show_table(rows.drop("of"), "by-age-table")


PAGE = Page(
    title="Demographics",
    address="demographics",
    icon=":material/diversity_3:",
    about="Do models look elsewhere, or lose more by occlusion, by gender, ethnicity or age?",
    show=show,
    filters=("model",),
)
