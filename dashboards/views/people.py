"""People: outliers, variation within a person, and nearest neighbours."""

from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from analyses.findings import in_words
from analyses.likeness import bhattacharyya
from analyses.overlays import overlay
from dashboards import faces, selections
from dashboards.answers import Answer, rows_of_model, show_answer
from dashboards.charts import DIFFERENCES, heat_map, show_chart, show_pictures, show_table
from dashboards.context import EVERYBODY, Context
from dashboards.interval_charts import forest, most
from dashboards.page import Page

DRAWN: Final = 40
"""Number of people in the heat map: those who differ most."""

NEAREST: Final = 12
"""Number of people in the table of the nearest."""

_PICTURED: Final = 4
_PICTURE: Final = 224
_RANGE: Final = 3.0


def show(context: Context) -> None:
    """Draw the page."""
    answer = show_answer(context, "individuals")
    rows = rows_of_model(answer.tables["individuals"], context.filters.model)
    rows = deviations(rows)
    _show_who_differs(rows)
    person = _choose_person(context, rows)
    _show_variation(rows.filter(identity=person), person)
    _show_nearest(context, rows, person)
    _show_between(answer, context)


def deviations(rows: pl.DataFrame) -> pl.DataFrame:
    """Add the difference between a person's mean share of each region and that of all people.

    Parameters
    ----------
    rows : polars.DataFrame
        One model's rows of ``result_individuals``.

    Returns
    -------
    polars.DataFrame
        With everybody (the mean over people, who all count the same), beyond (the person's share
        minus it, in points) and deviations (in standard deviations between people; NULL where
        people don't differ, or there is one only).
    """
    share = pl.col("share")
    spread = share.std().over("region")
    return rows.with_columns(
        everybody=share.mean().over("region"), beyond=share - share.mean().over("region")
    ).with_columns(deviations=pl.when(spread > 0).then(pl.col("beyond") / spread))


def nearest_people(rows: pl.DataFrame, person: str) -> pl.DataFrame:
    """Return the likeness of the others' mean region shares, the most alike first.

    Returns
    -------
    polars.DataFrame
        identity, bc (the Bhattacharyya coefficient of the mean shares, scaled to sum to 1) and
        most_apart (the region whose shares differ most), points (by how much).
    """
    wide = rows.pivot("region", index="identity", values="share").fill_null(0.0)
    shares = wide.drop("identity").to_numpy()
    sums = shares.sum(1, keepdims=True)
    parts = np.divide(shares, sums, out=np.zeros_like(shares), where=sums > 0)
    own = wide["identity"].to_list().index(person)
    everyone = np.arange(len(parts))
    pairs = np.stack([np.full(len(parts), own), everyone], 1)
    apart = shares - shares[own]
    most = np.abs(apart).argmax(1)
    found = wide.select(
        "identity",
        bc=pl.Series(bhattacharyya(parts[:, :, None], pairs)),
        most_apart=pl.Series(np.array(wide.columns[1:])[most]),
        points=pl.Series(apart[everyone, most]),
    )
    return found.filter(pl.col("identity") != person).sort(
        "bc", "identity", descending=[True, False]
    )


def _show_who_differs(rows: pl.DataFrame) -> None:
    st.subheader("Who differs from the rest, and in what")
    known = rows.drop_nulls("deviations")
    if known.is_empty():
        st.info("One person alone differs from nobody: ingest images of more people.")
        return
    strength = known.group_by("identity").agg(
        strength=(pl.col("deviations") ** 2).mean().sqrt(),
        most_in=pl.col("region").sort_by(pl.col("deviations").abs()).last(),
        deviations=pl.col("deviations").sort_by(pl.col("deviations").abs()).last(),
        points=pl.col("beyond").sort_by(pl.col("deviations").abs()).last(),
    )
    ranked = strength.sort("strength", "identity", descending=[True, False])
    first = ranked["identity"][:DRAWN].to_list()
    wide = (
        known.filter(pl.col("identity").is_in(first))
        .pivot("region", index="identity", values="deviations")
        .sort(pl.col("identity").replace_strict(first, range(len(first)), return_dtype=pl.Int64))
    )
    figure = heat_map(
        wide.drop("identity").to_numpy(),
        [in_words(region) for region in wide.columns[1:]],
        [in_words(name) for name in wide["identity"]],
        22, zmin=-_RANGE, zmax=_RANGE, colorscale=DIFFERENCES,
        colorbar={"title": {"text": "standard deviations", "side": "right"}, "thickness": 12},
        hovertemplate="%{y}, %{x}: %{z:+.2f} standard deviations<extra></extra>",
    )  # fmt: skip
    show_chart(figure, "who-differs", wide)
    st.caption(
        "Each person's mean share of the most relevant 1 % by region, minus the mean of all "
        f"people, in standard deviations between people. The {wide.height} of {ranked.height:,} "
        "people who differ most come first. A larger nose gets more pixels from any map: see "
        "below what the areas leave."
    )
    show_table(ranked, "ranking")


