"""Figures of answers: one module a question, from result tables to `Picture` objects.

A question's figures are drawn by ``pictures(tables)`` of the module here that bears its name; a
question without such a module has none.
"""

from collections.abc import Iterator, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

import polars as pl

if TYPE_CHECKING:
    from analyses.figures.picture import Picture


def pictures_of(question: str, tables: Mapping[str, pl.DataFrame]) -> "Iterator[Picture]":
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
