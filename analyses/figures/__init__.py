"""Figures of answers: one module a question, from result tables to `Picture` objects.

A question's figures are drawn by ``pictures(tables)`` of the module here that bears its name; a
question without such a module has none.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A figure made of result tables.

    Attributes
    ----------
    name : str
        Stem of the names of its files, as in ``regions_by_layer``; it may hold any name of the
        lake's.
    title : str
        Its title, in a line.
    caption : str
        How to read it, its units, what the intervals and the controls are.
    figure : matplotlib.figure.Figure
        The drawing, made without pyplot, which keeps global state. The module that
        publishes it adds the brands.
    """

    name: str
    title: str
    caption: str
    figure: "Figure"


def pictures_of(question: str, tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield the figures of a question's result tables; matplotlib is loaded only then.

    Parameters
    ----------
    question : str
        Name of the question.
    tables : mapping of str to polars.DataFrame
        Its result tables by name; without any there are no figures.
    """
    name = f"{__name__}.{question}"
    if tables and find_spec(name):
        yield from import_module(name).pictures(tables)
