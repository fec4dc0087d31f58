"""The definition of a page, parts of it that are redrawn alone, and its error messages."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, Concatenate, Literal, NoReturn, ParamSpec

import duckdb
import streamlit as st

from dashboards import selections
from dashboards.context import Context, state_of_tables
from leamstore.errors import LeamError

Arguments = ParamSpec("Arguments")

Filter = Literal["model", "layer", "identity"]


@dataclass(frozen=True)
class Page:
    """A page of the dashboards.

    Attributes
    ----------
    title : str
        In the menu and at its head.
    address : str
        Its part of the address; empty for the first page.
    icon : str
        A Material symbol.
    about : str
        Description of the page, in a sentence or two.
    show : callable
        Draws it.
    filters : tuple of str
        The sidebar's filters that it uses.
    """

    title: str
    address: str
    icon: str
    about: str
    show: Callable[[Context], None]
    filters: tuple[Filter, ...] = ()


def nothing_here(sentence: str) -> NoReturn:
    """Show what the lake lacks, with the remedy, and end the page."""
    st.info(sentence, icon=":material/info:")
    st.stop()


def no_model_here(context: Context) -> NoReturn:
    """Say that no model has been run on the lake, with the command that does it."""
    nothing_here(
        f"No model has been run on this lake: run `python -m ingest --models all {context.option}`."
    )


def with_errors_shown(show: Callable[[], object]) -> None:
    """Draw something, and show an error of the lake as a sentence in its place."""
    try:
        show()
    except LeamError as error:
        st.error(_sentence(error), icon=":material/error:")
    except duckdb.Error as error:
        st.error(
            f"The lake's tables can't be asked just now: {_sentence(error)} Reload the page; if "
            "it stays, run `python -m leamstore verify`.",
            icon=":material/error:",
        )


def part(
    show: Callable[Concatenate[Context, Arguments], object],
) -> Callable[Concatenate[Context, Arguments], Any]:
    """Decorate a function as a part of a page that its widgets redraw alone.

    If the lake has changed meanwhile, the whole page is drawn again, so that its parts agree.
    """

    @st.fragment
    @wraps(show)
    def draw(context: Context, *arguments: Arguments.args, **named: Arguments.kwargs) -> None:
        def show_part() -> None:
            with context.lake.kept_open():
                show(context, *arguments, **named)

        if state_of_tables(context.address) != context.state:
            st.rerun()
        with_errors_shown(show_part)
        selections.end_part()

    return draw


def _sentence(error: Exception) -> str:
    text = str(error).strip()
    return text[:1].upper() + text[1:]
