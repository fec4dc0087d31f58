"""Contents of the report page as data: the lake, contact sheets, and a section per question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analyses.layouts import Listing, Pivot
from analyses.question import Settings
from analyses.report.provenance import LakeFacts
from analyses.results import Answer
from leamstore.tables.results import Provenance

if TYPE_CHECKING:
    # Matplotlib loads slowly, and belongs to the figures alone.
    from analyses.figures.rendering import Rendered


@dataclass(frozen=True)
class ShownTable:
    """A result table on the page, as its layout lays it out, and its file."""

    name: str
    laid_out: tuple[Pivot | Listing, ...]


@dataclass(frozen=True)
class Section:
    """A question on the page, with its answer, what is said of it, and its provenance, if any."""

    answer: Answer
    findings: Sequence[str]
    notes: Sequence[str]
    tables: Sequence[ShownTable]
    figures: "Sequence[Rendered]"
    provenance: Provenance | None


@dataclass(frozen=True)
class Contents:
    """All that the page shows."""

    lake: LakeFacts
    overlays: "Sequence[Rendered]"
    overlays_lack: str
    sections: Sequence[Section]
    settings: Settings
    command: str
    versions: Mapping[str, str]
    written: str
