"""The paper's title question: whether the pattern is the person's, the image's or any face's.

One analysis, declared here for any lake, model, layer and target; `analyses.person.verdict`
states the rule by which its numbers become a verdict. Two kinds of evidence are asked for:

- occlusion of 1 % of the chip by an image's own map, by those of the same person's other image,
  a stranger in the same pose and any stranger, and at random, under every fill; the drop is that
  of the centred cosine to the positives. First, middle and last of a model's layers.
- likeness of maps in the canonical frame, whole, with everybody's mean map subtracted, as their
  correlation: the AUC of one person's pairs against strangers' matched in pose, in every layer,
  compared with the AUC of the same pairs by each control.

It costs 15 forward passes for each image and occluded layer.
"""

from typing import Any, Final

import polars as pl

from analyses.cohort import MOST_IMAGES, MOST_OF_ONE
from analyses.estimates import with_holm
from analyses.person.controls import CONTROLS, controls_table, find_subjects
from analyses.person.evidence import (
    AUC,
    MASKS,
    MEASURE,
    PERCENT,
    likeness_evidence,
    occlusion_evidence,
)
from analyses.person.findings import findings
from analyses.person.verdict import ALPHA, AS_WELL, COLUMNS, REQUIRED, decide
from analyses.question import (
    LEFT_OUT,
    LEFT_OUT_LAYOUT,
    LackingError,
    Layout,
    Question,
    Settings,
)
from analyses.rerun.fills import FILLS
from analyses.rerun.lake_models import runnable_models
from analyses.similarity.canonical import MOST_PAIRS, SIZE
from analyses.similarity.groups import CALIPER
from analyses.work import Work
from leamstore.lake import Lake


def answer(lake: Lake, settings: Settings, work: Work) -> dict[str, pl.DataFrame]:
    """Return the verdicts, their evidence, and the controls with the commands that add them."""
    subjects = find_subjects(lake)
    if not subjects:
        raise LackingError(
            f"{lake.path} holds no maps of trained weights towards a positive: run "
            "`python -m ingest` without --weights random and without a control as --target."
        )
    if lake.images["identity"].n_unique() < 2:
        raise LackingError(
            f"{lake.path} holds fewer than two identities: without strangers nothing can be said "
            "of a person."
        )
    runnable = runnable_models(lake, settings.catalog, [subject.name for subject in subjects])
    layers = lake.sql(
        "SELECT layers.*, target FROM layers JOIN models USING (model) "
        "WHERE model IN (SELECT unnest(?)) ORDER BY model, position",
        [[subject.name for subject in subjects]],
    )
    occluded = occlusion_evidence(lake, layers, settings, work, runnable)
    alike = likeness_evidence(lake, subjects, settings, work)
    evidence = adjust(pl.concat([occluded, alike]))
    verdicts, claims = judge(layers, evidence)
    return {
        "person": verdicts,
        "person_claims": claims,
        "person_evidence": evidence,
        "person_controls": controls_table(lake, subjects, CONTROLS).select(
            pl.exclude("command"), pl.col("control").is_in(REQUIRED).alias("required"), "command"
        ),
        **runnable.left_out_tables("person"),
    }


def adjust(evidence: pl.DataFrame) -> pl.DataFrame:
    """Return the evidence in order, with p_holm: Holm's p over all its tests."""
    return with_holm(evidence.sort("model", "position", maintain_order=True))


def judge(layers: pl.DataFrame, evidence: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the verdict on each model and layer, and the outcome of each claim.

    Parameters
    ----------
    layers : polars.DataFrame
        model, target, position, layer.
    evidence : polars.DataFrame
        As `adjust` gives it.

    Returns
    -------
    verdicts : polars.DataFrame
        model, target, position, layer, verdict, identities, missing_controls.
    claims : polars.DataFrame
        model, position, layer, a column for each claim, the AUC with its interval, and the
        control whose AUC is the largest.
    """
    asked = evidence["p"].drop_nulls().len()
    verdicts, claims = [], []
    for layer in layers.select("model", "target", "position", "layer").to_dicts():
        own = evidence.filter(model=layer["model"], position=layer["position"])
        verdict = decide(own, asked)
        facts = {"verdict": verdict.words, "identities": own["identities"].max()}
        verdicts.append(layer | facts | {"missing_controls": ", ".join(verdict.missing)})
        of = {key: layer[key] for key in ("model", "position", "layer")}
        states = {column: verdict.claims[claim] for claim, column in COLUMNS.items()}
        claims.append(of | states | _likeness(own))
    return (
        pl.DataFrame(verdicts, infer_schema_length=None),
        pl.DataFrame(claims, infer_schema_length=None),
    )


def _likeness(evidence: pl.DataFrame) -> dict[str, Any]:
    """Return a layer's AUC, and the control whose own is largest; None where it wasn't asked."""
    aucs = evidence.filter(claim=AUC).sort("estimate", descending=True)
    maps = next(iter(aucs.filter(pl.col("control").is_null()).to_dicts()), {})
    best = next(iter(aucs.drop_nulls("control").to_dicts()), {})
    return {
        "auc": maps.get("estimate"),
        "auc_low": maps.get("low"),
        "auc_high": maps.get("high"),
        "best_control": best.get("control"),
        "best_control_auc": best.get("estimate"),
    }


QUESTION: Final = Question(
    name="person",
    asks="Is the pattern the person's, the image's, or any face's?",
    papers_tables=(),
    answer=answer,
    findings=findings,
    layouts={
        "person": Layout("whose the pattern is", per=("model",)),
        "person_claims": Layout(
            "outcome of each claim, and AUCs of one person's pairs", per=("model",), rows=()
        ),
        "person_evidence": Layout(
            "what each claim rests on: drops of the centred cosine by fill, AUCs by control",
            per=("model", "claim"),
            rows=("layer",),
            columns=("fill", "control"),
            decimals=3,
        ),
        "person_controls": Layout("controls, and how to add them", per=("model",)),
        f"person_{LEFT_OUT}": LEFT_OUT_LAYOUT,
    },
    settings={
        "percent": PERCENT,
        "measure": MEASURE,
        "masks": MASKS,
        "fills": tuple(FILLS),
        "occluded_layers": "first, middle, last",
        "as_well": AS_WELL,
        "alpha": ALPHA,
        "required_controls": REQUIRED,
        "size": SIZE,
        "most_images": MOST_IMAGES,
        "most_of_one": MOST_OF_ONE,
        "most_pairs": MOST_PAIRS,
        "caliper": CALIPER,
    },
    notes=(
        "A claim by occlusion is shown if its interval lies above 0 and p < 0.05 after Holm over "
        "the whole table, in black and in another fill, and it is reversed in none. The person's: "
        "the same person's other image hides more than a stranger's in the same pose, and maps "
        "tell people apart better than every control does.",
        "Controls are maps that don't ask about the person (norm, impostor), maps of random "
        "weights, and the image's own edges and pixels. AUCs are of whole maps with everybody's "
        "mean map subtracted, in the canonical frame, with pairs matched in pose.",
    ),
)
