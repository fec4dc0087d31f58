"""Update of the table ``images`` from a data set: which images exist, and where."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import polars as pl

from ingest.faces.survey import as_frame, attributes
from ingest.photographs.datasets import Photograph
from ingest.photographs.fingerprint import is_unchanged, stored_path
from ingest.photographs.reconciliation import KnownPhotograph, Sighting, reconcile
from ingest.run.execution import Executor
from ingest.run.placement import Placement, place_images
from ingest.run.plan import Run
from leamstore import arrays, tables
from leamstore.lake import Lake, face_arrays
from leamstore.safety.recovery import clear_retired
from leamstore.tables import ledger

_SURVEY_COMMIT: Final = 256
"""Photographs after which the survey's rows are committed, so that an interruption costs few."""

_KNOWN: Final = """
    SELECT path, identity, if(again, NULL, bytes), modified, if(again, NULL, sha256)
    FROM (SELECT *, reason IS NOT DISTINCT FROM 'no-decoder' AS again FROM images)
"""
"""What has been looked at; what lacked a plugin of Pillow has not, so that it is looked at again
where that is installed now."""


def update_images(run: Run, executor: Executor) -> None:
    """Find a lake's photographs again, survey new ones, and place identities on the axis.

    Photographs that are no longer in the data set stay, unless the plan is to prune.
    """
    lake, plan = run.lake, run.plan
    known = lake.sql(_KNOWN)
    present = plan.present or plan.photographs
    found = reconcile([KnownPhotograph(*row) for row in known.iter_rows()], present)
    chosen = {stored_path(photograph.path) for photograph in plan.photographs}
    new = [photograph for photograph in found.new if stored_path(photograph.path) in chosen]
    held = _look_at(run, executor, new, frozenset(known["path"]))
    removed = (*found.replaced, *(one.path for one in found.departed if plan.prune))
    changes = _Changes(removed, found.renewed, found.relabelled, as_frame(held))
    _count_departed(run, [one.path for one in found.departed])
    run.outcome.looked_at = len(new)
    _place(run, changes)
    _renew_attributes(lake, present)


def _count_departed(run: Run, paths: Sequence[str]) -> None:
    """Count kept photographs that are no longer in the data set, in the outcome."""
    if paths:
        kept = run.lake.sql("SELECT identity FROM images WHERE status = 'kept' AND path IN "
                        "(SELECT unnest(?))", [list(paths)])  # fmt: skip
        run.outcome.departed = kept.height
        run.outcome.departed_identities = kept["identity"].n_unique()
        run.outcome.pruned = run.plan.prune


def _look_at(
    run: Run, executor: Executor, photographs: Sequence[Photograph], known_paths: frozenset[str]
) -> list[dict[str, Any]]:
    """Look at photographs, and enter their rows a few hundred at a time.

    Rows under whose path the table has another photograph are returned: both can't be there.
    """
    held: list[dict[str, Any]] = []
    rows: list[dict[str, Any]] = []
    if photographs:
        task = run.progress.add_task("Faces", total=len(photographs))
        with closing(executor.look_at(photographs)) as seen:
            for row in seen:
                (held if row["path"] in known_paths else rows).append(row)
                run.progress.advance(task)
                if len(rows) == _SURVEY_COMMIT:
                    _enter(run, rows)
                    rows = []
        _enter(run, rows)
    return held


def _enter(run: Run, rows: list[dict[str, Any]]) -> None:
    if rows:
        with tables.writing(run.lake.tables_path) as connection:
            ledger.require_running(connection, run.run_id)
            tables.append(connection, "images", as_frame(rows))


@dataclass(frozen=True)
class _Changes:
    """Changes of the table ``images``; `held` are new rows under paths that it has for others."""

    removed: tuple[str, ...]
    renewed: tuple[Sighting, ...]
    relabelled: tuple[Sighting, ...]
    held: pl.DataFrame

    def applied_to(self, images: pl.DataFrame) -> pl.DataFrame:
        """Return the table with the changes, and ``former_path``: where a row was, if it was."""
        sightings = (*self.renewed, *self.relabelled)
        seen = {one.former_path: one for one in sightings}
        stay = images.filter(~pl.col("path").is_in(list(self.removed)))
        stay = stay.with_columns(former_path="path")
        untouched = stay.filter(~pl.col("path").is_in(list(seen)))
        touched = [
            row | attributes(seen[row["path"]].photograph) | asdict(seen[row["path"]].fingerprint)
            for row in stay.filter(pl.col("path").is_in(list(seen))).to_dicts()
        ]
        moved = {one.former_path for one in self.relabelled}
        for row in touched:
            if row["former_path"] in moved:
                row["image_id"] = None
        held = self.held.with_columns(former_path=pl.lit(None, pl.String))
        return pl.concat([untouched, pl.DataFrame(touched, schema=stay.schema), held])


