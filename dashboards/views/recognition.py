"""Recognition: whether a model tells people apart at all, and whether its input is right."""

from typing import Final

import plotly.graph_objects as go
import polars as pl
import streamlit as st

from analyses.findings import with_interval
from analyses.recognition.probe import OWN, SEPARATION
from analyses.recognition.scores import AUC, THRESHOLD
from dashboards.answers import rows_of_model, show_answer
from dashboards.charts import show_chart, show_table
from dashboards.context import Context
from dashboards.interval_charts import REFERENCE, forest, looks_of, most
from dashboards.page import Page

_MODELS: Final = "trained weights"


def show(context: Context) -> None:
    """Draw the page."""
    answer = show_answer(context, "recognition")
    measures = answer.tables["recognition"]
    own = rows_of_model(measures, context.filters.model)
    _show_measures(own)
    scores = answer.tables["recognition_scores"].filter(model=context.filters.model)
    _show_scores(scores, own)
    _show_models(measures)
    _show_probe(answer.tables["recognition_probe"], context.filters.model)


def _show_measures(own: pl.DataFrame) -> None:
    shown = {row["measure"]: row for row in own.to_dicts()}
    auc = shown[AUC]
    st.subheader(f"AUC {with_interval(auc, '.4f')}")
    control = "" if own["control"][0] is None else f" A control: {own['control'][0]}."
    st.caption(
        f"{auc['genuine']:,} genuine and {auc['impostor']:,} impostor pairs of {auc['images']:,} "
        f"images of {auc['identities']} people. 0.5 is chance.{control}"
    )
    show_table(own.select("measure", "estimate", "low", "high"), "measures")


def _show_scores(scores: pl.DataFrame, own: pl.DataFrame) -> None:
    st.subheader("Cosines of genuine and of impostor pairs")
    traces = [
        {"type": "scatter", "mode": "lines", "name": kind, "x": part["cosine"].to_list(),
         "y": part["share"].to_list(), "fill": "tozeroy",
         "line": {"shape": "hvh", "color": look.colour, "dash": look.dash, "width": 1.5},
         "hovertemplate": f"{kind}, cosine %{{x:.3f}}: %{{y:.1f}} %<extra></extra>"}
        for kind, look in looks_of(("genuine", "impostor")).items()
        for part in [scores.filter(comparison=kind)]
    ]  # fmt: skip
    figure = go.Figure(
        traces,
        {"xaxis": {"title": {"text": "cosine"}}, "yaxis": {"title": {"text": "% of the pairs"}},
         "height": 360, "showlegend": True},
    )  # fmt: skip
    threshold = own.filter(measure=THRESHOLD)["estimate"][0]
    figure.add_vline(x=threshold, line={"color": REFERENCE, "dash": "dash", "width": 1.5})
    show_chart(figure, "scores", scores)
    st.caption(
        "Genuine: two images of one person; impostor: of two people. Dashed: the threshold of "
        "equal errors. The less both overlap, the better the model recognises."
    )


def _show_models(measures: pl.DataFrame) -> None:
    rows = measures.filter(measure=AUC).with_columns(pl.col("control").fill_null(_MODELS))
    st.subheader("All models")
    figure = forest(rows, "model", "control", "AUC")
    figure.update_layout(xaxis_range=[min(0.45, *rows["low"].drop_nulls(), *rows["estimate"]), 1.0])
    show_chart(figure, "models", rows)
    st.caption(
        f"Bars: 95 %, by bootstrap over {most(rows['identities'])} people. A network with random "
        "weights tells as much apart as photographs alone differ."
    )
    with st.expander("All measures of all models"):
        show_table(measures, "all-measures")


def _show_probe(probe: pl.DataFrame, model: str | None) -> None:
    st.subheader("Is its input as it should be?")
    rows = probe.filter(model=model)
    if rows.is_empty():
        probed = ", ".join(probe["model"].unique(maintain_order=True)) or "none"
        st.info(
            f"Other inputs were not tried with {model}: it is a control, can't be run again, or "
            f"its network was tried under another target. Tried: {probed}."
        )
        return
    others = rows.filter(pl.col("variant") != OWN, measure=SEPARATION).select(
        "model", pl.format("{}: {}", "changed", "variant").alias("input"), "p_holm",
        estimate="difference", low="difference_low", high="difference_high",
    )  # fmt: skip
    unit = "separation minus that of the entry's input"
    show_chart(forest(others, "input", "model", unit), "inputs", others)
    st.caption(
        f"The same {rows['images'][0]} images ({rows['chips'][0]}) of {rows['identities'][0]} "
        "people, embedded anew with one thing changed. Right of zero the other input tells people "
        "apart better, and the entry is probably wrong. Bars: 95 %, by bootstrap over people."
    )
    with st.expander("All inputs, with AUC and tests"):
        show_table(rows, "probe")


PAGE = Page(
    title="Recognition",
    address="recognition",
    icon=":material/how_to_reg:",
    about="Does a model recognise people at all, and is its input as it should be?",
    show=show,
    filters=("model",),
)
