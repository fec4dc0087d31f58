"""Answers with planted numbers, in the form that the questions themselves give them."""

from itertools import product

import numpy as np
import polars as pl

from analyses.demographics import question as demographics
from analyses.estimates import with_holm
from analyses.occlusion import question as occlusion
from analyses.occlusion.averages import average, contrast
from analyses.occlusion.curves import CURVES, draw_points, measure_areas
from analyses.occlusion.question import in_order, papers_drops
from analyses.paper import beside_paper
from analyses.person import question as person
from analyses.person.evidence import AUC, weigh_drops
from analyses.person.verdict import ALIKE
from analyses.question import Settings
from analyses.recognition import question as recognition
from analyses.recognition.probe import compare_variants, variants_of
from analyses.recognition.scores import recognise
from analyses.regions import individuals
from analyses.rerun.verification import MEASURES
from analyses.results import answer_question, recorded_settings
from analyses.similarity import question as similarity
from analyses.work import Work
from leamstore.catalog import read_catalog
from leamstore.tables import results

SETTINGS = Settings(seed=0, draws=50)
MODEL, OTHER = "DLIB_R29", "IR_CASIA"
PEOPLE = [f"Person_{number:02d}" for number in range(12)]
COST = {
    "own": 0.10, "swap": 0.07, "same person": 0.08, "matched stranger": 0.06, "mean map": 0.05,
    "mirrored": 0.04, "gradient x input": 0.09, "random": 0.02,
}  # fmt: skip
"""What hiding 1 % costs, on average."""


def answer_all(lake):
    """Answer the six pages' questions: two of the lake itself, four with planted numbers."""
    for question in (similarity.QUESTION, individuals.QUESTION):
        answer_question(lake, question, SETTINGS, Work())
    write(lake, recognition.QUESTION, recognition_tables())
    write(lake, occlusion.QUESTION, occlusion_tables())
    write(lake, person.QUESTION, person_tables(lake))
    write(lake, demographics.QUESTION, demographics_tables())


def write(lake, question, tables):
    recorded = recorded_settings(question, SETTINGS)
    results.write_results(lake, question.name, tables, recorded, results.inputs_checksum(lake))


def recognition_tables():
    """Twelve people told apart by a model, and by a control less; wrong channels do better."""
    generator = np.random.default_rng(0)
    people = np.arange(len(PEOPLE)).repeat(3)
    noise = generator.normal(0, 1, (len(VARIANTS), len(people), 4))
    embedded = generator.normal(0, 3, (len(PEOPLE), 4))[people] + noise
    embedded[0] += generator.normal(0, 2, embedded[0].shape)
    identities = pl.Series([PEOPLE[person] for person in people])
    measured = [
        (MODEL, None, embedded[1]), (f"{MODEL}@random", "random weights", noise[0])
    ]  # fmt: skip
    found = [
        (labels, recognise(vectors, identities, SETTINGS)) for *labels, vectors in measured
    ]  # fmt: skip

    def labelled(labels, rows):
        model, control = labels
        return rows.select(
            pl.lit(model).alias("model"), pl.lit(control, pl.String).alias("control"), pl.all()
        )

    probe = compare_variants(embedded, VARIANTS, identities, SETTINGS)
    return {
        "recognition": pl.concat(labelled(of, one.measures) for of, one in found),
        "recognition_scores": pl.concat(labelled(of, one.histogram) for of, one in found),
        "recognition_probe": probe.select(
            pl.lit(MODEL).alias("model"), pl.all(), pl.lit("photographs").alias("chips")
        ),
    }


VARIANTS = variants_of(read_catalog().model(MODEL), "photographs")


def occlusion_tables():
    """Two guides of one judge; each person's drop is the mask's cost times the percent's root."""
    chance = np.random.default_rng(0)
    rows = [
        {"guiding": guiding, "judged": MODEL, "layer": "conv1", "percent": float(percent),
         "mask": mask, "fill": fill, "chips": "crops", "identity": identity, "images": 1}
        | dict.fromkeys(MEASURES, COST[mask] * percent**0.5 + chance.normal(0, 0.005))
        for guiding in (MODEL, OTHER)
        for (percent, mask, fill), identity in product(occlusion.EXPERIMENT.conditions, PEOPLE)
    ]  # fmt: skip
    drops = in_order(pl.DataFrame(rows))
    on = ("guiding", "judged", "percent", "mask", "fill", "measure")
    reached = pl.DataFrame([
        {"guiding": MODEL, "judged": MODEL, "layer": "conv1", "chips": "crops", "curve": curve,
         "fill": fill, "mask": mask, "percent": float(percent), "identity": identity, "images": 1,
         "cosine": 1 - percent / 100, "centred cosine": 1 - percent / 100,
         "whole cosine": 1.0, "whole centred cosine": 1.0}
        for (curve, fill), mask, percent, identity
        in product(CURVES.fills, CURVES.masks, CURVES.percents, PEOPLE)
    ])  # fmt: skip
    averages = average(drops, SETTINGS)
    return {
        "occlusion": beside_paper(averages, papers_drops(), on, "estimate"),
        "occlusion_contrasts": contrast(drops, SETTINGS),
        "occlusion_curves": draw_points(reached, SETTINGS),
        "occlusion_areas": measure_areas(reached, CURVES, SETTINGS),
    }