def _place(run: Run, changes: _Changes) -> None:
    """Enter the changes, and give the identities whose kept images change new places.

    All units of such an identity are done again: the maps of its images are means over the others.
    """
    lake = run.lake
    with lake.kept_open() as connection:
        images = tables.frame_of(connection.sql("SELECT * FROM images"))
        stored = _StoredFaces(lake, ledger.done_faces(connection))
    changed = changes.applied_to(images)
    leaving = [*changes.removed, *(one.former_path for one in changes.relabelled)]
    is_placed = pl.col("image_id").is_not_null()
    losing = images.filter(is_placed & pl.col("path").is_in(leaving))["identity"].unique()
    placement = _placement(lake, changed.drop("former_path"), losing.to_list(), stored)
    sighted = [one.former_path for one in (*changes.renewed, *changes.relabelled)]
    is_entered = pl.col("former_path").is_null() | pl.col("former_path").is_in(sighted)
    entered = changed.filter(is_entered).join(placement.rows, on="path", how="anti")
    rows = pl.concat([entered.drop("former_path"), placement.rows])
    if rows.is_empty() and not leaving:
        return
    stored.carry(changed, placement.rows)
    former = changed.filter(pl.col("path").is_in(rows["path"].implode()))["former_path"]
    retired = images.filter(is_placed & pl.col("identity").is_in(list(placement.moved)))
    with tables.writing(lake.tables_path) as connection:
        ledger.require_running(connection, run.run_id)
        ledger.retire_images(connection, retired["image_id"].to_list())
        connection.execute(
            "DELETE FROM images WHERE path IN (SELECT unnest(?))",
            [[*leaving, *former.drop_nulls()]],
        )
        tables.append(connection, "images", rows)
    if retired.height:
        clear_retired(lake)


def _placement(
    lake: Lake, images: pl.DataFrame, losing: Sequence[str], stored: "_StoredFaces"
) -> Placement:
    """Return the placement in which nothing is kept that can't be read any more.

    A kept photograph whose file is gone stays where it is with its maps, and moves by its crop.
    """
    usable = images.filter(pl.col("landmarks").is_not_null())
    is_unfinished = (pl.col("status") == "kept") & ~pl.col("image_id").is_in(stored.faces)
    is_departed = pl.col("reason").eq_missing("departed")
    departed = stored.unreadable(usable.filter(is_departed | is_unfinished))
    while True:
        placement = place_images(images, lake.settings.seed, losing, departed)
        moving = usable.filter(pl.col("identity").is_in(list(placement.moved)))
        more = stored.unreadable(moving) - departed
        if not more:
            return placement
        departed |= more


class _StoredFaces:
    """The crops that a lake holds, which replace photographs that are gone.

    `faces` are the image_ids whose labels, and crops where the lake keeps them, are finished.
    """

    def __init__(self, lake: Lake, faces: Sequence[int]) -> None:
        self.faces = faces
        self._lake = lake
        self._with_crops = frozenset(faces if lake.settings.crops else ())

    def unreadable(self, images: pl.DataFrame) -> set[str]:
        """Return the paths of images of which neither the photograph nor a crop is there."""
        columns = images.select("image_id", "path", "bytes", "modified")
        return {
            path
            for image_id, path, size, modified in columns.iter_rows()
            if image_id not in self._with_crops and not is_unchanged(Path(path), size, modified)
        }

    def carry(self, images: pl.DataFrame, placed: pl.DataFrame) -> None:
        """Write crops of images whose photograph is gone where these are `placed` now.

        No unit has written these shards; one that finds no photograph reads the crop there.
        """
        former = images.select("path", former=pl.col("image_id"))
        columns = placed.filter(pl.col("status") == "kept").join(former, on="path")
        places = {
            new: old
            for new, old, path, size, modified in columns.select(
                "image_id", "former", "path", "bytes", "modified"
            ).iter_rows()
            if old in self._with_crops and not is_unchanged(Path(path), size, modified)
        }
        if not places:
            return
        store, per_shard = self._lake.faces_path, arrays.SHARD_IMAGES
        shards = max(places) // per_shard + 1
        arrays.require_faces(store, face_arrays(self._lake.settings), shards)
        crops = arrays.open_array(store, "crop")
        for shard in sorted({new // per_shard for new in places}):
            rows = np.zeros((per_shard, *crops.shape[1:]), crops.dtype)
            for new, old in places.items():
                if new // per_shard == shard:
                    rows[new % per_shard] = crops[old]
            arrays.write_shards(store, "crop", shard * per_shard, rows)


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
