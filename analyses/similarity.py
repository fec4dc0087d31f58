"""How alike maps are (RQ3): of one anchor, of one identity, of strangers, by layer and frame.

A tool that compares only "same" with "different" misleads: maps of one anchor image are alike
because the image is the same. And in a frame that doesn't align everybody, strangers differ by
their pose. So all three groups are shown, in four frames, with pairs matched by pose, and with
everybody's mean map taken off.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses import bhattacharyya, earth_mover, groups
from analyses.groups import Pairs
from analyses.question import LackingError, Layout, Progress, Question, Settings
from leamstore import arrays, geometry
from leamstore.frames import FRAMES, Frame, Maps, Poses, lay_on_grid, normalise, take_top
from leamstore.lake import Lake
from leamstore.pose import INNER

SIZE: Final = 112
"""Side of the grid in pixels."""

TOP_PERCENT: Final = 1.0
MOST_IMAGES: Final = 1000
"""Images compared; of a larger lake, whole identities are drawn."""

MOST_PAIRS: Final = 10_000
"""Pairs of each group."""

MOST_EMD_PAIRS: Final = 100
"""Pairs of each group whose earth mover's distance is taken."""


@dataclass(frozen=True)
class Stack:
    """Maps of one model and layer on a grid, and what they are of.

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


def answer(lake: Lake, settings: Settings, progress: Progress) -> dict[str, pl.DataFrame]:
    """Return the likeness of each group, and of one identity's pairs against strangers'."""
    layers = lake.sql(
        "SELECT layers.*, input_size FROM layers JOIN models USING (model) ORDER BY model, position"
    ).to_dicts()
    likeness: list[pl.DataFrame] = []
    contrasts: list[pl.DataFrame] = []
    asked = list(product(layers, FRAMES))
    for layer, frame in progress(asked, "Similarity of maps", total=len(asked)):
        for kind, stack in _read_stacks(lake, layer, frame, settings.seed):
            named = {
                "model": layer["model"], "position": layer["position"], "layer": layer["layer"],
                "frame": frame, "maps": kind,
            }  # fmt: skip
            tables = compare(stack, settings)
            for rows, table in zip((likeness, contrasts), tables, strict=True):
                rows.append(table.select(*(pl.lit(v).alias(k) for k, v in named.items()), pl.all()))
    if not likeness:
        raise LackingError(
            f"{lake.path} has no maps of two identities with two images each: run "
            "`python -m ingest` on more images."
        )
    return {"similarity": pl.concat(likeness), "similarity_auc": pl.concat(contrasts)}


def compare(stack: Stack, settings: Settings) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Compare maps by group, as they are and centred, all pairs and pose-matched ones.

    Returns
    -------
    likeness : polars.DataFrame
        centred, matching (none or pose), group, measure, pairs, estimate, low, high.
    contrasts : polars.DataFrame
        centred, matching, measure, pairs, difference, low, high (of one identity's pairs from
        strangers'), auc, auc_low, auc_high, p. The sign of emd is turned: larger is more alike.
    """
    pairs = groups.draw_pairs(stack.images, stack.people, MOST_PAIRS, settings.seed)
    matched = groups.match_poses(pairs["identity"], pairs["strangers"], stack.landmarks)
    matchings = {"none": pairs, "pose": dict(zip(groups.GROUPS[1:], matched, strict=True))}
    likeness, contrasts = [], []
    for centred, (matching, grouped) in product((False, True), matchings.items()):
        maps = stack.maps - mean_map(stack) if centred else stack.maps
        measured = {group: measure(maps, chosen, centred) for group, chosen in grouped.items()}
        for name in measured["strangers"]:
            values = {group: found[name] for group, found in measured.items()}
            of = {"centred": centred, "matching": matching, "measure": name}
            people = {group: stack.people[grouped[group][: len(values[group])]] for group in values}
            likeness += _likeness_rows(of, values, people, settings)
            contrasts += _contrast_rows(of, values, people, settings)
    return _frame(likeness), _frame(contrasts)


def mean_map(stack: Stack) -> NDArray[np.float32]:
    """Return everybody's mean map (size, size): every identity counts the same."""
    _, person, counts = np.unique(stack.people, return_inverse=True, return_counts=True)
    weights = (1 / counts[person] / len(counts)).astype(np.float32)
    return np.tensordot(weights, stack.maps, 1)


def measure(maps: Maps, pairs: Pairs, centred: bool) -> dict[str, NDArray[np.float64]]:
    """Return how alike the maps of each pair are, by measure.

    bc and emd compare the top 1 %. Both need distributions, and centred maps have negative
    values: there they compare where a map exceeds everybody's mean, ReLU(m - mean), and
    correlation, the cosine of whole centred maps, uses both signs. emd is taken of the first
    `MOST_EMD_PAIRS` pairs, in an order that is drawn. All-zero maps are like nothing (bc 0) and
    at no distance (emd NaN).
    """
    distributions = normalise(take_top(np.maximum(maps, 0), TOP_PERCENT))
    workers = len(os.sched_getaffinity(0))
    measures = {
        "bc": bhattacharyya.of_pairs(distributions, pairs),
        "emd": earth_mover.of_pairs(distributions, pairs[:MOST_EMD_PAIRS], workers),
    }
    if centred:
        flat = maps.reshape(len(maps), -1)
        norms = np.linalg.norm(flat, axis=1, keepdims=True)
        measures["correlation"] = bhattacharyya.products_of_pairs(
            flat / np.maximum(norms, np.finfo(np.float32).tiny), pairs
        )
    return measures


Rows = list[dict[str, Any]]
ByGroup = dict[str, NDArray[Any]]


