"""Contents of the report page as data: the lake, contact sheets, and a section per question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from analyses.layouts import Listing, Pivot
from analyses.question import Settings
from analyses.report.provenance import LakeFacts


@dataclass(frozen=True)
class Shown:
    """A figure on the page: its files, its caption, and the image itself.

    Attributes
    ----------
    name, title, caption : str
    media_type : str
    embedded : bytes
    width : int
        Pixels of CSS.
    """

    name: str
    title: str
    caption: str
    media_type: str
    embedded: bytes
    width: int


@dataclass(frozen=True)
class ShownTable:
    """A result table on the page, as its layout lays it out, and its file."""

    name: str
    laid_out: tuple[Pivot | Listing, ...]


@dataclass(frozen=True)
class Section:
    """A question on the page.

    Attributes
    ----------
    name, asks : str
    papers_tables : str
        Numbers of the paper's tables, or nothing.
    state : str
    why : str
        Why it couldn't be answered, or nothing.
    findings, notes : sequence of str
    tables : sequence of ShownTable
    figures : sequence of Shown
    settings : mapping
        The provenance of the answer.
    made : str
        When it was computed.
    """

    name: str
    asks: str
    papers_tables: str
    state: str
    why: str
    findings: Sequence[str]
    notes: Sequence[str]
    tables: Sequence[ShownTable]
    figures: Sequence[Shown]
    settings: Mapping[str, Any]
    made: str


@dataclass(frozen=True)
class Contents:
    """All that the page shows."""

    lake: LakeFacts
    overlays: Sequence[Shown]
    overlays_lack: str
    sections: Sequence[Section]
    settings: Settings
    command: str
    versions: Mapping[str, str]
    written: str
