"""What a case of hostile input is, and where it is played."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TRACE = "was here"
"""The folder that input which runs code would make in the room's."""


@dataclass(frozen=True)
class Room:
    """Where a case is played.

    Attributes
    ----------
    folder : Path
        The input lies here, beside something precious.
    lake : Path
        A small lake, which is only read or copied.
    """

    folder: Path
    lake: Path


@dataclass(frozen=True)
class Case:
    """An input, who takes it, and what must be said of it.

    Attributes
    ----------
    name : str
    make : callable
        Makes the input in the room and returns what the reader takes.
    reader : callable
        Takes the room and the input, and answers in words or with one of our errors.
    answer : str
        Pattern that the whole answer must match.
    """

    name: str
    make: Callable[[Room], Any]
    reader: Callable[[Room, Any], str]
    answer: str
