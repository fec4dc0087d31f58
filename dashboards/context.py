"""The context of a page: the lake, cached queries to it, and the filters."""

import hashlib
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import polars as pl
import streamlit as st

from leamstore.lake import Lake
from leamstore.layers import Layer
from leamstore.storage import location
from leamstore.tables.published_copy import current_copy

EVERYBODY: Final = "everybody"
"""The identity filter's value for all people."""

_ANSWERS: Final = 1000


@dataclass(frozen=True)
class Filters:
    """The sidebar's selections; None where the page doesn't use one, or the lake has none.

    Attributes
    ----------
    model, layer : str
        Names in the tables models and layers.
    identity : str
        An identity, or `EVERYBODY`.
    """

    model: str | None = None
    layer: str | None = None
    identity: str = EVERYBODY


@dataclass(frozen=True)
class Context:
    """A lake in one state, and the filters of the sidebar.

    The state is another one as soon as the lake's tables have been written to.
    """

    lake: Lake
    state: str
    filters: Filters = Filters()

    @property
    def address(self) -> str:
        """The lake's folder, absolute, or its address in an object store."""
        path = self.lake.path
        return str(path.absolute() if isinstance(path, Path) else path)

    @property
    def option(self) -> str:
        """The command line option that names the lake."""
        return f"--lake {shlex.quote(self.address)}"

    def ask(self, query: str, *parameters: Any) -> pl.DataFrame:
        """Query the tables by SQL with ``?`` for each parameter; cached until the lake changes."""
        return _ask(self, query, parameters)


def hash_of_context(context: Context) -> str:
    """Return the key of a room for caches: the lake and its state, not the filters."""
    return f"{context.address} {context.state}"


HASHES: Final[dict[str | type[Any], Callable[[Any], Any]]] = {Context: hash_of_context, Layer: repr}
"""Hash functions for caches of functions of a context, or of a layer of its lake."""


def open_context(address: str) -> Context:
    """Open a lake for looking.

    Raises
    ------
    LakeError
        If there is none, or it can't be used.
    """
    # The state is read first, so that a change in the meantime belongs to the next state.
    state = state_of_tables(address)
    return Context(_open(address, state), state)


def state_of_tables(address: str) -> str:
    """Return a text that changes whenever the tables of a lake are written to; empty for none."""
    place = location(address) / "lake.duckdb"
    if not place.exists():
        return ""
    with current_copy(place) as file:
        files = [file, file.with_name(f"{file.name}.wal")]
        states = [
            f"{one.name} {one.stat().st_mtime_ns} {one.stat().st_size}"
            for one in files
            if one.is_file()
        ]
    return hashlib.sha256(" ".join(states).encode()).hexdigest()


@st.cache_resource(show_spinner=False, max_entries=8)
def _open(address: str, state: str) -> Lake:
    return Lake(address)


# Callers don't change the frames they get: copying the large ones takes longer than to ask.
@st.cache_resource(show_spinner=False, max_entries=_ANSWERS, hash_funcs=HASHES)
def _ask(context: Context, query: str, parameters: tuple[Any, ...]) -> pl.DataFrame:
    return context.lake.sql(query, list(parameters) or None)
