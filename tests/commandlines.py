"""The project's command lines, run in the process of the tests.

Loading torch takes seconds, which a test pays for a process of its own only where the process is
what it tests: its signals, its memory, its imports.
"""

import contextlib
import io
import subprocess
import sys
import traceback
from importlib import import_module

import pytest

from leamstore.commandline import run

WIDE = "300"
"""Columns of a terminal in which no sentence is broken."""


def run_command(
    program: str, *arguments: object, **environment: object
) -> subprocess.CompletedProcess[str]:
    """Do what ``python -m program arguments`` does, offline, and return how it ended.

    Parameters
    ----------
    program : str
        The package: ingest, leamstore or analyses.
    *arguments
        The words after it.
    **environment
        Variables of the environment while it runs.
    """
    words = [program, *map(str, arguments)]
    printed, said = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {"LEAM_OFFLINE": "1", "COLUMNS": WIDE, **environment}.items():
            patch.setenv(name, str(value))
        patch.setattr(sys, "argv", words)
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(said):
            status = _status_of(program)
    return subprocess.CompletedProcess(words, status, printed.getvalue(), said.getvalue())


def _status_of(program: str) -> int:
    """Return the status that Python would end with."""
    try:
        run(import_module(f"{program}.__main__").app)
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except Exception:
        traceback.print_exc()
        return 1
    return 0
