"""Similarity: likeness of two maps of one image, of one person and of strangers."""

from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go
import polars as pl
import streamlit as st
from numpy.typing import NDArray

from analyses.cohort import number_people
from analyses.likeness import Pairs, centre
from analyses.overlays import overlay
from analyses.paper import has_paper
from analyses.similarity import groups
from analyses.similarity.question import SIZE, measures
from dashboards import faces, selections
from dashboards.answers import rows_of_model, show_answer
from dashboards.charts import show_chart, show_pictures, show_table
from dashboards.context import HASHES, Context
from dashboards.faces import FRAME_NAMES
from dashboards.interval_charts import REFERENCE, curves, looks_of, most
from dashboards.page import Page, nothing_here, part
from leamstore.layers import Layer, Maps
from leamstore.poses import FRAMES, Frame, Poses

PEOPLE: Final = 24
"""People of the sample."""

IMAGES: Final = 4
"""Images of each of them."""

POSITIVES: Final = 2
"""Pair maps of each image."""

PAIRS: Final = 150
"""Pairs of each group that are drawn as points."""

_SEED: Final = 0
_OFFERED: Final = 5000
_PICTURE: Final = 320
_GROUPS: Final = {
    "anchor": "one image", "identity": "one person", "strangers": "strangers"
}  # fmt: skip
_MEASURES: Final = {
    "bc": "Bhattacharyya coefficient",
    "emd": "earth mover's distance, grid pixels",
    "correlation": "correlation",
}
_OF_PAPER: Final = (
    ". Open diamonds: the paper's (arXiv 2509.17457, Tables 3 to 6); its \"same\" doesn't tell one "
    "image from one person."
)


@dataclass(frozen=True)
class Asked:
    """The selected comparison: values of the result tables' columns of these names."""

    frame: Frame
    maps: str
    relevance: str
    matching: str
    measure: str

    def of(self, rows: pl.DataFrame, *but: str) -> pl.DataFrame:
        """Return the selected rows, without regard to the columns `but`."""
        wanted = {name: value for name, value in vars(self).items() if name not in but}
        return rows.filter(**wanted)


def show(context: Context) -> None:
    """Draw the page."""
    answer = show_answer(context, "similarity")
    likeness = rows_of_model(answer.tables["similarity"], context.filters.model)
    aucs = answer.tables["similarity_auc"].filter(model=context.filters.model)
    asked = _choose(likeness)
    _show_groups(asked.of(likeness).sort("position", maintain_order=True), asked)
    _show_aucs(asked.of(aucs, "frame").sort("position", maintain_order=True), asked)
    with st.expander("All AUCs of this model"):
        show_table(aucs, "auc-table")
        st.caption(f"Made {answer.made}, by seed {answer.settings.get('seed')}.")
    layer = faces.selected_layer(context)
    if layer is not None:
        st.subheader("Pair by pair")
        _show_pairs(context, layer, asked)


def _choose(rows: pl.DataFrame) -> Asked:
    """Show a selection of the answer's values."""
    with st.container(horizontal=True):
        frames = [frame for frame in FRAMES if frame in rows["frame"]]
        frame = selections.one_of(
            "seen-in", "Frame", frames, default="canonical", width=200,
            format_func=FRAME_NAMES.__getitem__,
            help="Pairs are evidence for a person only in everybody's pose, or with poses matched.",
        )  # fmt: skip
        kinds = rows["maps"].unique(maintain_order=True).to_list()
        kind = selections.either_of(
            "maps", "Maps", kinds,
            help="pair: towards one positive; image: the mean over all positives.",
        )  # fmt: skip
        relevance = selections.either_of(
            "relevance", "Relevance", ["as it is", "centred"],
            help="centred: everybody's mean map is subtracted.",
        )  # fmt: skip
        matching = selections.either_of(
            "matching", "Pairs", ["all", "matched"],
            help="matched: strangers whose poses differ as much as those of one person.",
        )  # fmt: skip
        own = rows.filter(frame=frame, maps=kind, relevance=relevance)
        measures = own["measure"].unique(maintain_order=True).to_list()
        measure = selections.one_of(
            "alike-by", "Likeness", measures, width=260, format_func=lambda one: _MEASURES[one]
        )
    return Asked(frame, kind, relevance, matching, measure)


