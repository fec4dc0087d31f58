import numpy as np
import polars as pl

from analyses.figures.sanity import pictures
from analyses.sanity.checks import EDGES, LIMIT, OVERLAP, RANKS, RING, SHARE


def rows():
    return pl.DataFrame([
        {"model": "NET", "position": position, "layer": f"conv{position}", "check": check,
         "measure": measure, "estimate": estimate, "low": estimate - 0.1, "high": estimate + 0.1,
         "control": "chance", "control_estimate": 0.05}
        for position, estimate in ((0, 0.2), (3, 0.4))
        for check, measure in ((EDGES, RANKS), (EDGES, OVERLAP), (RING, SHARE))
    ])  # fmt: skip


def test_each_check_has_a_panel_with_its_intervals_its_control_and_the_limit():
    ranks, overlap = pictures({"sanity": rows()})
    assert len(ranks.figure.axes) == 2
    (axes,) = overlap.figure.axes
    (container,) = axes.containers
    assert container.has_yerr
    np.testing.assert_allclose(container.lines[0].get_ydata(orig=False), [0.2, 0.4])
    heights = [tuple(line.get_ydata(orig=False)) for line in axes.lines]
    assert (0.05, 0.05) in heights
    assert (LIMIT, LIMIT) in heights


def test_layers_stand_in_their_order_whatever_their_positions():
    picture = next(iter(pictures({"sanity": rows()})))
    (container,) = picture.figure.axes[0].containers
    np.testing.assert_array_equal(container.lines[0].get_xdata(orig=False), [1, 2])
