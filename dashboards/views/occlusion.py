"""Occlusion: the cost of hiding relevant pixels, by whose map, and the hidden faces."""

from typing import Final

import numpy as np
import polars as pl
import streamlit as st

from analyses.paper import has_paper
from analyses.rerun.experiment import MASKS, Experiment
from analyses.rerun.verification import IN_WORDS
from dashboards import faces, selections
from dashboards.answers import choose_run, show_answer
from dashboards.charts import DIFFERENCES, heat_map, show_chart, show_table
from dashboards.context import Context
from dashboards.hidden_faces import choose_hidden, show_hidden
from dashboards.interval_charts import curves, forest, most
from dashboards.page import Page, part

_PERCENT: Final = 1.0
_NETWORK_ONLY: Final = "gradient x input"


def show(context: Context) -> None:
    """Draw the page."""
    answer = show_answer(context, "occlusion")
    drops = answer.tables["occlusion"]
    with st.container(horizontal=True):
        run = choose_run(drops, context.filters.model)
        measures = [measure for measure in IN_WORDS if measure in run["measure"]]
        measure = selections.one_of(
            "likeness", "Likeness", measures, width=220, format_func=IN_WORDS.__getitem__
        )
    guiding, judged = run.select("guiding", "judged").row(0)
    run = run.filter(measure=measure)
    _show_curves(run, measure)
    _show_masks(run, measure)
    of_run = {"guiding": guiding, "judged": judged}
    _show_contrasts(answer.tables["occlusion_contrasts"].filter(measure=measure, **of_run))
    _show_steps(answer.tables["occlusion_curves"].filter(**of_run), measure)
    with st.expander("Areas under these curves"):
        show_table(answer.tables["occlusion_areas"].filter(**of_run), "areas")
    _show_transfer(answer.tables["occlusion_contrasts"], measure)
    st.subheader("The hidden faces")
    _show_faces(context, guiding, run["layer"][0])


def _show_curves(run: pl.DataFrame, measure: str) -> None:
    st.subheader("What hiding more and more costs")
    rows = run.filter(fill="black")
    tried = rows.group_by("mask").len().filter(pl.col("len") > 1)["mask"]
    rows = rows.filter(pl.col("mask").is_in(tried.implode())) if len(tried) else rows
    titles = ("hidden, % of the chip (logarithmic)", f"drop, {IN_WORDS[measure]}")
    show_chart(curves(rows, "percent", "mask", titles, log=True), "drops", rows)
    papers = " Diamonds: the paper's (arXiv 2509.17457, Tables 9 and 21)."
    st.caption(
        f"In black; maps of {rows['layer'][0]}. Mean over {most(rows['images']):,} images; bars: "
        f"95 %, by bootstrap over {most(rows['identities'])} people. random is the control."
        + (papers if has_paper(rows) else "")
    )


def _show_masks(run: pl.DataFrame, measure: str) -> None:
    st.subheader("By whose map, and under which fill")
    masks = run.group_by("percent").agg(pl.col("mask").n_unique()).sort("mask", "percent")
    percent = masks["percent"][-1]
    rows = run.filter(percent=percent)
    show_chart(forest(rows, "mask", "fill", f"drop, {IN_WORDS[measure]}"), "by-mask", rows)
    st.caption(
        f"{percent:g} % of the chip hidden. mean map, mirrored and gradient x input are controls "
        "that do not depend on the person, as random is."
    )


def _show_contrasts(rows: pl.DataFrame) -> None:
    st.subheader("Masks compared")
    if rows.is_empty():
        st.info("The masks are compared for one judging model, not for the mean of several.")
        return
    percents = sorted(rows.filter(pl.col("contrast") == "own - random")["percent"].unique())
    percent = selections.step_of(
        "compared-at", "Hidden, % of the chip", percents, default=_PERCENT, width=300
    )
    shown = rows.filter(percent=percent)
    unit = f"difference of the drops, {IN_WORDS[rows['measure'][0]]}"
    show_chart(forest(shown, "contrast", "fill", unit), "contrasts", shown)
    st.caption(
        "Right of zero the first mask hides more of what makes the face like its positives: "
        "own - random that maps find sensitive pixels, own - swap that they fit their image, same "
        "person - matched stranger that they fit their person."
    )
    with st.expander("All comparisons, with tests"):
        show_table(rows, "contrasts-table")


