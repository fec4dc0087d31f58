"""The pipeline of an ingest: survey, placement, then one unit after another."""

import hashlib
import json
import platform
import secrets
import shlex
import sys
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Final

import polars as pl
import torch
from rich.progress import Progress
from torch import Tensor

from ingest.leam.targets import find_target, references_of
from ingest.run.block import OpenRun, References, Todo
from ingest.run.execution import Executor
from ingest.run.images import update_images
from ingest.run.models import OpenModel, Request, open_model
from ingest.run.outcome import Outcome
from ingest.run.plan import Plan, Run
from ingest.run.writer import Writer
from leamstore import arrays, schema, tables
from leamstore.arrays.blocks import blocks_of
from leamstore.errors import LakeError
from leamstore.lake import Lake, LakeSettings, face_arrays
from leamstore.safety.lock import ingest_lock
from leamstore.safety.recovery import recover
from leamstore.tables import ledger

_PACKAGES: Final = ("torch", "numpy", "pillow", "dlib-bin", "zarr", "duckdb", "xarray")


def done_models(lake: Lake) -> set[str]:
    """Return the models of which a lake has anything."""
    with lake.kept_open() as connection:
        return ledger.done_models(connection)


def with_new_models(plan: Plan, settings: LakeSettings, done: Container[str]) -> Plan:
    """Return the plan with those of its models open that are not among the done ones.

    A network of which nothing is in a lake is seen to work before photographs are looked at.

    Raises
    ------
    LeamError
        If one can't be loaded, or not be explained.
    """
    opened = {
        request.name: _open(plan, request, settings)
        for request in plan.requests
        if request.name not in done
    }
    return replace(plan, opened={**plan.opened, **opened})


def ingest_photographs(lake: Lake, plan: Plan, progress: Progress) -> Outcome:
    """Bring a lake up to date with a plan; finished units are left alone.

    Raises
    ------
    LeamError
        If another ingest is at work on the lake, the lake holds a model of the same name that was
        made otherwise, or a photograph changes under way. What was committed stays.
    """
    with ingest_lock(lake.path):
        recover(lake)
        outcome = Outcome()
        known = _known_models(lake)
        rows = _model_rows(lake, plan, known)
        with outcome.stopwatch.measured("models"):
            plan = with_new_models(plan, lake.settings, known)
        run = Run(lake, plan, _enter_run(lake, plan), progress, outcome)
        with plan.execution(run) as executor:
            with outcome.stopwatch.measured("faces"):
                update_images(run, executor)
            _do_missing_units(run, rows, executor)
        _end_run(run)
    return outcome


def finish_units(lake: Lake, plan: Plan, progress: Progress) -> Outcome:
    """Compute the units that the ledger lacks, on images already placed, and nothing else.

    Raises
    ------
    LeamError
        As `ingest_photographs` does.
    """
    with ingest_lock(lake.path):
        recover(lake)
        rows = _model_rows(lake, plan, _known_models(lake))
        run = Run(lake, plan, _enter_run(lake, plan), progress, Outcome())
        with plan.execution(run) as executor:
            _do_missing_units(run, rows, executor)
        _end_run(run)
    return run.outcome


def _do_missing_units(run: Run, rows: Mapping[str, dict[str, Any]], executor: Executor) -> None:
    lake, plan, progress = run.lake, run.plan, run.progress
    with lake.kept_open() as connection:  # opening takes longer than the queries
        images, known = lake.images, _known_models(lake)
        done = ledger.done_units(connection)
    rows = _compared(plan, rows, images)
    _refuse_others(lake, rows, known)
    todo = _blocks_to_do(plan, images, done)
    if not todo:
        return
    with run.outcome.stopwatch.measured("models"):
        opened = _open_models(run, todo)
        _make_room(run, rows, opened, todo, known)
        open_run = OpenRun(
            maps=lake.maps_path,
            faces=lake.faces_path,
            settings=lake.settings,
            parser=plan.parser,
            models={name: model.run for name, model in opened.items()},
            readers=plan.workers,
        )
        references = _references(executor, open_run, images, progress)
    tasks = {
        name: progress.add_task(
            name, total=sum(one.images.height for one in todo if name in one.names)
        )
        for name in open_run.models
    }
    descriptions = {
        name: {
            "models": pl.DataFrame([rows[name]], schema_overrides=_TEXT),
            "layers": model.layers,
        }
        for name, model in opened.items()
    }
    with Writer(lake, run.run_id, run.outcome, descriptions) as writer:
        executor.finish(
            open_run,
            todo,
            references,
            writer,
            lambda name, images: progress.advance(tasks[name], images),
        )


