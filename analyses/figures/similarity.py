"""Figures of the likeness of maps: three kinds of pairs by layer and frame, and AUC by person."""

from collections.abc import Iterator, Mapping
from typing import Final

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analyses.figures import Picture
from analyses.figures.style import LAYERS, draw_points, legend_of, panels, series_of
from analyses.similarity.groups import GROUPS
from analyses.similarity.question import MATCHING, RELEVANCE

_GROUPS: Final = {
    "anchor": "one anchor image", "identity": "one person, two images", "strangers": "strangers",
}  # fmt: skip
_MEASURES: Final = {
    "bc": "Bhattacharyya coefficient", "emd": "earth mover's distance in grid pixels",
}  # fmt: skip
_SHOWN: Final = {
    "BC, all pairs": ("bc", RELEVANCE[0], MATCHING[0]),
    "BC, pose-matched": ("bc", RELEVANCE[0], MATCHING[1]),
    "correlation, all pairs": ("correlation", RELEVANCE[1], MATCHING[0]),
    "correlation, pose-matched": ("correlation", RELEVANCE[1], MATCHING[1]),
}


def pictures(tables: Mapping[str, pl.DataFrame]) -> Iterator[Picture]:
    """Yield for each model the groups' likeness by BC and by EMD, and the AUC of the person.

    What nothing is known of, as of distances between maps that are zero everywhere, isn't drawn.
    """
    for (name,), likeness in tables["similarity"].group_by("model", maintain_order=True):
        model = str(name)
        kind = likeness["maps"][0]
        as_they_are = likeness.filter(maps=kind, relevance=RELEVANCE[0], matching=MATCHING[0])
        for measure, words in _MEASURES.items():
            rows = as_they_are.filter(measure=measure)
            if rows.height:
                yield Picture(
                    f"similarity_{measure}_{model}",
                    f"Likeness of maps by group, {words}, {model}",
                    f"Mean {words} of the top 1 % of two {kind} maps, by layer from the input (1) "
                    "on, in several frames: the model's chip, the face crop where it differs, the "
                    "pose of the person's reference image, and one pose for all. Bars: 95 % "
                    "intervals over identities. Crosses: the paper's Tables 3 to 6, whose \"same "
                    'identity" mixes the first two groups.',
                    _by_group(rows, words),
                )
        aucs = tables["similarity_auc"].filter(model=model, maps=kind)
        if aucs.height:
            yield Picture(
                f"similarity_auc_{model}",
                f"One person's maps against strangers', {model}",
                f"The probability (AUC) that two {kind} maps of one person are more alike than two "
                "of strangers, by layer from the input (1) on: by the BC of the top 1 % and by the "
                "correlation of whole maps with everybody's mean map subtracted; of all pairs, "
                "and against strangers who differ as much in pose. Dashed: chance. Bars: 95 % "
                "intervals over identities.",
                _by_auc(aucs),
            )


def _by_group(rows: pl.DataFrame, words: str) -> Figure:
    looks = series_of(GROUPS)
    looks = {group: look for group, look in looks.items() if group in rows["group"]}
    figure, grid = _frames(rows, words)
    for frame, axes in grid.items():
        for group, look in looks.items():
            own = rows.filter(frame=frame, group=group)
            draw_points(axes, own["position"] + 1, own, "estimate", look)
        axes.set_ylim(bottom=0)
    legend_of(figure, {_GROUPS[group]: look for group, look in looks.items()}, rows)
    return figure


def _by_auc(rows: pl.DataFrame) -> Figure:
    looks = series_of(list(_SHOWN))
    figure, grid = _frames(rows, "AUC of the same person")
    for frame, axes in grid.items():
        axes.axhline(0.5, color="#555555", linestyle="--", linewidth=1.2)
        for (measure, relevance, matching), look in zip(
            _SHOWN.values(), looks.values(), strict=True
        ):
            own = rows.filter(frame=frame, measure=measure, relevance=relevance, matching=matching)
            draw_points(axes, own["position"] + 1, own, "auc", look)
    legend_of(figure, looks, rows)
    return figure


def _frames(rows: pl.DataFrame, up: str) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure of a panel a frame, by frame, with one scale."""
    frames = rows["frame"].unique(maintain_order=True).to_list()
    figure, grid = panels(frames, width=3.0, height=2.6, along=LAYERS, up=up, sharey=True)
    for axes in grid:
        axes.set_xticks(rows["position"].unique() + 1)
    return figure, dict(zip(frames, grid, strict=True))