def _choose_person(context: Context, rows: pl.DataFrame) -> str:
    people = rows["identity"].unique().sort().to_list()
    if context.filters.identity in people:
        return context.filters.identity
    if context.filters.identity != EVERYBODY:
        st.info(f"The answer says nothing of {context.filters.identity}; another person is shown.")
    return selections.one_of(
        "person", "Person", people, width=260, help="The sidebar's person goes first."
    )


def _show_variation(rows: pl.DataFrame, person: str) -> None:
    st.subheader(f"How {in_words(person)} varies")
    rows = rows.sort("share", descending=True)
    ends = rows.with_columns(
        low=(pl.col("share") - pl.col("std")), high=(pl.col("share") + pl.col("std"))
    )
    figure = forest(
        ends.with_columns(pl.col("region").str.replace_all("_", " "), of=pl.lit(in_words(person))),
        "region", "of", "share of the most relevant 1 %, %", estimate="share",
    )  # fmt: skip
    places = list(range(rows.height))
    for column, symbol in (("min", "line-ns-open"), ("max", "line-ns-open")):
        figure.add_scatter(
            x=rows[column].to_list(), y=places, mode="markers", name=column, showlegend=False,
            marker={"symbol": symbol, "size": 10, "color": "#7F7F7F"},
        )  # fmt: skip
    figure.add_scatter(
        x=rows["everybody"].to_list(), y=places, mode="markers", name="all people's mean",
        marker={"symbol": "diamond-open", "size": 10, "color": "#009E73", "line": {"width": 2}},
    )  # fmt: skip
    figure.update_layout(showlegend=True)
    show_chart(figure, "variation", rows)
    st.caption(
        f"Mean over {most(rows['images'])} images; bars: one standard deviation between images to "
        "either side (no interval); strokes: least and most; diamonds: the mean of all people."
    )
    show_table(rows.drop("model", "identity"), "person")


def _show_nearest(context: Context, rows: pl.DataFrame, person: str) -> None:
    st.subheader("Nearest people by attention")
    found = nearest_people(rows, person)
    if found.is_empty():
        st.info("There is nobody else in this answer.")
        return
    shown, alike = found.head(NEAREST), found["bc"].to_numpy()
    show_table(shown, "nearest")
    st.caption(
        "bc: Bhattacharyya coefficient of two people's mean region shares; 1: the same shares. "
        f"Of {found.height:,} others it is {alike.min():.3f} at least, and {np.median(alike):.3f} "
        "in the middle. It compares regions, not pixels; the page Similarity compares maps."
    )
    _show_faces(context, [person, *shown["identity"].head(_PICTURED - 1)])


def _show_faces(context: Context, people: list[str]) -> None:
    """Show an image of each person under its map, in everybody's pose."""
    layer = faces.selected_layer(context)
    if layer is None:
        return
    images = context.ask(
        "SELECT identity, min(image_id) AS image_id FROM images JOIN embeddings USING (image_id) "
        "WHERE model = ? AND status = 'kept' AND list_contains(?, identity) GROUP BY identity",
        layer.model,
        people,
    )
    of_person = dict(images.iter_rows())
    pictures = []
    for person in people:
        image_id, size = of_person[person], _PICTURE
        face = faces.read_face(context, layer, image_id, "canonical", size)
        drawn = faces.draw_map(context, layer, image_id, None, "canonical", size, "smooth")
        pictures.append(overlay(face.pixels, drawn))
    show_pictures(pictures, [in_words(person) for person in people], "nearest-faces")
    st.caption(f"One image each, under its map: {layer.model}, {layer.name}, everybody's pose.")


def _show_between(answer: Answer, context: Context) -> None:
    rows = answer.tables["individuals_variance"].filter(
        pl.col("model") == context.filters.model, pl.col("between_people").is_not_null()
    )
    st.subheader("How much lies between people, rather than within")
    if rows.is_empty():
        st.info("It can't be estimated: people are too few, or have one image each.")
        return
    named = rows.with_columns(pl.col("region").str.replace_all("_", " "))
    figure = forest(
        named, "region", "of", "share of the variance, ICC(1)", estimate="between_people"
    )
    show_chart(figure, "between-people", rows)
    st.caption(
        "1: all of the variance between images lies between people; 0: none. Also shown for "
        "the region's area in the crop, and for what the area leaves unexplained. Bars: 95 %, "
        f"by bootstrap over {most(rows['identities'])} people."
    )


PAGE = Page(
    title="People",
    address="people",
    icon=":material/groups:",
    about="Who differs from the rest, and in what; how one person varies; who is nearest.",
    show=show,
    filters=("model", "layer", "identity"),
)