def _show_groups(rows: pl.DataFrame, asked: Asked) -> None:
    st.subheader("Three groups of pairs")
    if rows.is_empty():
        st.info("No pairs of strangers came near enough in pose.")
        return
    named = rows.with_columns(of=pl.col("group").replace(_GROUPS))
    titles = ("layer, from the input on", _MEASURES[asked.measure])
    figure = curves(named, "layer", "of", titles)
    show_chart(figure, "groups", rows)
    more = "smaller is more alike" if asked.measure == "emd" else "larger is more alike"
    pairs = rows.group_by("group").agg(pl.max("pairs"))
    st.caption(
        f"Mean of pairs in {FRAME_NAMES[asked.frame]}; {more}. Bars: 95 %, by bootstrap over "
        "people. Pairs: "
        + ", ".join(
            f"{count:,} of {_GROUPS[group]}" for group, count in pairs.sort("group").iter_rows()
        )
        + (_OF_PAPER if has_paper(rows) else ".")
    )


def _show_aucs(rows: pl.DataFrame, asked: Asked) -> None:
    st.subheader("One person's pairs against strangers'")
    if rows.is_empty():
        st.info("There is no AUC of such pairs: people are too few, or none matched in pose.")
        return
    named = rows.with_columns(pl.col("frame").replace(FRAME_NAMES).alias("seen in"))
    figure = curves(named, "layer", "seen in", ("layer, from the input on", "AUC"), estimate="auc")
    figure.add_hline(
        y=0.5, line={"color": REFERENCE, "width": 1, "dash": "dot"},
        annotation={"text": "chance", "xanchor": "right"},
    )  # fmt: skip
    show_chart(figure, "aucs", rows)
    st.caption(
        "AUC: the probability that a pair of one person is more alike than a pair of strangers, "
        f"by {_MEASURES[asked.measure].split(',')[0]}, relevance {asked.relevance}, "
        f"{asked.matching} pairs; frame by frame. 0.5 is chance. Bars: 95 %, by bootstrap over "
        f"{most(rows['identities'])} people."
    )


@part
def _show_pairs(context: Context, layer: Layer, asked: Asked) -> None:
    """Show a sample's pairs as points, and the two maps of the one that is chosen."""
    pairs = _sample(context, layer, asked)
    if pairs.is_empty():
        nothing_here("There are no pairs to be shown: the lake has no two images of one person.")
    written = dict(zip(pairs["pair"], pairs.iter_rows(named=True), strict=True))
    measure = "correlation" if asked.measure == "correlation" else "bc"

    def select() -> None:
        points = st.session_state["chart-pairs"]["selection"]["points"]
        clicked = [
            str(np.ravel(point["customdata"])[0]) for point in points if "customdata" in point
        ]
        if clicked and clicked[0] in written:
            selections.replace("pair", clicked[0])

    chosen = selections.one_of(
        "pair", "Pair", list(written), width="stretch",
        format_func=lambda one: _described(written[one]),
        help="Or click a point of the chart.",
    )  # fmt: skip
    figure = _points(pairs, chosen, _MEASURES[measure])
    show_chart(figure, "pairs", pairs, on_select=select, selection_mode="points")
    st.caption(
        f"A random sample for inspection: up to {PAIRS} pairs of each group, of {PEOPLE} people "
        f"at most; {layer.model}, {layer.name}. The numbers above are of all that the answer "
        "used" + (", and of emd, which isn't computed here." if asked.measure == "emd" else ".")
    )
    row = written[chosen]
    pictures = [_picture(context, layer, row, side, asked.frame) for side in ("first", "second")]
    show_pictures(pictures, [str(row[f"{side}_name"]) for side in ("first", "second")], "two-maps")
    st.caption(f"{_described(row)}: seen in {FRAME_NAMES[asked.frame]}; brighter is more relevant.")


