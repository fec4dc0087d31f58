"""A probe of a model's input: the same images embedded as its entry says, and in other ways.

One thing is changed at a time: the order of the channels, the range of the values, the alignment
of the chip, or the margin around the face. Where another input tells people apart better than the
entry's own, the entry is probably wrong.

The AUC hardly shows it: wrong channels cost dlib's network none of its 0.998. The probe compares
the separation of the cosines, with the mean embedding of the images subtracted first, on the same
comparisons and the same draws of people. Here the same mistake costs 6 %.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy.stats import norm

from analyses.cohort import draw_identities, draw_of_each, number_people
from analyses.estimates import interval_row, with_holm
from analyses.question import Settings
from analyses.recognition.redrawn import Sample, redraw
from analyses.rerun.chips import Source, chip_source, cut_squares
from analyses.rerun.lake_models import RunnableModels, embedded_images, run_model
from analyses.similarity.contrasts import interval_of
from analyses.statistics import Array
from analyses.work import Work
from ingest.faces.chips import ALIGNMENTS, chip_to_image
from ingest.run.recorded import RecordedModel
from leamstore import geometry
from leamstore.catalog import Model, read_catalog
from leamstore.geometry import Affine
from leamstore.lake import Lake
from leamstore.verification import ScoreCounts, cosines, draw_comparisons

MOST_IMAGES: Final = 200
"""Images after which no further person is drawn."""

MOST_OF_ONE: Final = 5
"""Most images of a person: more people say more than more images of them."""

AUC: Final = "AUC"
SEPARATION: Final = "separation"

OWN: Final = "as the entry says"

RANGES: Final[Mapping[str, "Range"]] = {
    "0 to 1": ((0.0, 0.0, 0.0), (255.0, 255.0, 255.0)),
    "-1 to 1": ((127.5, 127.5, 127.5), (127.5, 127.5, 127.5)),
    "0 to 255": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "ImageNet's": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
}
"""Usual ranges of values, besides those of the catalog's models."""

ZOOMS: Final = (0.8, 0.9, 1.1, 1.25)
"""How much larger the face is on the chip."""

_SAME_RANGE: Final = 0.02
"""Share of its range by which values may differ from the entry's to be taken for the same."""

_TASK_IMAGES: Final = 16

Colours = tuple[float, float, float]
Range = tuple[Colours, Colours]
"""Mean and std of red, green and blue."""


@dataclass(frozen=True)
class Variant:
    """An input of a network that differs in one thing from what its entry says.

    Attributes
    ----------
    changed : str
        What differs: the field of the entry, or margin; nothing for the entry's own.
    name : str
    alignment : str
    zoom : float
        How much larger the face is on the chip.
    is_swapped : bool
        Whether red and blue change places.
    mean, std : (red, green, blue)
        Subtracted from the chip's values, and by which they are divided.
    """

    changed: str
    name: str
    alignment: str
    mean: Colours
    std: Colours
    zoom: float = 1.0
    is_swapped: bool = False


@dataclass(frozen=True)
class Task:
    """Some images of a model to embed under all variants."""

    lake: Lake
    model: RecordedModel
    variants: tuple[Variant, ...]
    source: Source
    images: pl.DataFrame


def variants_of(entry: Model, source: Source) -> tuple[Variant, ...]:
    """Return the entry's own input, then all others that are tried.

    Of crops, no wider margins are cut: they would show the black outside of the crop.
    """
    mean, std = _range_of(entry)
    usual = partial(Variant, alignment=entry.alignment, mean=mean, std=std)
    other_order = "BGR" if entry.colour_order == "RGB" else "RGB"
    return (
        usual("nothing", OWN),
        usual("colour_order", other_order, is_swapped=True),
        *(
            Variant("mean, std", name, entry.alignment, *values)
            for name, values in _other_ranges(entry).items()
        ),
        *(Variant("alignment", name, name, mean, std) for name in _other_alignments(entry)),
        *(
            usual("margin", f"{zoom:g} x the face", zoom=zoom)
            for zoom in ZOOMS
            if source == "photographs" or zoom > 1
        ),
    )


def probe_models(
    lake: Lake, runnable: RunnableModels, settings: Settings, work: Work
) -> pl.DataFrame:
    """Return how well each model recognises under each variant of its input.

    Returns
    -------
    polars.DataFrame
        model, changed, variant, measure (AUC, separation), estimate, low, high; difference to the
        entry's own input with difference_low and difference_high, p and p_holm (of the separation
        alone, Holm's over a model's variants); identities, images, chips (what they were cut
        from). NULL where there is nothing to compare. Without models, no rows.
    """
    tasks = [
        task for model in runnable.models.values() for task in _tasks_of(lake, model, settings.seed)
    ]
    parts = work.map(embed_variants, tasks, "Inputs")
    tables = []
    for name in runnable.models:
        own = [(task, part) for task, part in zip(tasks, parts, strict=True)
               if task.model.name == name]  # fmt: skip
        people = pl.concat([task.images["identity"] for task, _ in own])
        embedded = np.concatenate([part for _, part in own], axis=1)
        task = own[0][0]
        rows = compare_variants(embedded, task.variants, people, settings)
        tables.append(rows.select(
            pl.lit(name).alias("model"), pl.all(), pl.lit(task.source).alias("chips"),
        ))  # fmt: skip
    return pl.concat(tables) if tables else pl.DataFrame(schema=_SCHEMA)


