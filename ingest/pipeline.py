"""From photographs to a lake: survey, placement, then unit after unit."""

import hashlib
import json
import platform
import secrets
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from typing import Any, Final

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from torch import Tensor

from ingest.datasets import Photograph
from ingest.explain import Identity, RunModel, explain_identity
from ingest.leam import embed
from ingest.loading import LoadedBlock, load_blocks
from ingest.models import Request, open_model
from ingest.parsers import Parser
from ingest.placement import place_images
from ingest.report import Report
from ingest.survey import as_frame, attributes, is_new, survey
from ingest.writer import Writer
from leamstore import arrays, ledger, tables
from leamstore.blocks import Block, blocks_of
from leamstore.errors import LakeError
from leamstore.lake import Lake, face_arrays

_SURVEY_COMMIT: Final = 256
"""Photographs after which the survey's rows are committed, so that an interruption costs few."""

_WORTH_A_WORKER: Final = 16
"""Photographs for which starting another process pays."""

_PACKAGES: Final = ("torch", "numpy", "pillow", "dlib-bin", "zarr", "duckdb", "xarray")


@dataclass(frozen=True)
class Plan:
    """What an ingest is to do.

    Attributes
    ----------
    photographs : sequence of Photograph
    requests : sequence of Request
        The models.
    parser : Parser
    device : torch.device
    batch_size : int
        Images in one forward pass.
    workers : int
        Processes that look for faces, and threads that read photographs.
    """

    photographs: Sequence[Photograph]
    requests: Sequence[Request]
    parser: Parser
    device: torch.device
    batch_size: int
    workers: int


def ingest_photographs(lake: Lake, plan: Plan, progress: Progress) -> Report:
    """Bring a lake up to date with a plan; what is done already is left alone.

    Raises
    ------
    LeamError
        If the lake holds a model of the same name that was made otherwise, or a photograph
        changes under way. What was committed stays.
    """
    report = Report()
    run_id = _enter_run(lake, plan)
    with report.stopwatch.measured("faces"):
        _survey(lake, plan, report, progress)
        _place(lake)
    images = lake.images
    rows = _model_rows(lake, plan, images)
    todo = _blocks_to_do(lake, plan, images)
    if todo:
        with report.stopwatch.measured("models"):
            models = _open_models(lake, plan, rows, todo)
            references = _references(plan, models, images, progress)
        with Writer(lake, run_id, report.stopwatch) as writer:
            _do_units(lake, plan, models, references, todo, writer, report, progress)
    with tables.writing(lake.tables_path) as connection:
        connection.execute(
            "UPDATE runs SET ended = ?, summary = ? WHERE run_id = ?",
            [datetime.now(UTC), json.dumps(report.as_dict()), run_id],
        )
    return report


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
            "threads": torch.get_num_threads(),
        }),
        "started": datetime.now(UTC),
        "ended": None,
        "summary": None,
    }  # fmt: skip
    types: dict[str, pl.DataType] = {"ended": pl.Datetime("us", "UTC"), "summary": pl.String()}
    with tables.writing(lake.tables_path) as connection:
        tables.append(connection, "runs", pl.DataFrame([run], schema_overrides=types))
    return str(run["run_id"])


