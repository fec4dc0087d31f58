"""The fenced blocks of the documentation."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
RUN: Final = ("bash", "console", "python", "sql")

_FENCE: Final = re.compile(
    r"^```(?P<info>[^\n]*)\n(?P<text>.*?)^```[ ]*$", re.DOTALL | re.MULTILINE
)
_REASON: Final = re.compile(r'not_run="(?P<reason>[^"]+)"')


@dataclass(frozen=True)
class Block:
    """A block: its page, the line it begins at, its language, its text, why it isn't run."""

    page: Path
    line: int
    language: str
    text: str
    not_run: str | None

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page.name}:{self.line}"


def blocks_of(page: Path) -> Iterator[Block]:
    """Yield the blocks of a page."""
    written = page.read_text()
    for found in _FENCE.finditer(written):
        info = found["info"].strip()
        reason = _REASON.search(info)
        yield Block(
            page,
            written.count("\n", 0, found.start()) + 1,
            info.split(" ")[0],
            found["text"],
            reason["reason"] if reason else None,
        )