def person_tables(lake):
    """Verdicts on the lake's layers; the first one was occluded, and both compared."""
    layers = lake.sql(
        "SELECT model, target, position, layer FROM layers JOIN models USING (model) "
        "ORDER BY position"
    )
    first = {name: layers[name][0] for name in ("model", "position", "layer")}
    chance = np.random.default_rng(0)
    drops = pl.DataFrame([
        {"fill": fill, "mask": mask, "image_id": number, "identity": identity,
         "centred cosine": COST[mask] + chance.normal(0, 0.003)}
        for fill in ("black", "mean colour", "blur")
        for mask in person.MASKS
        for number, identity in enumerate(PEOPLE)
    ])  # fmt: skip
    occluded = weigh_drops(drops, SETTINGS).select(
        *(pl.lit(value).cast(layers.schema[name]).alias(name) for name, value in first.items()),
        pl.all(),
    )
    likeness = pl.DataFrame([
        {**{name: row[name] for name in first}, "claim": claim, "control": control,
         "estimate": estimate, "low": estimate - 0.05, "high": estimate + 0.05,
         "identities": 12, "observations": 60, "p": None if claim == AUC and control else 1e-6}
        for row in layers.to_dicts()
        for claim, control, estimate in (
            (AUC, None, 0.8), (AUC, "edges", 0.6), (ALIKE, "edges", 0.2),
            (AUC, "pixels", 0.65), (ALIKE, "pixels", 0.15),
        )
    ], infer_schema_length=None)  # fmt: skip
    evidence = person.adjust(pl.concat([occluded, likeness], how="diagonal_relaxed"))
    verdicts, claims = person.judge(layers, evidence)
    controls = pl.DataFrame({
        "model": [MODEL], "control": ["norm"], "held": pl.Series([None], dtype=pl.String),
        "required": [True], "command": ["python -m ingest --target norm"],
    })  # fmt: skip
    return {
        "person": verdicts, "person_claims": claims, "person_evidence": evidence,
        "person_controls": controls,
    }  # fmt: skip


def demographics_tables():
    """Six women and six men; women's noses get 10 points more, and everybody's cosine ages."""
    chance = np.random.default_rng(0)
    known = pl.DataFrame({
        "attribute": "gender", "group": ["female", "male"] * 6, "identity": PEOPLE
    })  # fmt: skip
    shares = known.with_columns(
        model=pl.lit(MODEL),
        nose=pl.Series(np.where(known["group"] == "female", 30.0, 20.0) + chance.normal(0, 1, 12)),
        face=pl.Series(40 + chance.normal(0, 1, 12)),
    )
    compared = demographics.group_differences(shares, SETTINGS)
    areas = demographics.group_differences(
        shares.with_columns(pl.lit(5.0).alias("nose"), pl.lit(60.0).alias("face")), SETTINGS
    )
    conditions = [(0.0, "none", "none"), *demographics.EXPERIMENT.conditions]
    pairs = pl.DataFrame([
        {"guiding": MODEL, "judged": MODEL, "layer": "conv1", "percent": float(percent),
         "mask": mask, "fill": fill, "chips": "crops", "identity": identity, "years": years,
         "pairs": 2, "before": 1.6, "after": 1.6 - COST.get(mask, 0) * percent**0.5 - years / 10}
        for (percent, mask, fill), identity, years in product(conditions, PEOPLE, (0, 1, 2))
    ]).with_columns(pl.col("years", "pairs").cast(pl.Int32))  # fmt: skip
    return {
        "demographics": with_holm(demographics.beside_areas(compared, areas)),
        "demographics_occlusion": demographics.drops_of_groups(pairs, known, SETTINGS),
        "demographics_occlusion_differences": demographics.drop_differences(pairs, known, SETTINGS),
        "demographics_ages": demographics.cosines_by_age(pairs, SETTINGS),
    }
