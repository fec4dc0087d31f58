"""Answers of the analyses: result tables, findings, and whether they are out of date."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
import streamlit as st

from analyses.question import Question, Settings
from analyses.questions import QUESTIONS, with_all_guides
from analyses.results import recorded_settings
from dashboards import selections
from dashboards.context import HASHES, Context
from dashboards.page import no_model_here, nothing_here
from leamstore.errors import LakeError
from leamstore.tables import results

_SHOWN = 12


@dataclass(frozen=True)
class Answer:
    """A question's answer in the lake.

    Attributes
    ----------
    tables : dict of str to polars.DataFrame
        By name, without ``result_``.
    settings : dict
        The settings it was made with.
    findings : list of str
        Sentences on what the tables do and do not support.
    notes : tuple of str
        Notes for a reader of the tables.
    made : str
        When, in ISO 8601.
    is_current : bool
        Whether neither the lake nor the question has changed since.
    """

    tables: Mapping[str, pl.DataFrame]
    settings: Mapping[str, Any]
    findings: list[str]
    notes: tuple[str, ...]
    made: str
    is_current: bool


def show_answer(context: Context, question: str) -> Answer:
    """Show the findings of a question's answer, and return the answer.

    Without an answer the page ends by the command that computes it.
    """
    answer = find_answer(context, question)
    if answer is None and context.filters.model is None:
        no_model_here(context)
    if answer is None:
        nothing_here(
            f"This lake holds no answer yet: run `{command(context, question)}`, then reload the "
            "page."
        )
    if not answer.is_current:
        st.warning(
            f"This answer is out of date: the lake, or the question, has changed since it was "
            f"made ({answer.made}). Run `{command(context, question)}` again.",
            icon=":material/history:",
        )
    _show_findings(context, answer)
    return answer


def read_current(context: Context, question: Question, name: str) -> pl.DataFrame | None:
    """Return a result table of a question; None if it isn't there, or isn't up to date."""
    recorded = recorded_settings(question, Settings())
    if not results.are_current(context.lake, question.name, recorded, _inputs(context)):
        return None
    return context.ask(f'FROM "{results.PREFIX}{name}"')


def command(context: Context, question: str) -> str:
    """Return the command line that answers a question."""
    return f"python -m analyses {question} {context.option}"


def rows_of_model(rows: pl.DataFrame, model: str | None, column: str = "model") -> pl.DataFrame:
    """Return a model's rows of a result table, or show that it has none and end the page."""
    own = rows.filter(pl.col(column) == model)
    if own.is_empty():
        nothing_here(
            f"The answer says nothing of {model}: it is a control, or was run later. There are "
            f"numbers of {', '.join(rows[column].unique().sort())}."
        )
    return own


def choose_run(rows: pl.DataFrame, model: str | None) -> pl.DataFrame:
    """Show a selection of the guiding model, and return its rows of a result table.

    Parameters
    ----------
    rows : polars.DataFrame
        With the columns guiding and judged.
    model : str
        The judging model.
    """
    means = rows.filter(pl.col("judged").str.starts_with("mean of"))["judged"].unique().to_list()
    own = rows_of_model(rows, model, "judged")
    if means:
        judged = selections.one_of("judged", "Judged by", [str(model), *means], width=220)
        own = rows.filter(judged=judged)
    guides = own["guiding"].unique().sort().to_list()
    default = str(model) if model in guides else None
    guide = selections.one_of(
        "guiding", "Whose maps hide", guides, default=default, width=220,
        help="The model whose maps order the pixels to hide.",
    )  # fmt: skip
    return own.filter(guiding=guide)


@st.cache_resource(show_spinner="Reading the answer", max_entries=32, hash_funcs=HASHES)
def find_answer(context: Context, question: str) -> Answer | None:
    """Return the answer to a question without showing it; None if the lake has none."""
    tables = results.read_results(context.lake, question)
    if not tables:
        return None
    written = results.read_provenance(context.lake)[next(iter(tables))]
    # An answer by another seed, or with other guides, is as good an answer.
    common = Settings(written.settings.get("seed", 0), written.settings.get("draws", 0))
    asked = [
        one for one in (*QUESTIONS, *with_all_guides(QUESTIONS)) if one.name == question
    ]  # fmt: skip
    inputs = _inputs(context)
    is_current = any(
        results.are_current(context.lake, question, recorded_settings(one, common), inputs)
        for one in asked
    )
    try:
        findings = asked[0].findings(tables)
    except pl.exceptions.PolarsError as error:
        raise LakeError(
            f"the answer was written by another version of analyses and can't be read: run "
            f"`{command(context, question)} --again`."
        ) from error
    return Answer(tables, written.settings, findings, asked[0].notes, written.made, is_current)


@st.cache_data(show_spinner=False, max_entries=8, hash_funcs=HASHES)
def _inputs(context: Context) -> str:
    return results.inputs_checksum(context.lake)


def _show_findings(context: Context, answer: Answer) -> None:
    """Show the findings, those that begin with another model's name folded away."""
    others = set(context.ask("SELECT model FROM models")["model"]) - {context.filters.model}
    first_word = re.compile(r"[^\s,:]+")
    mine: list[str] = []
    theirs: list[str] = []
    for sentence in answer.findings:
        found = first_word.match(sentence)
        (theirs if found and found.group() in others else mine).append(sentence)
    with st.container(border=True, key="findings"):
        st.markdown("**What these data support**")
        _list(mine[:_SHOWN] or ["Nothing is said of this model."])
        rest = mine[_SHOWN:] + theirs
        if rest:
            with st.expander(f"Findings of other layers and models ({len(rest)})"):
                _list(rest)
        with st.expander("How to read this page"):
            _list(answer.notes)


def _list(sentences: list[str] | tuple[str, ...]) -> None:
    st.markdown("\n".join(f"- {sentence}" for sentence in sentences))
