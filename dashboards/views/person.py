"""Is it the person?: the verdict of the declared analysis, and its evidence."""

from typing import Final

import polars as pl
import streamlit as st

from analyses.findings import with_interval
from analyses.person.evidence import AUC
from analyses.person.verdict import COLUMNS
from analyses.rerun.experiment import Experiment
from analyses.rerun.fills import FILLS
from dashboards import faces
from dashboards.answers import Answer, command, find_answer, rows_of_model, show_answer
from dashboards.charts import OKABE_ITO, heat_map, show_chart, show_table
from dashboards.context import Context
from dashboards.hidden_faces import choose_hidden, show_hidden
from dashboards.interval_charts import curves, forest, most
from dashboards.page import Page, part
from leamstore.layers import Layer

MASKS: Final = ("own", "same person", "matched stranger", "swap", "mean map", "random")
"""The masks that are shown side by side."""

_MAPS: Final = "the model's maps"
_STATES: Final = {
    "shown": (1.0, "✓"), "not shown": (0.0, "○"), "fills disagree": (-0.4, "≠"),
    "reversed": (-1.0, "✗"),
}  # fmt: skip
"""Outcomes of a claim: the amount of colour, and a sign that fits a narrow screen."""


def show(context: Context) -> None:
    """Draw the page."""
    answer = show_answer(context, "person")
    verdicts = answer.tables["person"]
    own = rows_of_model(verdicts, context.filters.model)
    _show_verdict(own, context)
    _show_claims(answer, context)
    _show_evidence(answer, context)
    layer = faces.selected_layer(context)
    if layer is not None:
        st.subheader("The masks on a face")
        _show_masks(context, layer, answer)
    with st.expander("Controls that the lake holds, and how to add the others"):
        show_table(answer.tables["person_controls"], "controls")


def _show_verdict(own: pl.DataFrame, context: Context) -> None:
    row = own.filter(layer=context.filters.layer)
    if row.height:
        facts = row.row(0, named=True)
        st.subheader(f"{facts['layer']}: {facts['verdict']}")
        missing = facts["missing_controls"]
        st.caption(
            f"{facts['model']}, target {facts['target']}, {facts['identities']} people."
            + (f" Missing controls: {missing}." if missing else "")
        )


def _show_claims(answer: Answer, context: Context) -> None:
    """Show the verdicts on all models, and the outcomes of this model's claims, by layer."""
    claims = answer.tables["person_claims"]
    together = answer.tables["person"].join(
        claims, on=("model", "position", "layer"), how="left", maintain_order="left"
    )
    own = claims.filter(model=context.filters.model).sort("position")
    states = [own[column].to_list() for column in COLUMNS.values()]
    amounts, signs = (
        [[_STATES.get(state, (None, ""))[part] for state in line] for line in states]
        for part in (0, 1)
    )
    figure = heat_map(
        amounts, own["layer"].to_list(), [f"{words} " for words in COLUMNS], 40,
        text=signs, customdata=states, texttemplate="%{text}",
        hovertemplate="%{y}, %{x}: %{customdata}<extra></extra>",
        zmin=-1, zmax=1, showscale=False,
        colorscale=[[0, OKABE_ITO[3]], [0.5, "#D9D9D9"], [1, OKABE_ITO[5]]],
        textfont={"color": "#101010", "size": 16},
    )  # fmt: skip
    show_chart(figure, "claims", own)
    meanings = ", ".join(f"{sign} {state}" for state, (_, sign) in _STATES.items())
    st.caption(f"Outcome of each claim: {meanings}; empty: not tested for this layer.")
    with st.expander("Verdicts on all models, layers and targets"):
        show_table(together, "verdicts")


def _show_evidence(answer: Answer, context: Context) -> None:
    rows = answer.tables["person_evidence"].filter(model=context.filters.model)
    own = rows.filter(layer=context.filters.layer)
    occluded = own.filter(pl.col("fill").is_not_null()).sort(
        pl.col("fill").cast(pl.Enum(list(FILLS))), maintain_order=True
    )
    st.subheader("What hiding costs, by whose map")
    if occluded.is_empty():
        layers = rows.filter(pl.col("fill").is_not_null())["layer"].unique(maintain_order=True)
        st.info(f"This layer was not occluded; choose one of {', '.join(layers)}.")
    else:
        unit = f"difference of the drops, {answer.settings.get('measure', 'centred cosine')}"
        show_chart(forest(occluded, "claim", "fill", unit), "occlusion-evidence", occluded)
        st.caption(
            f"{answer.settings.get('percent', 1):g} % of the chip hidden; above 0 a claim holds. "
            f"Bars: 95 %, by bootstrap over {most(occluded['identities'])} people."
        )
    _show_likeness(rows, own)


def _show_likeness(rows: pl.DataFrame, own: pl.DataFrame) -> None:
    aucs = rows.filter(claim=AUC).with_columns(pl.col("control").fill_null(_MAPS))
    if aucs.is_empty():
        return
    st.subheader("Do maps tell people apart better than the controls do?")
    figure = curves(
        aucs.sort("position", maintain_order=True), "layer", "control",
        ("layer, from the input on", "AUC of one person's pairs"),
    )  # fmt: skip
    figure.add_hline(y=0.5, line={"color": "#7F7F7F", "dash": "dot", "width": 1})
    show_chart(figure, "likeness-evidence", aucs)
    st.caption(
        "One person's pairs of maps against strangers' matched in pose, everybody's mean map "
        "subtracted. Dotted: chance. Controls: maps that don't ask about the person, of random "
        "weights, and the image's own edges and pixels."
    )
    differences = own.filter(pl.col("fill").is_null() & (pl.col("claim") != AUC))
    if differences.height:
        figure = forest(differences, "control", "claim", "AUC of maps minus the control's")
        show_chart(figure, "control-evidence", differences)


@part
def _show_masks(context: Context, layer: Layer, answer: Answer) -> None:
    default = float(answer.settings.get("percent", Experiment().percent))
    face, (percent, fill) = choose_hidden(context, layer.model, Experiment().percents, default)
    occlusion = find_answer(context, "occlusion")
    drops, measured = pl.DataFrame(), "a model's first layer"
    if occlusion is not None:
        rows = occlusion.tables["occlusion"]
        layers = ", ".join(rows["layer"].unique().sort())
        measured = f"{layers}, and of some percents and fills"
        drops = rows.filter(
            pl.col("mask").is_in(MASKS), guiding=layer.model, judged=layer.model,
            layer=layer.name, percent=percent, measure="centred cosine",
        )  # fmt: skip
    titles = {
        row["mask"]: f"{row['mask']}: {with_interval(row, '.3f')}"
        for row in drops.to_dicts()
        if row["fill"] == fill
    }
    show_hidden(context, layer, face, list(MASKS), (percent, fill), titles, "masks")
    if drops.is_empty():
        st.caption(
            "There are no mean drops for these masks: the question `occlusion` measures them, of "
            f"{measured}; run `{command(context, 'occlusion')}`."
        )
        return
    figure = forest(drops, "mask", "fill", "drop of the centred cosine, mean over images")
    show_chart(figure, "drops", drops)
    st.caption(
        f"Under each face and here: the mean drop over {most(drops['images']):,} images, not this "
        f"face's own; {percent:g} % hidden."
    )


PAGE = Page(
    title="Is it the person?",
    address="person",
    icon=":material/fingerprint:",
    about="Is the pattern the person's, the image's, or any face's? A rule declared beforehand "
    "decides.",
    show=show,
    filters=("model", "layer"),
)
