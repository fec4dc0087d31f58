"""Whether maps say anything of the network (Adebayo et al. 2018), rather than of faces at large.

`analyses.sanity.checks` states what is checked and the rule by which a check passes. Here the maps
of a lake, those of the same network under random weights, and the edges of its chips are brought
there.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.cohort import MOST_IMAGES, MOST_OF_ONE, draw_images
from analyses.person.controls import RANDOM, Subject, controls_table, find_subjects
from analyses.question import LackingError, Layout, Question, Settings
from analyses.sanity.checks import LIMIT, SIZE, SPREAD, TOP_PERCENT, Cells, Layer, check, pool
from analyses.sanity.findings import findings
from analyses.similarity.baselines import chips_of, edges
from analyses.work import Work
from leamstore import arrays
from leamstore.geometry import resample
from leamstore.lake import Lake


def answer(lake: Lake, settings: Settings, work: Work) -> dict[str, pl.DataFrame]:
    """Return the checks of every layer of every model that is no control."""
    subjects = find_subjects(lake)
    tasks = [task for subject in subjects for task in _plan(lake, subject, settings)]
    if not tasks:
        raise LackingError(
            f"{lake.path} holds no maps of trained weights of two identities: run "
            "`python -m ingest` without --weights random on more people."
        )
    return {
        "sanity": pl.concat(work.map(_check_layer, tasks, "Sanity of maps")),
        "sanity_controls": controls_table(lake, subjects, (RANDOM,)),
    }


def draw_strangers(people: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Return for each image the position of an image of someone else, drawn at random."""
    generator = np.random.default_rng(seed)
    strangers = np.empty(len(people), np.int64)
    for person in np.unique(people):
        own = people == person
        strangers[own] = generator.choice(np.flatnonzero(~own), own.sum())
    return strangers


@dataclass(frozen=True)
class _Task:
    """A layer to be read and checked."""

    lake: Lake
    row: Mapping[str, Any]
    random_model: str | None
    image_ids: NDArray[np.int64]
    people: NDArray[np.int64]
    edges: Cells
    settings: Settings


def _plan(lake: Lake, subject: Subject, settings: Settings) -> Iterator[_Task]:
    """Yield a model's layers, with the edges of its chips at each one's resolution."""
    random_model = subject.controls.get(RANDOM)
    models = [subject.name, *([random_model] if random_model else [])]
    images = draw_images(lake, models, settings.seed)
    if images["identity"].n_unique() < 2:
        return
    kind = subject.row["alignment"], subject.row["input_size"]
    layers = lake.sql(
        "SELECT layers.* FROM layers WHERE model = ? ORDER BY position", [subject.name]
    ).to_dicts()
    pooled = {
        row["layer"]: np.empty((images.height, row["height"], row["width"]), np.float32)
        for row in layers
    }
    for places, chips in chips_of(lake, images, kind):
        found = edges(chips)
        for row in layers:
            rows, columns = _weights(row, kind[1], kind[1])
            pooled[row["layer"]][places] = pool(rows) @ found @ pool(columns).T
    held = {tuple(row) for row in lake.sql("SELECT model, layer FROM layers").iter_rows()}
    image_ids = images["image_id"].to_numpy().astype(np.int64)
    people = images["identity"].rank("dense").to_numpy().astype(np.int64) - 1
    for row in layers:
        counterpart = random_model if (random_model, row["layer"]) in held else None
        facts = row | {"input_size": kind[1]}
        yield _Task(lake, facts, counterpart, image_ids, people, pooled[row["layer"]], settings)


def _check_layer(task: _Task) -> pl.DataFrame:
    row = task.row
    rows, columns = _weights(row, row["input_size"], SIZE)
    random_maps = None if task.random_model is None else _read(task, task.random_model)
    layer = Layer(
        maps=_read(task, row["model"]),
        edges=task.edges,
        random_maps=random_maps,
        people=task.people,
        strangers=draw_strangers(task.people, task.settings.seed),
        rows=rows,
        columns=columns,
    )
    named = (pl.lit(row[name]).alias(name) for name in ("model", "position", "layer"))
    return check(layer, task.settings).select(*named, pl.all())


def _read(task: _Task, model: str) -> Cells:
    stored = arrays.open_array(task.lake.maps_path, f"{model}/{task.row['layer']}/relevance")
    return np.asarray(stored.get_orthogonal_selection(task.image_ids)).astype(np.float32)


def _weights(
    row: Mapping[str, Any], input_size: int, size: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the weights (size, cells) by which a layer's rows and columns go up to a grid."""
    rows, columns = (
        resample(row[side], row["stride"], row["offset"], input_size, size).matrix
        for side in ("height", "width")
    )
    return rows, columns


QUESTION: Final = Question(
    name="sanity",
    asks="Do maps say anything of the network, rather than of where faces and their edges are?",
    papers_tables=(),
    answer=answer,
    findings=findings,
    layouts={
        "sanity": Layout(
            "sanity of maps",
            per=("model", "measure"),
            rows=("layer",),
            columns=("check",),
            estimate="estimate",
        ),
        "sanity_controls": Layout("controls, and how to add them", per=(), rows=()),
    },
    settings={
        "limit": LIMIT,
        "size": SIZE,
        "top_percent": TOP_PERCENT,
        "spread": SPREAD,
        "most_images": MOST_IMAGES,
        "most_of_one": MOST_OF_ONE,
    },
    notes=(
        f"A check passes if its interval lies below {LIMIT}, fails if it lies above, and is "
        "unclear in between; the limit was set beforehand and is no law. Rank correlations are "
        "Spearman's, image by image, over the layer's own cells.",
        "Controls: edges and maps of another person's image; for the outer ring, its share of the "
        "layer's cells.",
    ),
)