def _described(row: dict[str, Any]) -> str:
    return (
        f"{_GROUPS[row['group']]}: {row['first_name']} and {row['second_name']}, "
        f"{row['likeness']:.3f}"
    )


def _points(pairs: pl.DataFrame, chosen: str, unit: str) -> go.Figure:
    """Return the pairs as points side by side, over boxes of each group's quartiles."""
    figure = go.Figure()
    names = [group for group in _GROUPS if group in pairs["group"]]
    jitter = np.random.default_rng(_SEED)
    for place, (group, look) in enumerate(looks_of(names).items()):
        own = pairs.filter(group=group)
        figure.add_box(
            y=own["likeness"].to_list(), x0=place, name=_GROUPS[group], boxpoints=False,
            width=0.7, line={"color": look.colour, "width": 1}, fillcolor="rgba(127,127,127,0.1)",
            hoverinfo="skip", showlegend=False,
        )  # fmt: skip
        is_chosen = (own["pair"] == chosen).to_numpy()
        figure.add_scatter(
            x=place + jitter.uniform(-0.28, 0.28, own.height), y=own["likeness"].to_list(),
            mode="markers", name=_GROUPS[group], customdata=own["pair"].to_list(),
            text=[_described(row) for row in own.iter_rows(named=True)],
            hovertemplate="%{text}<extra></extra>",
            marker={
                "color": look.colour, "symbol": look.symbol, "opacity": 0.8,
                "size": np.where(is_chosen, 16, 7),
                "line": {"color": REFERENCE, "width": np.where(is_chosen, 3, 0)},
            },
        )  # fmt: skip
    figure.update_xaxes(
        tickvals=list(range(len(names))),
        ticktext=[_GROUPS[name] for name in names],
        title="pairs of",
    )
    figure.update_yaxes(title=unit)
    return figure.update_layout(height=440, showlegend=False)


def _picture(
    context: Context, layer: Layer, row: dict[str, Any], side: str, frame: Frame
) -> NDArray[np.uint8]:
    image_id, pair_id = row[f"{side}_image"], row[f"{side}_map"]
    face = faces.read_face(context, layer, image_id, frame, _PICTURE)
    drawn = faces.draw_map(context, layer, image_id, pair_id, frame, _PICTURE, "smooth")
    return overlay(face.pixels, drawn)


@st.cache_data(show_spinner="Comparing a sample of maps", max_entries=200, hash_funcs=HASHES)
def _sample(context: Context, layer: Layer, asked: Asked) -> pl.DataFrame:
    """Draw pairs of maps and compare them.

    Returns
    -------
    polars.DataFrame
        group, pair (the numbers of its two maps), likeness, and of the first and the second map
        image, map (pair_id; NULL for an image's), identity and name.
    """
    maps = _maps_of_sample(context, layer.model, asked.maps)
    if maps.is_empty():
        return maps
    poses = Poses.of(maps)
    by_image = asked.maps == "image"
    read = layer.read(maps["image_id"]) if by_image else layer.read_pairs(maps["pair_id"])
    laid = poses.carry(read, layer.grid, asked.frame, SIZE)
    people = number_people(maps["identity"])
    pairs = _draw(maps, people, poses, asked)
    likeness = _compare(laid, people, pairs, asked)
    return pl.concat(
        _table(maps, group, chosen, likeness[group]) for group, chosen in pairs.items()
    ).filter(pl.col("likeness").is_not_nan())


