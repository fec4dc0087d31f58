from itertools import product

import polars as pl
import pytest

from analyses.figures.similarity import pictures
from analyses.similarity.groups import GROUPS
from analyses.similarity.question import MATCHING, RELEVANCE
from leamstore.poses import FRAMES


def planted_tables(paper=None):
    """Tables of two layers, whose AUC isn't known for pose-matched pairs of the second."""
    where = [
        {"model": "NET", "position": position, "layer": f"layer{position}", "frame": frame,
         "maps": "pair", "relevance": relevance, "matching": matching}
        for position, frame, relevance, matching in product((0, 1), FRAMES, RELEVANCE, MATCHING)
    ]  # fmt: skip
    likeness = [
        row | {"measure": measure, "group": group, "estimate": 0.1 * place, "low": None,
               "high": None, "paper": paper}
        for row in where
        for measure in ("bc", "emd")
        for place, group in enumerate(GROUPS)
    ]  # fmt: skip
    aucs = [
        row | {"measure": measure, "auc": 0.6, "low": 0.5, "high": 0.8}
        for row in where
        for measure in ("bc", "emd", "correlation")
        if row["position"] == 0 or row["matching"] == MATCHING[0]
    ]
    schema = {"paper": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    return {
        "similarity": pl.DataFrame(likeness, schema_overrides=schema),
        "similarity_auc": pl.DataFrame(aucs),
    }


@pytest.fixture
def drawn():
    return {picture.name: picture.figure for picture in pictures(planted_tables())}


def labels(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def heights(axes):
    """Heights of the points between which lines were drawn."""
    return [list(line.get_ydata()) for line in axes.lines]


def test_a_model_has_its_groups_by_both_measures_and_its_auc(drawn):
    assert list(drawn) == ["similarity_bc_NET", "similarity_emd_NET", "similarity_auc_NET"]


def test_all_three_groups_stand_in_every_frame(drawn):
    panels = drawn["similarity_bc_NET"].axes

    assert [panel.get_title(loc="left") for panel in panels] == list(FRAMES)
    for panel in panels:
        assert [line[0] for line in heights(panel)[::4]] == pytest.approx([0.0, 0.1, 0.2])
    assert labels(drawn["similarity_bc_NET"]) == [
        "one anchor image", "one person, two images", "strangers",
    ]  # fmt: skip


def test_the_papers_numbers_are_drawn_where_they_are_known():
    with_paper = next(pictures(planted_tables(paper=0.3))).figure

    assert "the paper's" in labels(with_paper)


def test_auc_is_drawn_beside_chance(drawn):
    for panel in drawn["similarity_auc_NET"].axes:
        assert heights(panel)[0] == [0.5, 0.5]
        assert [0.6, 0.6] in heights(panel)  # all pairs: two layers
        assert [0.6] in heights(panel)  # matched: one is known
