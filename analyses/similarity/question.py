"""Likeness of maps of one anchor, one identity and strangers, by layer and frame (RQ3).

A tool that compares only "same" with "different" misleads: maps of one anchor image are alike
because the image is the same. And in a frame that doesn't align everybody, strangers differ by
their pose. So all three groups are shown, in four frames, with pairs matched by pose, and with
everybody's mean map subtracted.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.cohort import MOST_IMAGES, MOST_OF_ONE, draw_images, number_people
from analyses.estimates import interval_row, labelled, with_holm
from analyses.findings import FEWEST_IDENTITIES, with_interval
from analyses.likeness import Pairs, bhattacharyya, centre, correlation, earth_movers_distance
from analyses.paper import beside_paper, read_table
from analyses.question import LackingError, Layout, Question, Settings
from analyses.similarity import groups
from analyses.similarity.canonical import MOST_PAIRS, SIZE
from analyses.similarity.contrasts import (
    Likeness,
    draw_contrasts,
    interval_of,
    mean_likeness,
    permutation_p,
)
from analyses.statistics import PERMUTATIONS
from analyses.work import Work
from leamstore import geometry
from leamstore.lake import Lake
from leamstore.layers import Layer, Maps, normalise, take_top
from leamstore.poses import FRAMES, Frame, Poses
from leamstore.schema import GRID

TOP_PERCENT: Final = 1.0
MOST_POSITIVES: Final = 2
"""Pair maps of one anchor, of those that the lake keeps."""

MOST_EMD_PAIRS: Final = 200
"""Pairs of each group whose earth mover's distance is taken."""

RELEVANCE: Final = ("as it is", "centred")
"""Maps as they are, and with everybody's mean map subtracted."""

MATCHING: Final = ("all", "matched")
"""All pairs, and pairs of strangers whose poses differ as much as one person's do."""

CLAIMED: Final = ((RELEVANCE[0], "bc"), (RELEVANCE[1], "correlation"))
"""Relevance and measure on which claims about the likeness of a person's maps are based."""

_LIKENESS: Final = {
    "relevance": pl.String, "matching": pl.String, "measure": pl.String, "group": pl.String,
    "pairs": pl.Int64, "estimate": pl.Float64, "low": pl.Float64, "high": pl.Float64,
}  # fmt: skip
_CONTRASTS: Final = {
    "relevance": pl.String, "matching": pl.String, "measure": pl.String,
    "identities": pl.Int64, "pairs": pl.Int64,
    "auc": pl.Float64, "low": pl.Float64, "high": pl.Float64,
    "difference": pl.Float64, "difference_low": pl.Float64, "difference_high": pl.Float64,
    "p": pl.Float64,
}  # fmt: skip
_TWO: Final = groups.GROUPS[1:]
"""The groups whose poses can be matched: a pair of one anchor has no pose to differ by."""

Measure = Callable[[Pairs], NDArray[np.float64]]
Rows = list[dict[str, Any]]
ByGroup = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Stack:
    """Maps of one model and layer on a grid, with their images and pairs.

    Attributes
    ----------
    maps : (n, size, size) float32
    images : (n,)
        Position in the images of the (anchor) image of each.
    people : (n,)
        Number of its identity, from 0.
    landmarks : (n, points, 2)
        Landmarks of the image in the frame of the maps.
    """

    maps: Maps
    images: NDArray[np.int64]
    people: NDArray[np.int64]
    landmarks: NDArray[np.float64]


def answer(lake: Lake, settings: Settings, work: Work) -> dict[str, pl.DataFrame]:
    """Return the likeness of each group, and of one identity's pairs against strangers'."""
    layers = lake.layers()
    images = {
        model: draw_images(lake, [model], settings.seed)
        for model in dict.fromkeys(layer.model for layer in layers)
    }
    tasks = [
        (layer, frame)
        for model, frame in product(images, FRAMES)
        for layer in layers
        if layer.model == model
        and images[model]["identity"].n_unique() > 1
        and not (frame == "crop" and _is_chip(images[model], layer.grid.input_size))
    ]
    if not tasks:
        raise LackingError(
            f"{lake.path} has no maps of two identities with two images each, so that there are "
            "no strangers to compare with: run `python -m ingest` on images of more people."
        )
    compared = partial(_compare_layer, lake, settings)
    found = work.map(compared, tasks, "Likeness of maps by frame and layer")
    likeness, contrasts = (pl.concat(tables) for tables in zip(*found, strict=True))
    on = ("model", "layer", "frame", "maps", "relevance", "matching", "measure", "group")
    return {
        "similarity": beside_paper(likeness, papers_likeness(), on, estimate="estimate"),
        "similarity_auc": adjust(contrasts),
    }