def _show_steps(rows: pl.DataFrame, measure: str) -> None:
    st.subheader("Deletion and insertion")
    measures = rows["measure"].unique(maintain_order=True).to_list()
    if not measures:
        st.info("These curves are of one judging model, not of the mean of several.")
        return
    shown = measure if measure in measures else measures[0]
    for curve in rows["curve"].unique(maintain_order=True):
        own = rows.filter(curve=curve, measure=shown)
        done = "hidden" if curve == "deletion" else "revealed"
        titles = (f"{done}, % of the chip", f"{shown}, share of the whole face's")
        st.markdown(f"**{curve}** ({own['fill'][0]})")
        show_chart(curves(own, "percent", "mask", titles, estimate="share"), str(curve), own)
    st.caption(
        "Own maps are better where their deletion lies lower and their insertion higher than that "
        "of the others. Bars: 95 %, by bootstrap over people."
    )


def _show_transfer(contrasts: pl.DataFrame, measure: str) -> None:
    """Show whose maps hide faces from whom, where there are several models."""
    rows = contrasts.filter(
        contrast="own - random", percent=_PERCENT, fill="black", measure=measure
    )
    if rows.select("guiding", "judged").n_unique() < 2:
        return
    st.subheader("Whose maps hide faces from whom")
    guides, judges = (rows[name].unique().sort().to_list() for name in ("guiding", "judged"))
    values = np.full((len(guides), len(judges)), np.nan)
    words = [["" for _ in judges] for _ in guides]
    for row in rows.iter_rows(named=True):
        y, x = guides.index(row["guiding"]), judges.index(row["judged"])
        clear = row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
        values[y, x] = row["estimate"]
        words[y][x] = f"{row['estimate']:.3f}{'*' if clear else ''}"
    most = float(np.nanmax(np.abs(values))) or 1.0
    figure = heat_map(
        values, judges, guides, 40, text=words, texttemplate="%{text}", zmin=-most, zmax=most,
        colorscale=DIFFERENCES, colorbar={"thickness": 12},
        hovertemplate="maps of %{y}, judged by %{x}: %{text}<extra></extra>",
    )  # fmt: skip
    figure.update_layout(xaxis_title="judged by", yaxis_title="maps of")
    show_chart(figure, "transfer", rows)
    st.caption(
        f"Drop by the map minus drop at random, {IN_WORDS[measure]}, {_PERCENT:g} % hidden in "
        "black. An asterisk: the 95 % interval is clear of zero. Empty: not tried; `python -m "
        "analyses occlusion --all-guides` tries all."
    )


@part
def _show_faces(context: Context, guiding: str, layer_name: str) -> None:
    layers = [one for one in faces.layers_of(context, guiding) if one.name == layer_name]
    if not layers:
        st.info(f"The lake no longer holds maps of {guiding}, {layer_name}.")
        return
    face, hidden = choose_hidden(context, guiding, (*Experiment().percents, 20, 40), _PERCENT)
    masks = [mask for mask in MASKS if mask != _NETWORK_ONLY]
    show_hidden(context, layers[0], face, masks, hidden, {}, "hidden-faces")
    st.caption(f"{_NETWORK_ONLY} needs the network itself, and is left out here.")


PAGE = Page(
    title="Occlusion",
    address="occlusion",
    icon=":material/visibility_off:",
    about="Does hiding what a map calls relevant make a face less like itself, and whose map does?",
    show=show,
    filters=("model",),
)
