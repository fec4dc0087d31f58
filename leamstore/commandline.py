"""What the project's command lines share: where the lake is, and how errors end."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from leamstore.errors import LeamError

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
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped. What was finished is kept; run it again to go on.")
        sys.exit(130)


def _escaped(text: str) -> str:
    return text.replace("[", r"\[")
