"""The report page: one HTML file that opens without a network, with all text escaped."""

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Final

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup, escape

from analyses.layouts import Listing, Pivot
from analyses.question import Settings
from analyses.report.provenance import LakeFacts
from analyses.results import Answer
from leamstore.tables.results import Provenance

if TYPE_CHECKING:
    from analyses.figures.rendering import Rendered

LINES: Final = 60
"""Lines of a table on the page; all of them are in its CSV."""

TABLES: Final = 12
"""Tables of one result that are open at once; further ones are there to unfold."""

_LINK: Final = re.compile(r"https?://[^\s<>\"']*[^\s<>\"'.,;:)]")
_CODE: Final = re.compile(r"`([^`]+)`")


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


def page(contents: Contents) -> str:
    """Return the page that shows a report's contents."""
    # Names of people and files come from outside: autoescape is what keeps them text.
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"prose": prose, "data_address": data_address}
    environment.tests["pivot"] = lambda table: isinstance(table, Pivot)
    template = environment.from_string(_file("page.html"))
    return template.render(
        contents=contents, style=Markup(_file("page.css")), lines=LINES, open_tables=TABLES
    )


def prose(text: str) -> Markup:
    """Return a sentence as HTML: text in backticks as code, addresses as links."""
    marked = _CODE.sub(r"<code>\1</code>", str(escape(text)))
    return Markup(_LINK.sub(r'<a href="\g<0>">\g<0></a>', marked))


def data_address(figure: "Rendered") -> str:
    """Return a figure as the address of an image that the page holds itself."""
    return f"data:{figure.media_type};base64,{base64.b64encode(figure.embedded).decode()}"


def _file(name: str) -> str:
    return (resources.files(__package__) / name).read_text(encoding="utf-8")
