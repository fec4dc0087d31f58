"""Evidence for and against a pattern of the person: occlusion, and likeness against controls.

All evidence has rows of one form: model, position, layer, claim, fill (of an occlusion),
control (of a likeness), the estimate between the ends of its interval over identities, how many
identities and observations (images or pairs) it is of, and the p of Wilcoxon's signed-rank test
over identities, where it was tested.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any, Final, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from analyses.cohort import draw_images, number_people
from analyses.estimates import interval_row
from analyses.likeness import Pairs, centre, correlation
from analyses.person.controls import CONTROLS, Subject
from analyses.person.verdict import ALIKE, CLAIMS
from analyses.question import Settings
from analyses.rerun.drops import measure_drops
from analyses.rerun.experiment import Experiment
from analyses.rerun.lake_models import RunnableModels
from analyses.similarity.baselines import lay_baselines
from analyses.similarity.canonical import CanonicalFaces
from analyses.similarity.contrasts import Likeness, draw_contrasts, interval_of
from analyses.statistics import bootstrap_mean, signed_rank_of_people
from analyses.work import Work
from leamstore.lake import Lake
from leamstore.layers import Layer, Maps

PERCENT: Final = 1.0
"""Share of the chip that is hidden, in %."""

MEASURE: Final = "centred cosine"
"""The measure of likeness whose drop is taken."""

MASKS: Final = ("own", "same person", "matched stranger", "swap", "random")

AUC: Final = "AUC of one person's pairs"
"""Name of the evidence that `ALIKE` compares: it is listed too, but decides nothing."""

_EVIDENCE: Final = {
    "model": pl.String, "position": pl.Int64, "layer": pl.String, "claim": pl.String,
    "fill": pl.String, "control": pl.String, "estimate": pl.Float64, "low": pl.Float64,
    "high": pl.Float64, "identities": pl.Int64, "observations": pl.Int64, "p": pl.Float64,
}  # fmt: skip


@dataclass(frozen=True)
class OwnMaps(Experiment):
    """Occlusion of some models' faces, each by the model's own maps.

    Attributes
    ----------
    subjects : tuple of str
        The models; others of the lake, its controls, are not occluded.
    """

    percents: tuple[float, ...] = ()
    percent: float = PERCENT
    masks: tuple[str, ...] = MASKS
    random_draws: int = 1
    subjects: tuple[str, ...] = field(default=(), kw_only=True)

    def guides_of(self, judged: str, models: Sequence[str]) -> list[str]:
        """Return the model itself, if it is a subject."""
        return [judged] if judged in self.subjects else []


def occluded_positions(positions: list[int]) -> list[int]:
    """Return the first, the middle and the last of a model's positions of layers."""
    ordered = sorted(positions)
    return sorted({ordered[0], ordered[(len(ordered) - 1) // 2], ordered[-1]})


def occlusion_evidence(
    lake: Lake, layers: pl.DataFrame, settings: Settings, work: Work, runnable: RunnableModels
) -> pl.DataFrame:
    """Return the claims by occlusion: a row for each model, occluded layer, claim and fill.

    Of the models, those that can be run are asked about.
    """
    asked = layers.filter(pl.col("model").is_in(list(runnable.models)))
    chosen: dict[int, list[str]] = {}
    for (model,), rows in asked.group_by("model", maintain_order=True):
        for position in occluded_positions(rows["position"].to_list()):
            chosen.setdefault(position, []).append(str(model))
    tables = []
    for position, models in sorted(chosen.items()):
        experiment = OwnMaps(layer=position, subjects=tuple(models))
        drops = measure_drops(lake, experiment, settings.seed, work, runnable)
        tables += [
            weigh_drops(part, settings).with_columns(
                model=pl.lit(guiding), position=pl.lit(position), layer=pl.lit(layer)
            )
            for (guiding, layer), part in drops.group_by(("guiding", "layer"), maintain_order=True)
        ]
    return _evidence(pl.concat(tables).to_dicts())


def weigh_drops(drops: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Return `CLAIMS` from the drops of one model and layer, by fill.

    Parameters
    ----------
    drops : polars.DataFrame
        fill, mask, image_id, identity and `MEASURE`, as `measure_drops` gives them.

    Returns
    -------
    polars.DataFrame
        claim, fill, estimate, low, high, identities, observations (images), p.
    """
    rows: list[dict[str, Any]] = []
    for (fill,), part in drops.group_by(("fill",), maintain_order=True):
        wide = part.pivot("mask", index=["image_id", "identity"], values=MEASURE)
        people = number_people(wide["identity"])
        for claim, masks in CLAIMS.items():
            values = sum(wide[mask].to_numpy() * share for mask, share in masks.items())
            # Shares such as 1 - 0.8 leave rounding noise where masks are the same.
            values = np.where(np.abs(values) < 1e-9, 0.0, values)
            interval = bootstrap_mean(values, people, seed=settings.seed, draws=settings.draws)
            facts = {"claim": claim, "fill": fill, **interval_row(interval)}
            counts = {"identities": int(people.max()) + 1, "observations": len(values)}
            rows.append(facts | counts | {"p": signed_rank_of_people(values, people)})
    return pl.DataFrame(rows, infer_schema_length=None)


@dataclass(frozen=True)
class _MatchedPairs:
    """Pairs (k, 2) of one person and of strangers among faces, row by row matched in pose."""

    faces: CanonicalFaces
    same: Pairs
    strangers: Pairs

    def likeness(self, maps: Maps) -> Likeness:
        """Return the correlation of the pairs' maps, with everybody's mean map subtracted."""
        centred = centre(maps, self.faces.people)
        return Likeness(correlation(centred, self.same), correlation(centred, self.strangers))

    def likeness_in(self, layer: Layer) -> Likeness:
        """Return the likeness of a layer's maps, on the canonical grid."""
        maps = layer.read(self.faces.image_ids)
        return self.likeness(self.faces.lay(maps, layer.grid, slice(None)))


class _Task(NamedTuple):
    """A subject's layer and, by control, what it is compared with, on the same pairs."""

    layer: Layer
    controls: Mapping[str, Layer]
    baselines: Mapping[str, Likeness]
    pairs: _MatchedPairs


def likeness_evidence(
    lake: Lake, subjects: list[Subject], settings: Settings, work: Work
) -> pl.DataFrame:
    """Return AUCs of maps and controls, and their differences, for each model and layer."""
    tasks: list[_Task] = []
    for _, alike in groupby(subjects, key=lambda subject: subject.row["catalog_name"]):
        tasks += _plan(lake, list(alike), settings)
    found = work.map(partial(_compare_maps, settings), tasks, "Likeness of maps")
    return pl.concat([_evidence([]), *found])


def _plan(lake: Lake, subjects: list[Subject], settings: Settings) -> Iterator[_Task]:
    """Yield what is to be compared for models of one network, all on the same images."""
    models = {subject.name for subject in subjects}
    models |= {control for subject in subjects for control in subject.controls.values()}
    images = draw_images(lake, sorted(models), settings.seed)
    if images["identity"].n_unique() < 2:
        return
    size, alignment = subjects[0].row["input_size"], subjects[0].row["alignment"]
    faces = CanonicalFaces.of(images)
    pairs = _MatchedPairs(faces, *faces.matched_pairs(settings.seed))
    if not len(pairs.same):
        return
    laid = lay_baselines(lake, images, faces, (alignment, size))
    baselines = {name: pairs.likeness(maps) for name, maps in laid.items()}
    del laid
    held = {(layer.model, layer.name): layer for layer in lake.layers()}
    for subject in subjects:
        for layer in lake.layers(subject.name):
            controls = {
                control: held[model, layer.name]
                for control, model in subject.controls.items()
                if (model, layer.name) in held
            }
            yield _Task(layer, controls, baselines, pairs)


def _compare_maps(settings: Settings, task: _Task) -> pl.DataFrame:
    """Return one layer's AUC, each control's, and the differences with their tests."""
    layer, pairs = task.layer, task.pairs
    own = pairs.likeness_in(layer)
    controls = dict(task.baselines) | {
        control: pairs.likeness_in(other) for control, other in task.controls.items()
    }
    same, strangers = (pairs.faces.people[ends] for ends in (pairs.same, pairs.strangers))
    whose = same[:, 0]

    def draw(likeness: Likeness) -> NDArray[np.float64]:
        return draw_contrasts(
            likeness, same, strangers, seed=settings.seed, draws=settings.draws
        ).aucs

    own_draws = draw(own)
    facts = {"model": layer.model, "position": layer.position, "layer": layer.name}
    facts |= {"identities": len(np.unique(whose)), "observations": len(whose)}
    p_chance = signed_rank_of_people(own.placements - 0.5, whose)
    rows = [facts | {"claim": AUC, **interval_row(interval_of(own_draws)), "p": p_chance}]
    for control in (*CONTROLS, *task.baselines):
        if control not in controls:
            continue
        draws = draw(controls[control])
        beyond = own.placements - controls[control].placements
        of = facts | {"control": control}
        rows += [
            of | {"claim": AUC, **interval_row(interval_of(draws)), "p": None},
            of | {"claim": ALIKE, **interval_row(interval_of(own_draws - draws)),
                  "p": signed_rank_of_people(beyond, whose)},
        ]  # fmt: skip
    return _evidence(rows)


def _evidence(rows: list[dict[str, Any]]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=_EVIDENCE).with_columns(pl.col(pl.Float64).fill_nan(None))
