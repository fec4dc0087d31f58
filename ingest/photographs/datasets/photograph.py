"""The interface of data sets: photographs of known identities."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Photograph:
    """A file that may be a photograph of one person; it is not yet read.

    Parameters
    ----------
    path : Path
        The file.
    identity : str
        The person it shows.
    dataset : str
        Data set it was read from.
    gender, ethnicity : str, optional
        As the data set states them.
    age : float, optional
        Years, as the data set states it.
    """

    path: Path
    identity: str
    dataset: str
    gender: str | None = None
    ethnicity: str | None = None
    age: float | None = None


@dataclass(frozen=True)
class Dataset:
    """The photographs of a data set, ordered by identity, then path.

    Parameters
    ----------
    name : str
        Name of the data set.
    root : Path
        Folder it was read from.
    photographs : tuple of Photograph
        At least one.
    notes : tuple of str
        Sentences a user should read: what was left out and why, where attributes come from.
    """

    name: str
    root: Path
    photographs: tuple[Photograph, ...]
    notes: tuple[str, ...] = ()
