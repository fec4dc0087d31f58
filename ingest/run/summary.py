"""Summary printed at the end of an ingest."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from ingest.photographs.datasets.sentences import counted
from ingest.run.outcome import Outcome
from leamstore.arrays import SHARD_IMAGES
from leamstore.errors import some
from leamstore.lake import Lake
from leamstore.stand_ins import brands


def summarise(lake: Lake, outcome: Outcome, passed_over: Mapping[str, str]) -> dict[str, Any]:
    """Return the contents of the lake, the changes by this run, and the models passed over.

    Images ``without_direction`` are by model those that have no pairs with it, since the embedding
    is zero or not finite.
    """
    images = lake.sql(
        "SELECT coalesce(reason, status) AS what, count(*) AS n FROM images GROUP BY 1 ORDER BY 1"
    )
    models = lake.sql(
        "SELECT model, weights, sum(images)::BIGINT AS images, sum(pairs)::BIGINT AS pairs "
        "FROM models LEFT JOIN units USING (model) GROUP BY ALL ORDER BY model"
    )
    left_out = lake.sql(
        f"""
        SELECT units.model, list(path ORDER BY image_id) AS paths FROM units JOIN images
        ON image_id // {SHARD_IMAGES} BETWEEN block AND block + shards - 1
        WHERE units.model IN (SELECT model FROM models)
        AND (units.model, image_id) NOT IN (SELECT model, image_id FROM embeddings)
        GROUP BY 1 ORDER BY 1
        """
    )
    return {
        "lake": str(lake.path),
        "detector": lake.settings.detector,
        "parser": lake.settings.parser,
        "brands": brands(lake),
        "images": dict(images.iter_rows()),
        "models": models.to_dicts(),
        "without_direction": dict(left_out.iter_rows()),
        "passed_over": dict(passed_over),
        "run": outcome.as_dict(),
        "bytes": lake.stored_bytes,
    }


def show(facts: Mapping[str, Any], console: Console) -> None:
    """Print a summary for people, and the next command to type."""
    run = facts["run"]
    if not run["units"] and not run["looked_at"]:
        console.print(f"Nothing to do: {facts['lake']} is up to date.")
    images = Table("images", "", title="Images", title_justify="left", show_header=False)
    for what, count in sorted(facts["images"].items(), key=lambda item: item[0] != "kept"):
        images.add_row(what if what == "kept" else f"rejected: {what}", f"{count:,}")
    console.print(images)
    console.print(_models(facts))
    for sentence in _not_run(facts["passed_over"]):
        console.print(sentence, style="dim", markup=False, highlight=False, soft_wrap=True)
    for name, paths in facts["without_direction"].items():
        count = "1 image has" if len(paths) == 1 else f"{len(paths):,} images have"
        console.print(
            f"{count} no pairs and no maps with {name}, because its embedding of them, or of all "
            f"others of that person, is zero, NaN or infinite: {some(paths)}.",
            style="yellow",
            markup=False,
            soft_wrap=True,
        )
    if run["units"]:
        console.print(f"This run: {run['pairs']:,} pairs, {run['maps']:,} maps")
        stages = Table("stage", "seconds of all threads")
        for stage, seconds in run["seconds"].items():
            stages.add_row(stage, f"{seconds:,.1f}")
        console.print(stages)
    console.print(f"{facts['lake']}: {facts['bytes'] / 2**20:,.1f} MiB on disk")
    for sentence in (*_sentences(facts), *facts["brands"]):
        console.print(sentence, style="yellow", markup=False, soft_wrap=True)
    console.print(
        "Next: python -m leamstore sql --lake "
        f'{facts["lake"]} "SELECT layer, avg(nose * 100 / pixels) AS nose_percent '
        "FROM pair_regions WHERE activation = 'top' GROUP BY layer\"",
        markup=False,
        soft_wrap=True,
    )


def _sentences(facts: Mapping[str, Any]) -> Iterator[str]:
    """Yield sentences on photographs that are gone or occur twice."""
    run = facts["run"]
    if run["departed"]:
        gone = (
            f"{counted(run['departed'], 'photograph')} of "
            f"{counted(run['departed_identities'], 'person', 'people')}"
        )
        one = run["departed"] == 1
        if run["pruned"]:
            yield f"{gone}, no longer there, {'has' if one else 'have'} left the lake."
        elif one:
            yield f"{gone} is no longer there; its maps stay; --prune removes it."
        else:
            yield f"{gone} are no longer there; their maps stay; --prune removes them."
    several = facts["images"].get("duplicate-of-another-person", 0)
    if several:
        yield (
            f"{counted(several, 'file')} are the same photograph under several people, and kept "
            "under none: leave it in one person's folder."
        )


def _models(facts: Mapping[str, Any]) -> Table:
    table = Table("model", "images", "pairs", title="Models", title_justify="left")
    table.add_column("weights", overflow="fold")
    for model in facts["models"]:
        counts = (f"{model[name] or 0:,}" for name in ("images", "pairs"))
        table.add_row(model["model"], *counts, model["weights"])
    return table


def _not_run(passed_over: Mapping[str, str]) -> Iterator[str]:
    """Yield sentences on models without weights; JSON has the reason of each."""
    if passed_over:
        names = f"{', '.join(passed_over)} ({counted(len(passed_over), 'model')})"
        yield f"Not run, since their weights are not here: {names}."
        yield "How to get them: python -m leamstore catalog NAME"
