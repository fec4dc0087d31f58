"""A figure of an answer: its name, caption, reading guide and drawing."""

from dataclasses import dataclass

from matplotlib.figure import Figure


@dataclass(frozen=True)
class Picture:
    """A figure made of result tables.

    Attributes
    ----------
    name : str
        Stem of the names of its files, as in ``regions_by_layer``; it may hold any name of the
        lake's.
    title : str
        Its title, in a line.
    caption : str
        How to read it, its units, what the intervals and the controls are.
    figure : matplotlib.figure.Figure
        The drawing, made without pyplot, which keeps global state. The module that
        publishes it adds the brands.
    """

    name: str
    title: str
    caption: str
    figure: Figure