def _maps_of_sample(context: Context, model: str, kind: str) -> pl.DataFrame:
    """Return the sample's maps: rows of images with the map's pair_id (NULL for an image's)."""
    images = context.ask(
        """
        WITH people AS (
            SELECT identity FROM embeddings JOIN images USING (image_id)
            WHERE model = ? AND status = 'kept' GROUP BY identity HAVING count(*) > 1
            ORDER BY md5(concat(identity, '-', ?)) LIMIT ?
        )
        SELECT image_id, identity, path, landmarks, crop_to_image, chip_to_crop, crop_to_identity,
               crop_to_canonical, NULL::INTEGER AS pair_id, path AS towards
        FROM embeddings JOIN images USING (image_id) JOIN people USING (identity)
        WHERE model = ? AND status = 'kept'
        QUALIFY row_number() OVER (PARTITION BY identity ORDER BY md5(concat(image_id, '-', ?)))
                <= ?
        ORDER BY image_id
        """,
        model, _SEED, PEOPLE, model, _SEED, IMAGES,
    )  # fmt: skip
    if kind == "image":
        return images
    kept = context.ask(
        """
        SELECT pair_id, anchor AS image_id, images.path AS towards
        FROM pairs JOIN images ON images.image_id = positive
        WHERE model = ? AND pair_id IS NOT NULL AND list_contains(?, anchor)
        QUALIFY row_number() OVER (PARTITION BY anchor ORDER BY pair_id) <= ?
        ORDER BY pair_id
        """,
        model, images["image_id"].to_list(), POSITIVES,
    )  # fmt: skip
    return kept.join(images.drop("pair_id", "towards"), on="image_id", maintain_order="left")


def _draw(
    maps: pl.DataFrame, people: NDArray[np.int64], poses: Poses, asked: Asked
) -> dict[str, Pairs]:
    images = maps["image_id"].to_numpy().astype(np.int64)
    pairs = groups.draw_pairs(images, people, _OFFERED, _SEED)
    if asked.matching == "matched":
        landmarks = poses.landmarks_in(asked.frame)
        matched = groups.match_poses(pairs["identity"], pairs["strangers"], landmarks)
        pairs = dict(zip(("identity", "strangers"), matched, strict=True))
    return {group: chosen[:PAIRS] for group, chosen in pairs.items() if len(chosen)}


def _compare(
    laid: Maps, people: NDArray[np.int64], pairs: dict[str, Pairs], asked: Asked
) -> dict[str, NDArray[np.float64]]:
    """Return each pair's likeness: the correlation of centred maps, or bc of the top 1 %."""
    centred = asked.relevance == "centred"
    maps = centre(laid, people) if centred else laid
    of_pairs, _ = measures(maps, centred)["correlation" if asked.measure == "correlation" else "bc"]
    return {group: of_pairs(chosen) for group, chosen in pairs.items()}


def _table(
    maps: pl.DataFrame, group: str, pairs: Pairs, likeness: NDArray[np.float64]
) -> pl.DataFrame:
    names = [
        PurePath(path).name + ("" if pair_id is None else f" towards {PurePath(towards).name}")
        for path, pair_id, towards in maps.select("path", "pair_id", "towards").iter_rows()
    ]
    facts = maps.select(
        "identity", image="image_id", map="pair_id", name=pl.Series(names, dtype=pl.String)
    )
    sides = [
        facts[pairs[:, place]].rename({name: f"{side}_{name}" for name in facts.columns})
        for place, side in enumerate(("first", "second"))
    ]
    both = pl.concat(sides, how="horizontal")
    numbers = [pl.coalesce(f"{side}_map", f"{side}_image") for side in ("first", "second")]
    return both.select(
        pl.lit(group).alias("group"),
        pl.concat_str(*numbers, separator="-").alias("pair"),
        pl.Series("likeness", likeness),
        pl.all(),
    )


PAGE = Page(
    title="Similarity",
    address="similarity",
    icon=":material/compare:",
    about="Are maps of one person more alike than maps of strangers, once pose is accounted for?",
    show=show,
    filters=("model", "layer"),
)
