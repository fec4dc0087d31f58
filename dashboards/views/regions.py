"""Regions: the share of activated pixels on each part of the face."""

from dataclasses import dataclass
from typing import Any, Final

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from analyses.findings import in_words
from analyses.paper import beside_paper, has_paper, of_same_regions
from analyses.question import LackingError, Settings
from analyses.regions.question import (
    QUESTION,
    papers_shares_by_layer,
    papers_shares_by_model,
)
from analyses.regions.shares import mean_shares, regions_in, sum_shares
from analyses.regions.thresholds import papers_shares_by_percent
from dashboards import selections
from dashboards.answers import read_current
from dashboards.charts import (
    AMOUNTS,
    OKABE_ITO,
    PAPER_COLOUR,
    colour_scale,
    heat_map,
    show_chart,
    show_table,
)
from dashboards.context import EVERYBODY, HASHES, Context
from dashboards.page import Page, no_model_here, nothing_here
from leamstore.schema import GRID

BY: Final = {
    "layer": ("position", "layer"),
    "model": ("model",),
    "percent": ("percent",),
    "person": ("individual",),
}
"""The columns that identify a group, by what is compared; the last one is shown."""

_PAPERS: Final = {
    "layer": papers_shares_by_layer,
    "model": papers_shares_by_model,
    "percent": papers_shares_by_percent,
}
"""The paper's shares, by what is compared."""

_ACTIVATIONS: Final = {"full": "relevance above 0.01", "top": "most relevant 1 %"}
_ALL_LAYERS: Final = "all layers"
_MOST_GROUPS: Final = 60


@dataclass(frozen=True)
class Asked:
    """The page's query to the lake.

    Attributes
    ----------
    by : str
        Key of `BY`.
    activation : str
        full or top, of ordered pairs; when percents are compared, images count instead.
    measure : str
        relative (% of the activated pixels) or absolute (% of the chip).
    model, layer, identity : str
        Which of them are counted; None for all.
    """

    by: str
    activation: str
    measure: str
    model: str | None
    layer: str | None
    identity: str | None

    @property
    def table(self) -> str:
        """The table that is queried."""
        return "image_regions" if self.by == "percent" else "pair_regions"


def show(context: Context) -> None:
    """Draw the page."""
    if context.filters.model is None:
        no_model_here(context)
    asked = _choose(context)
    try:
        shares = _beside_paper(_shares(context, asked), asked, context.lake.settings.parser)
    except LackingError as error:
        nothing_here(str(error))
    groups = shares[BY[asked.by][-1]].unique(maintain_order=True).to_list()
    _say_what(asked, shares, groups)
    shown = shares.filter(pl.col(BY[asked.by][-1]).is_in(groups[:_MOST_GROUPS]))
    _show_heat_map(shown, asked)
    _show_bars(shown, asked, groups[:_MOST_GROUPS])
    if not has_paper(shares):
        shares = shares.drop("paper", "difference")
    show_table(shares, "shares")


def _choose(context: Context) -> Asked:
    with st.container(horizontal=True):
        by = selections.either_of("by", "Compare", list(BY))
        activation = "top"
        if by != "percent":
            activation = selections.either_of(
                "activation", "Pixels", list(_ACTIVATIONS), default="top",
                format_func=_ACTIVATIONS.__getitem__,
            )  # fmt: skip
        measure = selections.either_of(
            "measure", "Share", ["relative", "absolute"],
            help="relative: of the activated pixels; absolute: of all pixels of the chip.",
        )  # fmt: skip
        layer = None
        if by != "layer":
            layers = context.ask(
                "SELECT layer FROM layers WHERE model = ? ORDER BY position", context.filters.model
            )["layer"].to_list()
            chosen = selections.one_of("of-layer", "Layer", [_ALL_LAYERS, *layers], width=200)
            layer = None if chosen == _ALL_LAYERS else chosen
    model = None if by == "model" else context.filters.model
    everybody = by == "person" or context.filters.identity == EVERYBODY
    identity = None if everybody else context.filters.identity
    return Asked(by, activation, measure, model, layer, identity)


@st.cache_data(show_spinner="Counting", max_entries=200, hash_funcs=HASHES)
def _shares(context: Context, asked: Asked) -> pl.DataFrame:
    """Return the groups' mean shares: BY's columns, region, share, low, high, identities, maps."""
    answered = _answered(context, asked)
    if answered is not None:
        return answered
    sums = _sum_shares(context, asked)
    if asked.by == "person":
        return _shares_of_people(sums)
    return mean_shares(sums, BY[asked.by], Settings())


def _answered(context: Context, asked: Asked) -> pl.DataFrame | None:
    """Return the shares from the answer to the question `regions`, if it has the selected ones."""
    of_everybody = asked.measure == "relative" and asked.identity is None and asked.layer is None
    if asked.by not in ("layer", "model") or not of_everybody:
        return None
    found = read_current(context, QUESTION, f"regions_by_{asked.by}")
    if found is None:
        return None
    rows = found.filter(activation=asked.activation)
    if asked.model is not None:
        rows = rows.filter(model=asked.model)
    return rows.select(*BY[asked.by], "region", "share", "low", "high", "identities", "maps")


def _shares_of_people(sums: pl.DataFrame) -> pl.DataFrame:
    """Return each person's mean shares; of one person no interval can be drawn."""
    shares = sums.unpivot(
        regions_in(sums), index=("individual", "maps"), variable_name="region", value_name="share"
    )
    nobody = pl.lit(None, pl.Float64)
    return shares.sort("individual", maintain_order=True).select(
        "individual", "region", pl.col("share") / pl.col("maps"),
        nobody.alias("low"), nobody.alias("high"), pl.lit(1).alias("identities"), "maps",
    )  # fmt: skip


