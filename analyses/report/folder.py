"""The report's folder: written under a temporary name, then moved; foreign files stay.

A report lists its own files in ``report.json``. A folder is replaced only if it is empty or holds
a report and nothing else, so that no other file is lost.
"""

import json
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from leamstore.errors import LeamError

FACTS: Final = "report.json"
"""The file by which a folder is known as a report; lists the others under ``files``."""


def check_folder(folder: Path) -> None:
    """Raise an error unless a report can be written to a folder.

    Raises
    ------
    LeamError
        If something is there that no report wrote.
    """
    if not folder.exists():
        return
    if not folder.is_dir():
        raise LeamError(f"{folder} is a file: name another folder for the report by --to.")
    there = _files_in(folder)
    if not there:
        return
    written = _files_of_report(folder)
    if written is None:
        raise LeamError(f"{folder} is there and is no report: name another folder by --to.")
    foreign = sorted(there - written)
    if foreign:
        raise LeamError(
            f"{folder} holds {foreign[0]}, which no report wrote: move it away, or name another "
            "folder by --to."
        )


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """Yield an empty folder to write to, and move it to its place when all is written.

    Raises
    ------
    LeamError
        If something is there that no report wrote, or the place can't be written to.
    """
    check_folder(folder)
    mark = secrets.token_hex(4)
    new, old = (folder.parent / f".{folder.name}-{mark}-{age}" for age in ("new", "old"))
    try:
        new.mkdir(parents=True)
    except OSError as error:
        raise LeamError(f"{folder.parent} can't be written to: {error.strerror}.") from error
    try:
        yield new
        check_folder(folder)
        if folder.exists():
            folder.rename(old)
        try:
            new.rename(folder)
        except OSError:
            if old.exists():
                old.rename(folder)
            raise
    finally:
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)


def write_facts(folder: Path, facts: dict[str, Any]) -> None:
    """Write a report's facts with the list of all its files: the last one to be written."""
    files = sorted(_files_in(folder) | {FACTS})
    text = json.dumps({**facts, "files": files}, indent=2, default=str)
    (folder / FACTS).write_text(text + "\n", encoding="utf-8")


def _files_in(folder: Path) -> set[str]:
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_symlink() or not path.is_dir()
    }


def _files_of_report(folder: Path) -> set[str] | None:
    try:
        facts = json.loads((folder / FACTS).read_text(encoding="utf-8"))
        return set(facts["files"]) if facts["report"] == "leam-lake" else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