def _survey(lake: Lake, plan: Plan, report: Report, progress: Progress) -> None:
    """Look at every photograph that is new or has changed, and enter what was seen."""
    known = {
        row[0]: row[1:]
        for row in lake.sql("SELECT path, identity, bytes, modified FROM images").iter_rows()
    }
    new = [photograph for photograph in plan.photographs if is_new(photograph, known)]
    _renew_attributes(lake, plan.photographs)
    report.looked_at = len(new)
    if not new:
        return
    task = progress.add_task("Faces", total=len(new))
    rows: list[dict[str, Any]] = []
    workers = min(plan.workers, -(-len(new) // _WORTH_A_WORKER))
    with closing(survey(new, workers)) as seen:
        for row in seen:
            rows.append(row)
            progress.advance(task)
            if len(rows) == _SURVEY_COMMIT:
                _enter_images(lake, as_frame(rows))
                rows = []
    if rows:
        _enter_images(lake, as_frame(rows))


def _renew_attributes(lake: Lake, photographs: Sequence[Photograph]) -> None:
    """Bring gender, ethnicity and age of known images up to what the data set says now."""
    if not photographs:
        return
    stated = pl.DataFrame(
        [attributes(photograph) for photograph in photographs], infer_schema_length=None
    )
    with tables.writing(lake.tables_path) as connection:
        connection.register("stated", stated.to_arrow())
        connection.execute(
            """
            UPDATE images SET gender = s.gender, ethnicity = s.ethnicity, age = s.age
            FROM stated AS s
            WHERE images.path = s.path AND (images.gender, images.ethnicity, images.age)
                IS DISTINCT FROM (s.gender::VARCHAR, s.ethnicity::VARCHAR, s.age::DOUBLE)
            """
        )


def _enter_images(lake: Lake, rows: pl.DataFrame) -> None:
    """Replace the rows of these images.

    Where one had a place, its whole identity gives its places up, maps and all, and waits:
    the maps of the others are means over positives that this image was one of.
    """
    with tables.writing(lake.tables_path) as connection:
        connection.register("entered", rows.select("path").to_arrow())
        former = connection.sql(
            "SELECT image_id FROM images WHERE image_id IS NOT NULL AND identity IN "
            "(SELECT identity FROM images JOIN entered USING (path) WHERE image_id IS NOT NULL)"
        ).fetchall()
        retired = [image_id for (image_id,) in former]
        ledger.retire_images(connection, retired)
        connection.execute("DELETE FROM images WHERE path IN (SELECT path FROM entered)")
        tables.append(connection, "images", rows)
    for store in (lake.maps_path, lake.faces_path):
        arrays.clear_images(store, retired)


def _place(lake: Lake) -> None:
    """Give the identities that wait their places."""
    rows = place_images(lake.sql("SELECT * FROM images"), lake.settings.seed)
    if rows.height:
        _enter_images(lake, rows)


def _model_rows(lake: Lake, plan: Plan, images: pl.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the rows that the models will have, checked against those they have.

    Raises
    ------
    LakeError
        If a model of that name was made from other weights, with other settings or layers.
    """
    compared_with = hashlib.sha256(repr(images["sha256"].to_list()).encode()).hexdigest()
    rows = {request.name: request.row(compared_with) for request in plan.requests}
    layers = lake.sql("SELECT model, list(layer ORDER BY position) FROM layers GROUP BY 1")
    layers_of = dict(layers.iter_rows())
    for known in lake.sql("SELECT * FROM models").to_dicts():
        name = known["model"]
        request = next((request for request in plan.requests if request.name == name), None)
        if request is None:
            continue
        differing = [column for column, value in rows[name].items() if known[column] != value]
        if list(request.layers) != layers_of[name]:
            differing.append("layers")
        if differing:
            raise LakeError(
                f"{lake.path} holds {name} with another {', '.join(differing)}: "
                "ingest into another lake, or ask for the same."
            )
    return rows


@dataclass(frozen=True)
class _Todo:
    """A block, its images, and what is to be done on it: faces and models by name."""

    block: Block
    images: pl.DataFrame
    names: tuple[str, ...]


def _blocks_to_do(lake: Lake, plan: Plan, images: pl.DataFrame) -> list[_Todo]:
    with tables.reading(lake.tables_path) as connection:
        done = ledger.done_units(connection)
    names = (ledger.FACES, *(request.name for request in plan.requests))
    todo = []
    for block in blocks_of(images["image_id"], images["identity"]):
        own = ledger.block_images(images, block)
        checksum = ledger.block_checksum(own)
        missing = tuple(name for name in names if done.get((name, block.first_shard)) != checksum)
        if missing:
            todo.append(_Todo(block, own, missing))
    return todo


def _open_models(
    lake: Lake, plan: Plan, rows: Mapping[str, dict[str, Any]], todo: Sequence[_Todo]
) -> dict[str, RunModel]:
    """Load the models that have something to do, and make room for them in the lake."""
    needed = {name for one in todo for name in one.names}
    known = set(lake.sql("SELECT model FROM models")["model"])
    shards = max(one.block.first_shard + one.block.shards for one in todo)
    arrays.require_faces(lake.faces_path, face_arrays(lake.settings), shards)
    models = {}
    for request in plan.requests:
        if request.name not in needed:
            continue
        opened = open_model(
            request,
            device=plan.device,
            batch_size=plan.batch_size,
            keep_pairs=lake.settings.keep_pairs,
            visible=plan.parser.regions,
        )
        models[request.name] = opened.run
        for layer in opened.layers.to_dicts():
            arrays.require_layer(
                lake.maps_path,
                request.name,
                layer["layer"],
                (layer["height"], layer["width"]),
                shards=shards,
                keep_pairs=opened.run.keep_pairs,
                attributes={
                    "stride": layer["stride"],
                    "offset": layer["offset"],
                    "input_size": request.entry.input_size,
                    "target": request.target,
                    "positives": rows[request.name]["positives"],
                    "weights": rows[request.name]["weights"],
                },
            )
        if request.name not in known:
            row = pl.DataFrame([rows[request.name]], schema_overrides=_TEXT)
            with tables.writing(lake.tables_path) as connection:
                tables.append(connection, "models", row)
                tables.append(connection, "layers", opened.layers)
    return models


_TEXT: Final = dict.fromkeys(("weights_sha256", "licence", "compared_with"), pl.String)


def _references(
    plan: Plan, models: Mapping[str, RunModel], images: pl.DataFrame, progress: Progress
) -> dict[str, Tensor]:
    """Return what each model's target compares every image with, where it needs that.

    It takes a first pass over all images, since the embeddings of all of them go in.
    """
    asking = {name: model for name, model in models.items() if model.target.needs_references}
    if not asking:
        return {}
    blocks = [
        (block, ledger.block_images(images, block))
        for block in blocks_of(images["image_id"], images["identity"])
    ]
    embeddings: dict[str, list[Tensor]] = {name: [] for name in asking}
    task = progress.add_task("Embeddings", total=images.height)
    kinds = [(model.alignment, model.input_size) for model in asking.values()]
    for loaded in load_blocks(blocks, kinds, plan.workers):
        for name, model in asking.items():
            chips = loaded.chips[model.alignment, model.input_size].pixels
            batch = torch.from_numpy(chips).permute(0, 3, 1, 2).float()
            embeddings[name].append(embed(model.network, batch, model.batch_size, model.precision))
        progress.advance(task, loaded.images.height)
    identities = images["identity"].to_list()
    return {
        name: model.target.references(torch.cat(embeddings[name]), identities, model.seed)
        for name, model in asking.items()
    }


def _do_units(
    lake: Lake,
    plan: Plan,
    models: Mapping[str, RunModel],
    references: Mapping[str, Tensor],
    todo: Sequence[_Todo],
    writer: Writer,
    report: Report,
    progress: Progress,
) -> None:
    names_of = {one.block: one.names for one in todo}
    kinds = [(model.alignment, model.input_size) for model in models.values()]
    tasks = {
        name: progress.add_task(
            f"{name}",
            total=sum(one.images.height for one in todo if name in one.names),
        )
        for name in models
    }
    place = {image_id: row for row, image_id in enumerate(lake.images["image_id"])}
    blocks = load_blocks([(one.block, one.images) for one in todo], kinds, plan.workers)
    for loaded in report.stopwatch.waited("read", blocks):
        labels = _labels(lake, plan, loaded, names_of[loaded.block], writer, report)
        for name in names_of[loaded.block]:
            if name == ledger.FACES:
                continue
            model = models[name]
            results = []
            for identity in _identities(model, loaded, labels, references.get(name), place):
                result = explain_identity(model, identity)
                results.append((identity, result))
                report.stopwatch.seconds += result.seconds
                report.pairs += len(result.embeddings) * (len(result.embeddings) - 1)
                report.maps += (len(result.pairs) or len(identity.image_ids)) * len(model.layers)
                progress.advance(tasks[name], len(identity.image_ids))
            writer.write_unit(model, loaded, results)
            report.units += 1
            report.images += loaded.images.height


def _labels(
    lake: Lake,
    plan: Plan,
    loaded: LoadedBlock,
    names: Sequence[str],
    writer: Writer,
    report: Report,
) -> NDArray[np.uint8]:
    """Return the labels of a block's crops: parsed now, or as they are in the lake."""
    if ledger.FACES in names:
        with report.stopwatch.measured("parse"):
            labels = plan.parser.parse(loaded.crops, loaded.landmarks)
        writer.write_faces(loaded, labels)
        return labels
    stored = arrays.open_array(lake.faces_path, f"labels/{lake.settings.parser}")
    shards = np.asarray(stored[loaded.block.start : loaded.block.stop])
    return shards[loaded.images["image_id"].to_numpy() - loaded.block.start]


def _identities(
    model: RunModel,
    loaded: LoadedBlock,
    labels: NDArray[np.uint8],
    references: Tensor | None,
    place: Mapping[int, int],
) -> Iterator[Identity]:
    """Yield a block's identities one by one, as a model wants them."""
    chips = loaded.chips[model.alignment, model.input_size]
    names = loaded.images["identity"].to_numpy()
    for name in loaded.images["identity"].unique(maintain_order=True):
        own = np.flatnonzero(names == name)
        image_ids = loaded.images["image_id"].to_numpy()[own].astype(np.int64)
        yield Identity(
            image_ids=image_ids,
            names=loaded.images["sha256"].gather(own).to_list(),
            chips=chips.pixels[own],
            chip_to_crop=chips.to_crop[own],
            labels=labels[own],
            references=None
            if references is None
            else references[[place[int(image_id)] for image_id in image_ids]],
        )
