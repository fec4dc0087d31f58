"""What the project's command lines share: where the lake is, and how errors end."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console

from leamstore.errors import LeamError

_INTERRUPTED: Final = 130

LakeOption = Annotated[
    Path, typer.Option("--lake", envvar="LEAM_LAKE", help="Folder of the lake.", metavar="LAKE")
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
    """Run a command line; an error of ours ends it with one sentence and exit code 1."""
    try:
        command()
    except LeamError as error:
        if "--debug" in sys.argv:
            raise
        Console(stderr=True, soft_wrap=True).print(f"[bold red]Error:[/] {_escaped(str(error))}")
        sys.exit(1)
    except (KeyboardInterrupt, SystemExit) as ended:
        # Typer turns Ctrl-C into this exit code, without a word.
        if isinstance(ended, SystemExit) and ended.code != _INTERRUPTED:
            raise
        Console(stderr=True).print(
            "\nStopped. What was finished is kept; the same command goes on from there."
        )
        sys.exit(_INTERRUPTED)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