def _likeness_rows(
    of: dict[str, Any], values: ByGroup, people: ByGroup, settings: Settings
) -> Rows:
    rows = []
    for group, found in values.items():
        known = ~np.isnan(found)
        if known.any():
            interval = groups.mean_likeness(
                found[known], people[group][known], seed=settings.seed, draws=settings.draws
            )
            ends = dict(zip(("estimate", "low", "high"), map(float, interval), strict=True))
            rows.append(of | {"group": group, "pairs": int(known.sum())} | ends)
    return rows


def _contrast_rows(
    of: dict[str, Any], values: ByGroup, people: ByGroup, settings: Settings
) -> Rows:
    sign = -1 if of["measure"] == "emd" else 1
    known = {group: ~np.isnan(values[group]) for group in ("identity", "strangers")}
    if not all(mask.any() for mask in known.values()):
        return []
    found = groups.same_person(
        *(sign * values[group][known[group]] for group in known),
        *(people[group][known[group]] for group in known),
        seed=settings.seed,
        draws=settings.draws,
    )
    difference = dict(zip(("difference", "low", "high"), map(float, found.difference), strict=True))
    auc = dict(zip(("auc", "auc_low", "auc_high"), map(float, found.auc), strict=True))
    return [of | {"pairs": int(known["identity"].sum())} | difference | auc | {"p": found.p}]


def _frame(rows: Rows) -> pl.DataFrame:
    return pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.col(pl.Float64).fill_nan(None)
    )


def _read_stacks(
    lake: Lake, layer: dict[str, Any], frame: Frame, seed: int
) -> Iterator[tuple[str, Stack]]:
    """Yield the stack of a layer's pair maps, where pairs were kept, and that of image maps."""
    images = _choose_images(lake, layer["model"], seed)
    if images["identity"].n_unique() < 2:
        return
    place = dict(zip(images["image_id"], range(len(images)), strict=True))
    kept = lake.sql(
        "SELECT pair_id, anchor FROM pairs WHERE model = ? AND pair_id IS NOT NULL "
        "ORDER BY pair_id",
        [layer["model"]],
    ).filter(pl.col("anchor").is_in(list(place)))
    own = np.arange(len(images))
    if len(kept):
        anchors = np.array([place[anchor] for anchor in kept["anchor"]])
        yield "pair", _stack(lake, layer, frame, "pair_relevance", kept["pair_id"], images, anchors)
    yield "image", _stack(lake, layer, frame, "relevance", images["image_id"], images, own)


def _choose_images(lake: Lake, model: str, seed: int) -> pl.DataFrame:
    """Return the images of identities drawn until `MOST_IMAGES`, with two images at least."""
    images = lake.sql(
        "SELECT image_id, identity, landmarks, crop_to_image, crop_to_identity, crop_to_canonical, "
        "chip_to_crop FROM embeddings JOIN images USING (image_id) "
        "WHERE model = ? AND status = 'kept' ORDER BY image_id",
        [model],
    ).filter(pl.len().over("identity") > 1)
    sizes = images.group_by("identity").len().sort("identity").sample(
        fraction=1, shuffle=True, seed=seed
    )  # fmt: skip
    drawn = sizes.filter(pl.col("len").cum_sum() <= MOST_IMAGES)["identity"]
    return images.filter(pl.col("identity").is_in(drawn.implode()))


def _stack(
    lake: Lake,
    layer: dict[str, Any],
    frame: Frame,
    array: str,
    rows: pl.Series,
    images: pl.DataFrame,
    anchors: NDArray[np.int64],
) -> Stack:
    affines = {
        name: images[name].to_numpy().astype(np.float64)
        for name in ("chip_to_crop", "crop_to_identity", "crop_to_canonical", "crop_to_image")
    }
    image_to_crop = geometry.invert(affines.pop("crop_to_image"))
    poses = Poses(**affines)
    landmarks = geometry.apply(
        geometry.compose(poses.crop_to(frame), image_to_crop), images["landmarks"].to_numpy()
    )[:, INNER]
    stored = arrays.open_array(lake.maps_path, f"{layer['model']}/{layer['layer']}/{array}")
    maps = np.asarray(stored.get_orthogonal_selection(rows.to_numpy()))
    to_chip = poses.grid_to_chip(frame, SIZE, layer["input_size"])[anchors]
    people = images["identity"].rank("dense").to_numpy().astype(np.int64) - 1
    return Stack(
        lay_on_grid(maps, to_chip, layer["stride"], layer["offset"], layer["input_size"], SIZE),
        anchors,
        people[anchors],
        landmarks[anchors],
    )


QUESTION = Question(
    name="similarity",
    asks="Are maps of one person more alike than maps of strangers, once pose is accounted for?",
    papers_tables=(3, 4, 5, 6),
    answer=answer,
    layouts={
        "similarity": Layout(
            "Likeness of maps, top 1 %",
            per=("model", "frame", "maps", "centred", "matching", "measure"),
            rows=("layer",),
            columns=("group",),
            estimate="estimate",
        ),
    },
    settings={
        "size": SIZE,
        "top_percent": TOP_PERCENT,
        "most_images": MOST_IMAGES,
        "most_pairs": MOST_PAIRS,
        "most_emd_pairs": MOST_EMD_PAIRS,
        "caliper": groups.CALIPER,
    },
    notes=(
        "anchor: two maps of one image towards different positives; identity: of different images "
        "of one person; strangers: of two people. Only identity against strangers can speak for "
        "a person's pattern, and only in the canonical frame or with poses matched.",
        "bc: Bhattacharyya coefficient; emd: earth mover's distance in grid pixels; correlation: "
        "of whole maps with everybody's mean map taken off.",
    ),
)
