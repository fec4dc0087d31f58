"""The definition of a question: its name, tables, the paper's tables it answers, its findings."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import polars as pl

from analyses.statistics import DRAWS
from analyses.work import Work
from leamstore.catalog import Catalog
from leamstore.errors import LeamError
from leamstore.lake import Lake


class LackingError(LeamError):
    """The lake lacks what a question needs: one sentence, and the other questions still run."""


@dataclass(frozen=True)
class Settings:
    """The settings that every question gets.

    Attributes
    ----------
    seed : int
        Seed of everything drawn at random.
    draws : int
        Bootstrap draws behind each interval.
    catalog : Catalog, optional
        The built-in one with the user's own; without it, models are run again by what the lake
        says of them.
    """

    seed: int = 0
    draws: int = DRAWS
    catalog: Catalog | None = None

    def recorded(self) -> dict[str, Any]:
        """Return those that shape an answer, as JSON keeps them."""
        return {"seed": self.seed, "draws": self.draws}


@dataclass(frozen=True)
class Layout:
    """The layout of a printed result table: a table per value of `per`, an estimate per cell.

    Attributes
    ----------
    title : str
        Title of the table, with its unit.
    per, rows, columns : tuple of str
        Columns of the result table that identify a printed table, its rows and its columns.
        Without `columns` all others are listed as they are.
    estimate : str
        Column of the result table that fills the cells, with its columns low, high, paper and
        difference, where it has them.
    decimals : int
        Decimals of a cell.
    """

    title: str
    per: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    estimate: str = "estimate"
    decimals: int = 2


LEFT_OUT: Final = "left_out"
"""Suffix of the result table of models that a question leaves out, with reasons."""

LEFT_OUT_LAYOUT: Final = Layout("models that can't be run again, and take no part")


def _no_findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    return []


@dataclass(frozen=True)
class Question:
    """A question to a lake.

    Attributes
    ----------
    name : str
        Its name on the command line.
    asks : str
        The question, as a sentence.
    papers_tables : tuple of int
        The tables of the paper (arXiv 2509.17457) it answers.
    answer : callable
        From a lake, settings and the means of long work to result tables by name. Raises
        `LackingError` if the lake lacks what it needs.
    findings : callable
        From those tables to sentences: what they do and what they do not support, with numbers
        and intervals; an unwelcome result is one, too.
    layouts : mapping of str to Layout
        Layouts of its tables; a table without one is printed as it is.
    settings : mapping
        Settings fixed in its module that shape its answer, so that they are recorded with it and
        a change of it makes stored answers out of date; values that JSON keeps.
    notes : tuple of str
        Notes for a reader of its tables.
    """

    name: str
    asks: str
    papers_tables: tuple[int, ...]
    answer: Callable[[Lake, Settings, Work], dict[str, pl.DataFrame]]
    findings: Callable[[Mapping[str, pl.DataFrame]], list[str]] = _no_findings
    layouts: Mapping[str, Layout] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