def adjust(contrasts: pl.DataFrame) -> pl.DataFrame:
    """Add p_holm: p adjusted by Holm over all evidence for a person, NULL elsewhere.

    These are the rows of `CLAIMED` in the canonical frame with poses matched, of all models and
    layers. The others are there for comparison, and nothing is claimed of them.
    """
    claimed = pl.any_horizontal(
        (pl.col("relevance") == relevance) & (pl.col("measure") == measure)
        for relevance, measure in CLAIMED
    ) & (pl.col("frame") == "canonical") & (pl.col("matching") == MATCHING[1])  # fmt: skip
    return with_holm(contrasts, claimed)


def papers_likeness() -> pl.DataFrame:
    """Return Tables 3 to 6 by the columns that identify our comparable rows, and paper.

    The paper compares the top 1 % of pair maps as they are, aligned to a reference image of each
    identity. Its "same" doesn't distinguish pairs of one anchor from pairs of two images, and so
    is compared with both; "different" are our strangers.
    """
    same, different = groups.GROUPS[:2], groups.GROUPS[2:]
    tables = [(3, "bc", same), (4, "bc", different), (5, "emd", same), (6, "emd", different)]
    comparable = {
        "frame": "identity", "maps": "pair", "relevance": RELEVANCE[0], "matching": MATCHING[0]
    }  # fmt: skip
    fixed = [pl.lit(value).alias(name) for name, value in comparable.items()]
    return pl.concat(
        read_table(number).select(
            *fixed, model="column", layer="row", measure=pl.lit(measure), group=pl.lit(group),
            paper="value",
        )
        for number, measure, of in tables
        for group in of
    )  # fmt: skip