def compare_variants(
    embedded: Array, variants: tuple[Variant, ...], identities: pl.Series, settings: Settings
) -> pl.DataFrame:
    """Return the rows of `probe_models` of one model, from embeddings (variant, image, n)."""
    people = number_people(identities)
    compared = draw_comparisons(people, embedded.shape[1] ** 2, settings.seed)
    sample = Sample(people, compared)
    rows, own = [], {}
    for variant, embeddings in zip(variants, embedded, strict=True):
        of = {"changed": variant.changed, "variant": variant.name}
        centred = embeddings - embeddings.mean(0)
        for name, measure, vectors in (
            (AUC, _auc, embeddings), (SEPARATION, _separation, centred)
        ):  # fmt: skip
            scores = cosines(vectors, vectors)[compared.first, compared.second]
            samples = redraw(measure, scores, sample, settings)[:, 0]
            row = of | {"measure": name, **interval_row(interval_of(samples))}
            if variant.name == OWN:
                own[name] = samples
                rows.append(row | dict.fromkeys((*_DIFFERENCE, "p")))
                continue
            differences = samples - own[name]
            row |= interval_row(interval_of(differences), _DIFFERENCE)
            rows.append(row | {"p": _p_of(differences) if name == SEPARATION else None})
    counts = {"identities": len(np.unique(people)), "images": len(people)}
    frame = pl.DataFrame(rows, infer_schema_length=None).with_columns(
        pl.col(pl.Float64).fill_nan(None)
    )
    return with_holm(frame).with_columns(**{name: pl.lit(n) for name, n in counts.items()})


_DIFFERENCE: Final = ("difference", "difference_low", "difference_high")

_SCHEMA: Final[Mapping[str, type[pl.DataType]]] = {
    **dict.fromkeys(("model", "changed", "variant", "measure"), pl.String),
    **dict.fromkeys(("estimate", "low", "high", *_DIFFERENCE, "p", "p_holm"), pl.Float64),
    **dict.fromkeys(("identities", "images"), pl.Int32), "chips": pl.String,
}  # fmt: skip


def embed_variants(task: Task) -> NDArray[np.float64]:
    """Return the embeddings (variant, image, n) of a task's images.

    Raises
    ------
    LackingError
        If the network or its weights can't be had any more.
    """
    model = run_model(task.lake, task.model)
    entry, (_, size) = task.model.entry, model.kind
    views = list(dict.fromkeys((one.alignment, one.zoom) for one in task.variants))
    landmarks = task.images["landmarks"].to_numpy()
    ways = np.stack([[_way(points, *view, size) for view in views] for points in landmarks])
    squares = cut_squares(task.lake, task.images, ways, size, task.source)
    return np.stack([
        model.embed(_as_fed(squares[:, views.index((one.alignment, one.zoom))], one, entry))
        for one in task.variants
    ]).astype(np.float64)  # fmt: skip


def _tasks_of(lake: Lake, model: RecordedModel, seed: int) -> Iterator[Task]:
    several = embedded_images(lake, {model.name}).filter(pl.len().over("identity") > 1)
    images = draw_identities(draw_of_each(several, MOST_OF_ONE, seed), MOST_IMAGES, seed)
    source = chip_source(lake, images)
    variants = variants_of(model.entry, source)
    for some in images.iter_slices(_TASK_IMAGES):
        yield Task(lake, model, variants, source, some)


def _way(landmarks: geometry.Points, alignment: str, zoom: float, size: int) -> Affine:
    """Return the affine to the photograph from a chip whose face is larger around its centre."""
    middle = (size - 1) / 2
    shift = middle - middle / zoom
    zoomed = np.array([[1 / zoom, 0.0, shift], [0.0, 1 / zoom, shift]])
    return geometry.compose(chip_to_image(landmarks, alignment, size), zoomed)


def _as_fed(chips: NDArray[np.uint8], variant: Variant, entry: Model) -> NDArray[np.float32]:
    """Return chips that the network's own normalisation turns into those of the variant."""
    ordered = chips[..., ::-1] if variant.is_swapped else chips
    normalised = (ordered - np.array(variant.mean)) / np.array(variant.std)
    mean, std = map(np.array, _range_of(entry))
    return (normalised * std + mean).astype(np.float32)


def _range_of(entry: Model) -> Range:
    """Return an entry's mean and std, which are in its colour order, of red, green and blue."""
    if entry.colour_order == "RGB":
        return entry.mean, entry.std
    return entry.mean[::-1], entry.std[::-1]


def _other_ranges(entry: Model) -> dict[str, Range]:
    """Return usual ranges and those of the built-in catalog, without those like one before."""
    own = _range_of(entry)
    found: dict[str, Range] = {}
    models = read_catalog().models.values()
    named = {**RANGES, **{f"{model.name}'s": _range_of(model) for model in models}}
    for name, values in named.items():
        if not any(_are_alike(values, known) for known in (own, *found.values())):
            found[name] = values
    return found


def _are_alike(first: Range, second: Range) -> bool:
    """Return whether two ranges map 0 and 255 to nearly the same values."""
    ends = [(np.array([[0.0], [255.0]]) - mean) / std for mean, std in (first, second)]
    width = 255 / np.array(second[1])
    return bool((np.abs(ends[0] - ends[1]) < _SAME_RANGE * width).all())


def _other_alignments(entry: Model) -> list[str]:
    """Return the alignments that cut another chip than the entry's; two may have one template."""
    templates = {id(ALIGNMENTS[name]): name for name in ALIGNMENTS}
    del templates[id(ALIGNMENTS[entry.alignment])]
    return list(templates.values())


def _auc(counts: ScoreCounts) -> Array:
    return counts.area_under_curve[:, None]


def _separation(counts: ScoreCounts) -> Array:
    return counts.separation[:, None]


def _p_of(differences: Array) -> float:
    """Return the two-sided p that a difference is 0, by its deviation over the draws."""
    drawn = differences[1:][~np.isnan(differences[1:])]
    deviation = drawn.std() if len(drawn) else 0.0
    return float(2 * norm.sf(abs(differences[0]) / deviation)) if deviation else float("nan")
