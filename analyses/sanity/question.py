"""Sanity checks of maps (Adebayo et al. 2018): dependence on the network, not on faces at large.

`analyses.sanity.checks` states what is checked and the rule by which a check passes. Here the maps
of a lake, those of the same network under random weights, and the edges of its chips are brought
there.
"""

from collections.abc import Iterator
from functools import partial
from typing import Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.cohort import MOST_IMAGES, MOST_OF_ONE, draw_images, number_people
from analyses.estimates import labelled
from analyses.person.controls import RANDOM, Subject, controls_table, find_subjects
from analyses.question import LackingError, Layout, Question, Settings
from analyses.sanity.checks import LIMIT, SIZE, SPREAD, TOP_PERCENT, Compared, check, pool
from analyses.sanity.findings import findings
from analyses.similarity.baselines import chips_of, edges
from analyses.work import Work
from leamstore.lake import Lake
from leamstore.layers import Layer, Maps


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
        "sanity": pl.concat(work.map(partial(_check_layer, settings), tasks, "Sanity of maps")),
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


class _Task(NamedTuple):
    """A layer, the same one under random weights, and the images of its maps with their edges."""

    layer: Layer
    counterpart: Layer | None
    images: pl.DataFrame
    edges: Maps


def _plan(lake: Lake, subject: Subject, settings: Settings) -> Iterator[_Task]:
    """Yield a model's layers, with the edges of its chips at each one's resolution."""
    random_model = subject.controls.get(RANDOM)
    models = [subject.name, *([random_model] if random_model else [])]
    images = draw_images(lake, models, settings.seed)
    if images["identity"].n_unique() < 2:
        return
    kind = subject.row["alignment"], subject.row["input_size"]
    layers = lake.layers(subject.name)
    pooled = {
        layer.name: np.empty((images.height, *layer.grid.shape), np.float32) for layer in layers
    }
    for places, chips in chips_of(lake, images, kind):
        found = edges(chips)
        for layer in layers:
            rows, columns = layer.grid.weights(kind[1])
            pooled[layer.name][places] = pool(rows) @ found @ pool(columns).T
    random_layers = lake.layers(random_model) if random_model else []
    counterparts = {layer.name: layer for layer in random_layers}
    for layer in layers:
        yield _Task(layer, counterparts.get(layer.name), images, pooled[layer.name])


def _check_layer(settings: Settings, task: _Task) -> pl.DataFrame:
    layer, counterpart, images, own_edges = task
    image_ids, people = images["image_id"], number_people(images["identity"])
    compared = Compared(
        grid=layer.grid,
        maps=layer.read(image_ids),
        edges=own_edges,
        random_maps=None if counterpart is None else counterpart.read(image_ids),
        people=people,
        strangers=draw_strangers(people, settings.seed),
    )
    named = {"model": layer.model, "position": layer.position, "layer": layer.name}
    return labelled(check(compared, settings), named)


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
        ),
        "sanity_controls": Layout("controls, and how to add them"),
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
        "unclear in between; the limit was set beforehand, as a convention. Rank correlations are "
        "Spearman's, image by image, over the layer's own cells.",
        "Controls: edges and maps of another person's image; for the outer ring, its share of the "
        "layer's cells.",
    ),
)
