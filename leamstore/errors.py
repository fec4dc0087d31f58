"""Errors for users of the lake: each is one sentence with the place and the remedy."""

from collections.abc import Iterable


class LeamError(Exception):
    """Base of every error that the command lines print as one sentence and no traceback."""


class LakeError(LeamError):
    """A lake is missing, damaged, locked, or not what was asked for."""


class LockedError(LakeError):
    """Another process holds the tables of a lake open."""


class MissingArrayError(LakeError):
    """A lake has no array of that name."""


class CatalogError(LeamError):
    """The catalog has mistakes, or does not know a name."""


class WeightsError(LeamError):
    """Weights are missing, damaged, or not those of the network."""


class UnusableImageError(LeamError):
    """An image that can't be used: it becomes a row with a reason and never stops a run.

    Parameters
    ----------
    reason : str
        One of ``leamstore.schema.REJECTIONS``.
    sentence : str
        Description of the fault of this image, for people.
    """

    def __init__(self, reason: str, sentence: str) -> None:
        # A file may be called anything: line ends and controls of a terminal among it.
        super().__init__(printable(sentence))
        self.reason = reason


def printable(text: str) -> str:
    """Return text without line ends and controls of a terminal: these as their escapes."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def line_of(error: BaseException) -> str:
    """Return the first line of an error, or its type if it has no message."""
    return str(error).strip().partition("\n")[0] or type(error).__name__


def some(names: Iterable[object], most: int = 3) -> str:
    """Return the first few names, and how many more there are: ``"a, b, c and 2 more"``."""
    listed = [str(name) for name in names]
    more = f" and {len(listed) - most:,} more" if len(listed) > most else ""
    return printable(", ".join(listed[:most])) + more