def _compare_layer(
    lake: Lake, settings: Settings, task: tuple[Layer, Frame]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compare a layer's pair maps in a frame, where pairs were kept, and its image maps."""
    layer, frame = task
    named = {
        "model": layer.model, "position": layer.position, "layer": layer.name, "frame": frame
    }  # fmt: skip
    tables = [
        [labelled(table, named | {"maps": kind}) for table in compare(stack, settings)]
        for kind, stack in _read_stacks(lake, layer, frame, settings.seed)
    ]
    likeness, contrasts = (pl.concat(of_both) for of_both in zip(*tables, strict=True))
    return likeness, contrasts


def compare(stack: Stack, settings: Settings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compare maps by group, as they are and centred, all pairs and pose-matched ones.

    Returns
    -------
    likeness : polars.DataFrame
        relevance (as it is or centred), matching (all or matched in pose), measure, group,
        pairs, estimate, low, high.
    contrasts : polars.DataFrame
        relevance, matching, measure, identities, pairs (of one identity), auc, low, high,
        difference, difference_low, difference_high (of one identity's pairs from strangers'), p.
        The sign of emd is turned: larger is more alike.
    """
    drawn = groups.draw_pairs(stack.images, stack.people, MOST_PAIRS, settings.seed)
    matched = groups.match_poses(drawn["identity"], drawn["strangers"], stack.landmarks)
    pairs = {(MATCHING[0], group): chosen for group, chosen in drawn.items()}
    pairs |= {(MATCHING[1], group): chosen for group, chosen in zip(_TWO, matched, strict=True)}
    likeness: Rows = []
    contrasts: Rows = []
    for relevance in RELEVANCE:
        centred = relevance == RELEVANCE[1]
        maps = centre(stack.maps, stack.people) if centred else stack.maps
        for (name, matching), values in _measure_groups(maps, pairs, centred).items():
            of = {"relevance": relevance, "matching": matching, "measure": name}
            people = {
                group: stack.people[pairs[matching, group][: len(found)]]
                for group, found in values.items()
            }
            likeness += _likeness_rows(of, values, people, settings)
            contrasts += _contrast_rows(of, values, people, settings)
    known = pl.col(pl.Float64).fill_nan(None)
    return (
        pl.DataFrame(likeness, _LIKENESS).with_columns(known),
        pl.DataFrame(contrasts, _CONTRASTS).with_columns(known),
    )


def measures(maps: Maps, centred: bool) -> dict[str, tuple[Measure, int]]:
    """Return the measures of likeness by name, each with the number of pairs it is taken of.

    bc and emd compare the top 1 %. Both need distributions, and centred maps have negative
    values: there they compare where a map exceeds everybody's mean, ReLU(m - mean), and
    correlation, the cosine of whole centred maps, uses both signs. emd is taken of the first
    `MOST_EMD_PAIRS` pairs, in an order that is drawn. All-zero maps are like nothing (bc 0) and
    at no distance (emd NaN). What depends on maps alone is done once.
    """
    distributions = normalise(take_top(np.maximum(maps, 0), TOP_PERCENT))
    found: dict[str, tuple[Measure, int]] = {
        "bc": (partial(bhattacharyya, distributions), MOST_PAIRS),
        "emd": (partial(earth_movers_distance, distributions), MOST_EMD_PAIRS),
    }
    if centred:
        found["correlation"] = partial(correlation, maps), MOST_PAIRS
    return found


def _measure_groups(
    maps: Maps, pairs: Mapping[tuple[str, str], Pairs], centred: bool
) -> dict[tuple[str, str], ByGroup]:
    """Return by measure and matching, and by group, how alike the pairs of maps are."""
    measured: dict[tuple[str, str], ByGroup] = {}
    for name, (of_pairs, most) in measures(maps, centred).items():
        cut = [chosen[:most] for chosen in pairs.values()]
        ends = np.cumsum([len(chosen) for chosen in cut])
        values = np.split(of_pairs(np.concatenate(cut)), ends[:-1])
        for (matching, group), found in zip(pairs, values, strict=True):
            measured.setdefault((name, matching), {})[group] = found
    return measured


def _likeness_rows(
    of: dict[str, Any], values: ByGroup, people: ByGroup, settings: Settings
) -> Rows:
    rows = []
    for group, found in values.items():
        known = ~np.isnan(found)
        if known.any():
            interval = mean_likeness(
                found[known], people[group][known], seed=settings.seed, draws=settings.draws
            )
            count = {"group": group, "pairs": int(known.sum())}
            rows.append(of | count | interval_row(interval))
    return rows


def _contrast_rows(
    of: dict[str, Any], values: ByGroup, people: ByGroup, settings: Settings
) -> Rows:
    sign = -1 if of["measure"] == "emd" else 1
    known = {group: ~np.isnan(values[group]) for group in _TWO}
    if not all(mask.any() for mask in known.values()):
        return []
    alike = Likeness(*(sign * values[group][known[group]] for group in known))
    same, strangers = (people[group][known[group]] for group in known)
    found = draw_contrasts(alike, same, strangers, seed=settings.seed, draws=settings.draws)
    of |= {"identities": len(np.unique(same)), "pairs": len(same)}
    difference = ("difference", "difference_low", "difference_high")
    p = permutation_p(alike, same, strangers, seed=settings.seed)
    return [
        of
        | interval_row(interval_of(found.aucs), ("auc", "low", "high"))
        | interval_row(interval_of(found.differences), difference)
        | {"p": p}
    ]


def _read_stacks(lake: Lake, layer: Layer, frame: Frame, seed: int) -> Iterator[tuple[str, Stack]]:
    """Yield the stack of a layer's pair maps, where pairs were kept, and that of image maps."""
    images = draw_images(lake, [layer.model], seed)
    image_ids, poses = images["image_id"], Poses.of(images)
    people = number_people(images["identity"])

    def stack(maps: Maps, anchors: NDArray[np.int64]) -> Stack:
        laid = poses[anchors].carry(maps, layer.grid, frame, SIZE)
        return Stack(laid, anchors, people[anchors], poses[anchors].landmarks_in(frame))

    place = dict(zip(image_ids, range(len(images)), strict=True))
    kept = lake.sql(
        "SELECT pair_id, anchor FROM pairs WHERE model = ? AND pair_id IS NOT NULL "
        "QUALIFY row_number() OVER (PARTITION BY anchor ORDER BY pair_id) <= ? ORDER BY pair_id",
        [layer.model, MOST_POSITIVES],
    ).filter(pl.col("anchor").is_in(list(place)))
    if len(kept):
        anchors = np.array([place[anchor] for anchor in kept["anchor"]])
        yield "pair", stack(layer.read_pairs(kept["pair_id"]), anchors)
    yield "image", stack(layer.read(image_ids), np.arange(len(images)))


def _is_chip(images: pl.DataFrame, input_size: int) -> bool:
    """Return whether the crop is the chip at another size, so that one frame is enough."""
    return np.allclose(Poses.of(images).chip_to_crop, geometry.scaling(input_size, GRID), atol=1e-6)


def findings(tables: Mapping[str, pl.DataFrame]) -> list[str]:
    """Return findings on each model's maps and the person: groups, AUC, and the effect of pose."""
    likeness, contrasts = tables["similarity"], tables["similarity_auc"]
    sentences = []
    for model in likeness["model"].unique(maintain_order=True):
        rows = contrasts.filter(model=model)
        people = max(rows["identities"], default=0)
        if people < FEWEST_IDENTITIES:
            sentences.append(
                f"{model}: {people} identities are too few to tell a person's pattern from chance."
            )
            continue
        kind = rows["maps"][0]
        sentences.append(_groups_found(model, likeness.filter(model=model, maps=kind)))
        sentences += _person_found(
            f"{model}, {kind} maps in one pose for everybody", rows.filter(maps=kind)
        )
    return sentences


def _groups_found(model: str, likeness: pl.DataFrame) -> str:
    rows = likeness.filter(
        frame="identity", relevance=RELEVANCE[0], matching=MATCHING[0], measure="bc"
    )
    means = dict(rows.group_by("group").agg(pl.mean("estimate")).iter_rows())
    named = {
        "anchor": "of one anchor image", "identity": "of two images of one person",
        "strangers": "of strangers",
    }  # fmt: skip
    listed = ", ".join(
        f"{means[group]:.2f} {words}" for group, words in named.items() if group in means
    )
    where = f"{model}, each in the person's own pose"
    return f"{where}: mean BC of two maps is {listed or 'not known'}."


def _person_found(where: str, rows: pl.DataFrame) -> list[str]:
    """Return findings on the layers with alike maps of a person, and on the effect of pose."""
    sentences = []
    for relevance, measure in CLAIMED:
        of_measure = rows.filter(relevance=relevance, measure=measure)
        found = of_measure.filter(frame="canonical", matching=MATCHING[1])
        if found.is_empty():
            sentences.append(f"{where}, {measure}: no pairs of strangers matched in pose.")
            continue
        clear = found.filter((pl.col("p_holm") < 0.05) & (pl.col("difference_low") > 0)).height
        most = found.sort("auc").row(-1, named=True)
        least, mean = found.select(least=pl.min("auc"), mean=pl.mean("auc")).row(0)
        sentences.append(
            f"{where}, poses matched, {measure} {relevance}: a person's maps are more alike than "
            f"strangers' in {clear or 'none'} of {found.height} layers (interval clear of zero, "
            f"p < 0.05 after Holm); AUC {least:.2f} to {most['auc']:.2f}, most in "
            f"{most['layer']}: {with_interval(most, '.2f', 'auc')}. Mean AUC {mean:.2f}"
            f"{_in_the_chip(of_measure.filter(frame='chip', matching=MATCHING[0]))}."
        )
    return sentences


def _in_the_chip(rows: pl.DataFrame) -> str:
    if rows.is_empty():
        return ""
    mean = rows.select(pl.mean("auc")).item()
    return f"; in the chip's own frame, poses not matched, {mean:.2f}"


QUESTION = Question(
    name="similarity",
    asks="Are maps of one person more alike than maps of strangers, once pose is accounted for?",
    papers_tables=(3, 4, 5, 6),
    answer=answer,
    findings=findings,
    layouts={
        "similarity": Layout(
            "Likeness of two maps",
            per=("model", "maps", "measure", "relevance"),
            rows=("frame", "layer"),
            columns=("matching", "group"),
        ),
        "similarity_auc": Layout(
            "AUC of identity against strangers",
            per=("model", "maps", "matching"),
            rows=("frame", "layer"),
            columns=("measure", "relevance"),
            estimate="auc",
        ),
    },
    settings={
        "size": SIZE,
        "top_percent": TOP_PERCENT,
        "most_images": MOST_IMAGES,
        "most_of_one": MOST_OF_ONE,
        "most_positives": MOST_POSITIVES,
        "most_pairs": MOST_PAIRS,
        "most_emd_pairs": MOST_EMD_PAIRS,
        "caliper": groups.CALIPER,
        "permutations": PERMUTATIONS,
    },
    notes=(
        "anchor: two maps of one image towards different positives; identity: of different images "
        "of one person; strangers: of two people. Only identity against strangers is evidence for "
        "a person's pattern, and only in the canonical frame or with poses matched.",
        "bc: Bhattacharyya coefficient, and emd: earth mover's distance in pixels of a grid of "
        f"{SIZE} x {SIZE}, both of the top {TOP_PERCENT:g} %; correlation: of whole centred maps. "
        "centred: everybody's mean map is subtracted; bc and emd use what exceeds it. matched: "
        "strangers whose poses differ as much as those of one person's images. p: permuted signs "
        "of the people; p_holm: over all models and layers, of all evidence for a person.",
        "Frames: chip is the model's own input, crop the face crop (left out where it is the "
        "chip), identity the pose of the person's reference image, canonical one pose for "
        "everybody. The wider a frame's view, the smaller the face in it, and the smaller emd.",
        "The paper's numbers are given in the identity frame, for pair maps as they are. Its "
        '"same identity" doesn\'t distinguish pairs of one anchor from pairs of two images: it is '
        "given for both, and lies between them if it mixes them.",
        "Maps of a person can be alike because of their hair, light or glasses as well. Whether "
        "the recogniser's own target makes them so is asked of controls, not of an AUC alone.",
    ),
)
