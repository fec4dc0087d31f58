"""Options and error handling shared by the project's command lines."""

import errno
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.text import Text

from leamstore.allocator import keep_freed_memory
from leamstore.errors import LeamError, printable

_INTERRUPTED: Final = 130

_OF_THE_DISK: Final = {
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EROFS,
    errno.EACCES,
    errno.EPERM,
    errno.EIO,
}
"""Errors of the disk, not of the program: full, read-only, without permission or broken."""

LakeOption = Annotated[
    str,
    typer.Option(
        "--lake",
        envvar="LEAM_LAKE",
        help="Folder of the lake, or its address in an object store: s3://bucket/prefix.",
        metavar="LAKE",
    ),
]
CatalogOption = Annotated[
    list[Path] | None,
    typer.Option("--catalog", help="Your catalog, added to the built-in one.", metavar="FILE"),
]
DebugOption = Annotated[
    bool, typer.Option("--debug", help="Show the traceback of an error.", rich_help_panel="Output")
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON for programs.", rich_help_panel="Output")
]
QuietOption = Annotated[
    bool, typer.Option("--quiet", "-q", help="Print errors only.", rich_help_panel="Output")
]


def run(command: Callable[[], object]) -> None:
    """Run a command line; a `LeamError` ends it with one sentence and exit code 1."""
    keep_freed_memory()
    try:
        command()
    except (Exception, KeyboardInterrupt, SystemExit) as ended:
        if _is_interrupt(ended):
            Console(stderr=True).print(
                "\nStopped. What was finished is kept; the same command goes on from there."
            )
            sys.exit(_INTERRUPTED)
        sentence = _sentence(ended) if isinstance(ended, Exception) else None
        if sentence is None or "--debug" in sys.argv:
            raise
        said = Text.assemble(("Error:", "bold red"), " ", shown(sentence))
        Console(stderr=True, soft_wrap=True).print(said)
        sys.exit(1)


def _is_interrupt(ended: BaseException) -> bool:
    """Return whether an error means that Ctrl-C ended a command, in Python, Typer or DuckDB."""
    if isinstance(ended, SystemExit):
        return ended.code == _INTERRUPTED
    return isinstance(ended, KeyboardInterrupt) or str(ended) == "Query interrupted"


def _sentence(error: Exception) -> str | None:
    """Return an error as a sentence; None for one that nobody foresaw."""
    if isinstance(error, LeamError):
        return str(error)
    if isinstance(error, OSError) and error.errno in _OF_THE_DISK:
        return (
            f"{error.filename or 'the disk'} can't be written: {error.strerror}. What was finished "
            "is kept; the same command goes on from there when this is put right."
        )
    from leamstore.storage import error_sentence  # noqa: PLC0415

    return error_sentence(error)


def shown(text: str) -> str:
    """Return text as a terminal may show it: no controls of it, which any name may hold."""
    return "\n".join(printable(line) for line in text.split("\n"))