def _enter_run(lake: Lake, plan: Plan) -> str:
    """Enter this run in the table runs and return its name."""
    run = {
        "run_id": secrets.token_hex(8),
        "command": shlex.join(["python", "-m", "ingest", *sys.argv[1:]]),
        "versions": json.dumps(
            {"python": platform.python_version()}
            | {package: metadata.version(package) for package in _PACKAGES}
        ),
        "settings": json.dumps({
            "models": [request.name for request in plan.requests],
            "photographs": len(plan.photographs),
            "device": str(plan.device),
            "batch_size": plan.batch_size,
            "workers": plan.workers,
        }),
        "started": datetime.now(UTC),
        "ended": None,
        "summary": None,
    }  # fmt: skip
    types: dict[str, pl.DataType] = {"ended": pl.Datetime("us", "UTC"), "summary": pl.String()}
    with tables.writing(lake.tables_path) as connection:
        tables.append(connection, "runs", pl.DataFrame([run], schema_overrides=types))
    return str(run["run_id"])


def _end_run(run: Run) -> None:
    with tables.writing(run.lake.tables_path) as connection:
        connection.execute(
            "UPDATE runs SET ended = ?, summary = ? WHERE run_id = ?",
            [datetime.now(UTC), json.dumps(run.outcome.as_dict()), run.run_id],
        )


def _known_models(lake: Lake) -> dict[str, dict[str, Any]]:
    """Return the rows of the models of which a lake has anything, each with its ``layers``."""
    known = lake.sql("""
        SELECT *, (SELECT list(layer ORDER BY position) FROM layers
                   WHERE layers.model = models.model) AS layers
        FROM models WHERE model IN (SELECT model FROM units)
    """)
    return {row["model"]: row for row in known.to_dicts()}