def _sum_shares(context: Context, asked: Asked) -> pl.DataFrame:
    conditions = {
        f"{asked.table}.model = ?": asked.model,
        f"{asked.table}.layer = ?": asked.layer,
        "identity = ?": asked.identity,
        "activation = ?": asked.activation if asked.table == "pair_regions" else None,
    }
    wanted = {condition: value for condition, value in conditions.items() if value is not None}
    # A person is a group here, and also the unit over which intervals are drawn.
    by = ["identity AS individual" if name == "individual" else name for name in BY[asked.by]]
    whole = "pixels" if asked.measure == "relative" else str(GRID * GRID)
    return sum_shares(
        context.lake, asked.table, by, " AND ".join([*wanted, "TRUE"]), list(wanted.values()), whole
    )


def _beside_paper(shares: pl.DataFrame, asked: Asked, parser: str) -> pl.DataFrame:
    """Return the shares together with the paper's, where it has the same quantity.

    The paper's shares are relative, over all people; Tables 1 and 2 are by layer, 10 and 11 by
    model, 12 to 20 by percent.
    """
    on = [BY[asked.by][-1], "region"]
    comparable = asked.measure == "relative" and asked.identity is None and asked.layer is None
    if asked.by not in _PAPERS or not comparable:
        return shares.with_columns(
            paper=pl.lit(None, pl.Float64), difference=pl.lit(None, pl.Float64)
        )
    papers = of_same_regions(_PAPERS[asked.by](), parser)
    asked_of = {"model": asked.model, "activation": asked.activation}
    known = {
        name: pl.lit(value)
        for name, value in asked_of.items()
        if value and name in papers.columns and name not in on
    }
    joined = beside_paper(shares.with_columns(**known), papers, [*on, *known])
    return joined.drop(*known)


def _say_what(asked: Asked, shares: pl.DataFrame, groups: list[object]) -> None:
    people: Any = shares["identities"].max()
    of = "images" if asked.table == "image_regions" else "ordered pairs"
    whole = "activated pixels" if asked.measure == "relative" else "pixels of the chip"
    said = f"% of the {whole}, mean over {of}"
    if people == 1:
        said += "; no intervals, since each number is of one person"
    else:
        said += f"; intervals: 95 %, by bootstrap over up to {people} people"
    if not has_paper(shares):
        said += ". The paper (arXiv 2509.17457) has no such number"
    else:
        said += "; diamonds: the paper's (arXiv 2509.17457)"
    st.caption(said + ".")
    if len(groups) > _MOST_GROUPS:
        st.caption(f"Drawn are the first {_MOST_GROUPS} of {len(groups):,}; the table has all.")


def _show_heat_map(shares: pl.DataFrame, asked: Asked) -> None:
    column = BY[asked.by][-1]
    wide = shares.pivot(column, index="region", values="share")
    groups = [_named(name) for name in wide.columns[1:]]
    regions = [in_words(name) for name in wide["region"]]
    figure = heat_map(
        wide.drop("region").to_numpy(), groups, regions, 26, colorscale=colour_scale(AMOUNTS),
        zmin=0, colorbar={"title": {"text": "share, %", "side": "right"}, "thickness": 12},
        hovertemplate="%{y}, %{x}: %{z:.2f} %<extra></extra>",
    )  # fmt: skip
    figure.update_xaxes(title=asked.by)
    show_chart(figure, "shares-heat-map", wide)


def _show_bars(shares: pl.DataFrame, asked: Asked, groups: list[object]) -> None:
    """Show the groups of one region, with intervals and the paper's numbers."""
    regions = regions_in(pl.DataFrame({name: [] for name in shares["region"].unique()}))
    default = "nose" if "nose" in regions else regions[0]
    region = selections.one_of(
        "region", "Region", regions, default=default, width=240,
        format_func=in_words,
    )  # fmt: skip
    rows = shares.filter(region=region)
    names = [_named(group) for group in rows[BY[asked.by][-1]]]
    figure = go.Figure(
        go.Bar(
            x=names, y=rows["share"].to_list(), name="this lake", marker_color=OKABE_ITO[0],
            error_y={
                "type": "data", "symmetric": False, "thickness": 1.5, "color": "#7F7F7F",
                "array": (rows["high"] - rows["share"]).fill_null(0).to_list(),
                "arrayminus": (rows["share"] - rows["low"]).fill_null(0).to_list(),
            },
        )
    )  # fmt: skip
    if has_paper(rows):
        figure.add_scatter(
            x=names, y=rows["paper"].to_list(), name="the paper", mode="markers",
            marker={"symbol": "diamond", "size": 10, "color": PAPER_COLOUR},
        )  # fmt: skip
    figure.update_xaxes(type="category", title=asked.by, tickangle=-45)
    figure.update_yaxes(title=f"{in_words(region)}, %", rangemode="tozero")
    figure.update_layout(height=360, showlegend=True)
    show_chart(figure, "shares-bars", rows)


def _named(group: object) -> str:
    return f"{group:g}" if isinstance(group, float) else str(group)


PAGE = Page(
    title="Regions",
    address="regions",
    icon=":material/grid_view:",
    about="What share of the activated pixels lies on which region, with intervals.",
    show=show,
    filters=("model", "identity"),
)