def _model_rows(
    lake: Lake, plan: Plan, known: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return the rows that the models will have, checked against those they have."""
    rows = {request.name: request.row() for request in plan.requests}
    _refuse_others(lake, rows, known)
    for request in plan.requests:
        if request.name in known and list(request.layers) != known[request.name]["layers"]:
            raise _another(lake, request.name, ["layers"])
    for name in rows.keys() & known.keys():
        if any(rows[name][key] != known[name][key] for key in _RENEWED):
            _renew_model(lake, rows[name])
    return rows


def _compared(
    plan: Plan, rows: Mapping[str, dict[str, Any]], images: pl.DataFrame
) -> dict[str, dict[str, Any]]:
    """Return the rows of the models with what their targets compare these images with."""
    digest = hashlib.sha256(repr(images["sha256"].to_list()).encode()).hexdigest()
    return {
        request.name: {
            **rows[request.name],
            "compared_with": digest if find_target(request.target).needs_references else None,
        }
        for request in plan.requests
    }


def _refuse_others(
    lake: Lake, rows: Mapping[str, Mapping[str, Any]], known: Mapping[str, Mapping[str, Any]]
) -> None:
    """Raise `LakeError` if a model of which the lake has something has another row there."""
    for name, row in known.items():
        if name not in rows:
            continue
        asked = rows[name]
        differing = [key for key in asked if key not in _RENEWED and asked[key] != row[key]]
        if "weights_sha256" in differing and asked["weights_sha256"] and row["weights_sha256"]:
            raise LakeError(
                f"{lake.path} holds {name} made with {row['weights']} of the sha256 "
                f"{row['weights_sha256']}, and {asked['weights_path']} has the sha256 "
                f"{asked['weights_sha256']}: put the lake's file there, or ingest into another "
                "lake."
            )
        differing += _differing_facts(asked["entry"], row["entry"])
        if differing:
            raise _another(lake, name, differing)


def _differing_facts(asked: str, recorded: str | None) -> list[str]:
    """Return the fields of two catalog entries that differ and would give other embeddings."""
    if recorded is None:  # a lake of an earlier program
        return []
    now, then = json.loads(asked), json.loads(recorded)
    # What an earlier program did not state is empty now, unless it is another network.
    return [name for name in _SHAPING if (then.get(name) or None) != (now.get(name) or None)]


_SHAPING: Final = ("arguments", "tokens", "colour_order", "mean", "std")
"""Fields of an entry that shape a network's input or output, and are no columns of its row."""


def _another(lake: Lake, name: str, differing: Sequence[str]) -> LakeError:
    return LakeError(
        f"{lake.path} holds {name} with another {', '.join(differing)}: "
        "ingest into another lake, or ask for the same."
    )


_RENEWED: Final = ("entry", "weights_path")
"""Columns of a model's row that say how it was last run."""


def _renew_model(lake: Lake, row: Mapping[str, Any]) -> None:
    with tables.writing(lake.tables_path) as connection:
        connection.execute(
            "UPDATE models SET entry = ?, weights_path = ? WHERE model = ?",
            [*(row[key] for key in _RENEWED), row["model"]],
        )


def _blocks_to_do(
    plan: Plan, images: pl.DataFrame, done: Mapping[tuple[str, int], str]
) -> list[Todo]:
    """Return the blocks of which units are not among the `done` ones, by their checksums."""
    names = (ledger.FACES, *(request.name for request in plan.requests))
    todo = []
    for block in blocks_of(images):
        own = ledger.block_images(images, block)
        checksum = ledger.block_checksum(own)
        missing = tuple(name for name in names if done.get((name, block.first_shard)) != checksum)
        if missing:
            todo.append(Todo(block, own, missing))
    return todo


def _open_models(run: Run, todo: Sequence[Todo]) -> dict[str, OpenModel]:
    """Return the models that have something to do, opened."""
    needed = {name for one in todo for name in one.names}
    return {
        request.name: _open(run.plan, request, run.lake.settings)
        for request in run.plan.requests
        if request.name in needed
    }


def _open(plan: Plan, request: Request, settings: LakeSettings) -> OpenModel:
    if request.name in plan.opened:
        return plan.opened[request.name]
    return open_model(
        request,
        device=plan.device,
        batch_size=plan.batch_size,
        keep_pairs=settings.keep_pairs,
        visible=plan.parser.regions,
    )


def _make_room(
    run: Run,
    rows: Mapping[str, dict[str, Any]],
    opened: Mapping[str, OpenModel],
    todo: Sequence[Todo],
    known: Container[str],
) -> None:
    """Create the arrays that the blocks need; those of models that aren't known are recreated."""
    lake = run.lake
    shards = max(one.block.first_shard + one.block.shards for one in todo)
    arrays.require_faces(lake.faces_path, face_arrays(lake.settings), shards)
    entries = {request.name: request.entry for request in run.plan.requests}
    for name in opened:
        if name not in known:
            arrays.remove_model(lake.maps_path, name)
    for name, model in opened.items():
        for layer in model.layers.to_dicts():
            arrays.require_layer(
                lake.maps_path,
                name,
                layer["layer"],
                (layer["height"], layer["width"]),
                shards=shards,
                keep_pairs=model.run.keep_pairs,
                attributes={
                    "stride": layer["stride"],
                    "offset": layer["offset"],
                    "input_size": entries[name].input_size,
                    "target": rows[name]["target"],
                    "positives": rows[name]["positives"],
                    "weights": rows[name]["weights"],
                },
            )


_TEXT: Final = {
    column.name: pl.String for column in schema.table("models").columns if column.nullable
}


def _references(
    executor: Executor, open_run: OpenRun, images: pl.DataFrame, progress: Progress
) -> Callable[[Todo], References]:
    """Return a function from a block to the references of each model's target for its images.

    Where a target needs that, it takes a first pass over all images, since the embeddings of all
    of them go in.
    """
    asking = {
        name: model for name, model in open_run.models.items() if model.target.needs_references
    }
    if not asking:
        return lambda one: {}
    blocks = [Todo(block, ledger.block_images(images, block), ()) for block in blocks_of(images)]
    task = progress.add_task("Embeddings", total=images.height)
    embeddings = executor.embed(
        replace(open_run, models=asking), blocks, lambda seen: progress.advance(task, seen)
    )
    identities = images["identity"].to_list()
    references = {
        name: references_of(
            model.target, torch.cat([own[name] for own in embeddings]), identities, model.seed
        )
        for name, model in asking.items()
    }
    place = {image_id: row for row, image_id in enumerate(images["image_id"])}

    def of_block(one: Todo) -> dict[str, Tensor]:
        rows = [place[image_id] for image_id in one.images["image_id"]]
        return {name: references[name][rows] for name in references if name in one.names}

    return of_block
