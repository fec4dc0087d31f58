"""The lake: tables by SQL, maps as a DataTree, and a cube of maps on a common grid."""

import shutil
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Self

import numpy as np
import polars as pl

from leamstore import arrays, schema, tables
from leamstore.arrays import SHARD_IMAGES
from leamstore.errors import LakeError
from leamstore.layers import CellGrid, Layer
from leamstore.safety.lock import LOCK_FILES, ingest_lock
from leamstore.storage import Location, ObjectPath, location, objects, stored_bytes
from leamstore.tables.published_copy import working_copy
from leamstore.tables.waiting import READER_PATIENCE

if TYPE_CHECKING:
    import dask.array as da
    import duckdb
    import xarray as xr


@dataclass(frozen=True)
class LakeSettings:
    """Settings of a whole lake, which cannot change once it is created.

    Attributes
    ----------
    parser : str
        The parser that labelled the crops: farl or landmarks.
    keep_pairs : int
        Pair maps kept for each anchor.
    crops : bool
        Whether the face crops are stored (labels always are).
    seed : int
        Seed of everything drawn at random.
    detector : str
        The detector that found the faces: hog, cnn or mtcnn. A lake that doesn't state one was
        made with hog.
    """

    parser: str
    keep_pairs: int
    crops: bool
    seed: int
    detector: str = "hog"


def face_arrays(settings: LakeSettings) -> list[str]:
    """Return the names of the arrays in ``faces.zarr`` of a lake with these settings."""
    return [f"labels/{settings.parser}", *(["crop"] if settings.crops else [])]


class Lake:
    """A lake in a folder or in an object store.

    Parameters
    ----------
    path : Path, str or ObjectPath
        Folder of the lake, or its address: ``s3://bucket/prefix``.
    patience : float
        Seconds that a query waits for a process that holds the tables to write them. Who is
        waited for is logged.

    Raises
    ------
    LakeError
        If there is no lake, it has another format version, or its tables do not fit the schema.
    """

    def __init__(self, path: str | Location, *, patience: float = READER_PATIENCE) -> None:
        self.path = location(path)
        self.patience = patience
        # A pipe in their place would wait for a writer for ever.
        file = self.tables_path
        if not (file.is_file() if isinstance(file, Path) else file.exists()):
            raise LakeError(
                f"there is no lake at {self.path}: make one with "
                f"`python -m ingest --lake {self.path}`, or name another by --lake or LEAM_LAKE."
            )
        problems = self._format_problems()
        if problems:
            raise LakeError(f"{self.path} can't be used: {'; '.join(problems)}.")

    @classmethod
    def create(cls, path: str | Location, settings: LakeSettings) -> Self:
        """Create an empty lake.

        Raises
        ------
        LakeError
            If something other than an empty folder is there.
        """
        path = location(path)
        if isinstance(path, Path):
            _create_in_folder(path, settings)
        else:
            _create_in_store(path, settings)
        return cls(path)

    @cached_property
    def tables_path(self) -> Location:
        """The DuckDB file."""
        return self.path / "lake.duckdb"

    @cached_property
    def maps_path(self) -> Location:
        """The Zarr store of the maps."""
        return self.path / "maps.zarr"

    @cached_property
    def faces_path(self) -> Location:
        """The Zarr store of crops and labels."""
        return self.path / "faces.zarr"

    @property
    def stored_bytes(self) -> int:
        """Size of the lake in bytes, tables and arrays together."""
        return stored_bytes(self.path)

    @cached_property
    def settings(self) -> LakeSettings:
        """Settings of the whole lake, which stay as they were when it was created."""
        return _settings_of(dict(self.sql("SELECT name, value FROM settings").iter_rows()))

    @property
    def images(self) -> pl.DataFrame:
        """The kept images, in the order of their image_ids."""
        return self.sql("SELECT * FROM images WHERE status = 'kept' ORDER BY image_id")

    @property
    def maps(self) -> "xr.DataTree":
        """All maps, lazily: ``maps["DLIB_R29/layer1.conv1/relevance"]``.

        They are float32, where the store holds float16: sums and counts of many of these leave
        the range of float16, and means of them are wrong.
        """
        return arrays.open_tree(self.maps_path).map_over_datasets(_in_float32)

    @property
    def faces(self) -> "xr.DataTree":
        """Crops and labels, lazily."""
        return arrays.open_tree(self.faces_path)

    def kept_open(self) -> AbstractContextManager["duckdb.DuckDBPyConnection"]:
        """Keep the tables open within the context, so that queries don't reopen them.

        It gives the connection of `leamstore.tables.reading`, for queries that are the program's
        own. A writer waits meanwhile, as it does for every query: keep the block short.
        """
        return tables.reading(self.tables_path, patience=self.patience)

    def sql(
        self,
        query: str,
        parameters: Sequence[Any] | None = None,
        *,
        seconds: float | None = None,
        memory: str | None = None,
    ) -> pl.DataFrame:
        """Query the tables; the query sees this lake and no other file.

        Parameters
        ----------
        query : str
            DuckDB SQL.
        parameters : sequence, optional
            Values for the query's ``?``.
        seconds : float, optional
            Time limit of the query.
        memory : str, optional
            Memory limit, as ``4GB``; by default four fifths of the machine's.

        Returns
        -------
        polars.DataFrame

        Raises
        ------
        LakeError
            If it takes longer, asks nothing, or its answer has types that polars lacks.
        duckdb.Error
            If DuckDB refuses it.
        """
        limits = {} if memory is None else {"memory_limit": memory}
        opened = tables.reading(
            self.tables_path,
            patience=self.patience,
            takes_any_statement=not tables.only_selects(query),
            **limits,
        )
        with opened as connection, tables.ended_after(connection, seconds):
            return tables.frame_of(connection.sql(query, params=parameters))

    def cube(
        self,
        models: str | Sequence[str] | None = None,
        layers: int | str | Sequence[int | str] | None = None,
        size: int = 112,
    ) -> "xr.DataArray":
        """Image maps on one grid, lazily.

        Parameters
        ----------
        models : str or sequence of str, optional
            Names in the table models; all by default.
        layers : int, str or sequence of them, optional
            Positions from 0, the layer nearest to the input, or layer names; all by default.
        size : int
            Side of the grid, which spans each model's own chip. Maps are carried to it
            bilinearly by each layer's stride and offset.

        Returns
        -------
        xarray.DataArray
            (image, model, layer, y, x) float32 of dask, with the images' identity, gender,
            ethnicity, age and path and the layers' names as coordinates. The layers are the
            positions that one of the models has. NaN where a model has no such layer, of which
            the name is empty, or has not been run on an image.

        Raises
        ------
        LakeError
            If a model is not in the lake, or a layer is in none of the models.
        """
        # Both load slowly, and most that is asked of a lake is asked by SQL.
        import dask.array as da  # noqa: PLC0415
        import xarray as xr  # noqa: PLC0415

        chosen, positions = self._chosen_layers(
            [models] if isinstance(models, str) else models,
            [layers] if isinstance(layers, int | np.integer | str) else layers,
        )
        per_image = ("identity", "dataset", "path", "gender", "ethnicity", "age")
        images = self.sql(
            f"SELECT image_id, {', '.join(per_image)} FROM images "
            "WHERE status = 'kept' ORDER BY image_id"
        )
        grids = {
            (model, position): self._layer_on_grid(layer, images, size)
            for model, own in chosen.items()
            for position, layer in own.items()
        }
        nothing = da.full_like(next(iter(grids.values())), np.nan)
        stacks = [
            da.stack([grids.get((model, place), nothing) for place in positions], axis=1)
            for model in chosen
        ]
        names = [
            [own[place].name if place in own else "" for place in positions]
            for own in chosen.values()
        ]
        return xr.DataArray(
            da.stack(stacks, axis=1),
            dims=("image", "model", "layer", "y", "x"),
            coords={
                "image": images["image_id"].to_numpy(),
                "model": list(chosen),
                "layer": positions,
                "layer_name": (("model", "layer"), names),
                **{name: ("image", images[name].to_numpy()) for name in per_image},
            },
            name="relevance",
            attrs={"units": "1", "grid": f"{size} x {size} over each model's chip"},
        )

    def layers(self, model: str | None = None) -> list[Layer]:
        """Return the layers of one model, or of all by model, from the input on."""
        rows = self.sql(
            'SELECT model, layer, position, height, width, stride, "offset", input_size '
            "FROM layers JOIN models USING (model) WHERE coalesce(model = ?, true) "
            "ORDER BY model, position",
            [model],
        )
        return [
            Layer(self.maps_path, of_model, name, position, CellGrid(*cells))
            for of_model, name, position, *cells in rows.iter_rows()
        ]

    def _chosen_layers(
        self, models: Sequence[str] | None, layers: Sequence[int | str] | None
    ) -> tuple[dict[str, dict[int, Layer]], list[int]]:
        """Return each model's layers by position, and all positions in order."""
        known = self.layers()
        have = list(dict.fromkeys(layer.model for layer in known))
        if not have:
            raise LakeError(f"{self.path} holds no maps yet; run `python -m ingest` first.")
        asked = have if models is None else models
        for model in asked:
            if model not in have:
                raise LakeError(f"{self.path} has no model {model}; it has {', '.join(have)}.")
        own = [layer for layer in known if layer.model in asked]
        if layers is None:
            found = sorted(own, key=lambda layer: layer.position)
        else:
            found = [layer for wanted in layers for layer in self._find_layer(own, wanted)]
        chosen: dict[str, dict[int, Layer]] = {model: {} for model in asked}
        for layer in found:
            chosen[layer.model][layer.position] = layer
        return chosen, list(dict.fromkeys(layer.position for layer in found))

    def _find_layer(self, layers: Sequence[Layer], wanted: int | str) -> list[Layer]:
        """Return the layers of this position or name, of each model that has it."""
        found = [layer for layer in layers if wanted in (layer.position, layer.name)]
        if not found:
            names = ", ".join(dict.fromkeys(layer.name for layer in layers))
            of = ", ".join(dict.fromkeys(layer.model for layer in layers))
            raise LakeError(f"{of} of {self.path} has no layer {wanted}; it has {names}.")
        return found

    def _layer_on_grid(self, layer: Layer, images: pl.DataFrame, size: int) -> "da.Array":
        import dask.array as da  # noqa: PLC0415

        layer.open()  # so that a broken array is reported now, and not when the cube is computed
        done = self.sql("SELECT image_id FROM embeddings WHERE model = ?", [layer.model])
        places = images["image_id"].to_numpy()
        present = images["image_id"].is_in(done["image_id"].implode()).to_numpy()

        def read_on_grid(places: np.ndarray) -> np.ndarray:
            return layer.grid.resample(layer.read(places), size)

        blocks = da.from_array(np.where(present, places, -1), chunks=(_whole_shards(places),))
        return da.map_blocks(
            read_on_grid,
            blocks,
            meta=np.empty((0, 0, 0), np.float32),
            chunks=(*blocks.chunks, (size,), (size,)),
            new_axis=(1, 2),
        )

    def _format_problems(self) -> list[str]:
        with self.kept_open() as connection:
            # A view in a table's place would run an arbitrary query.
            found = connection.sql(
                "SELECT table_name, column_name, data_type FROM duckdb_columns() "
                "SEMI JOIN duckdb_tables() USING (table_oid) WHERE NOT internal"
            ).fetchall()
            have = {(table, column): kind for table, column, kind in found}
            problems = [
                f"table {table.name} has no column {column.name} of type {column.type}"
                for table in schema.TABLES
                for column in table.columns
                if not (column.added and (table.name, column.name) not in have)
                and have.get((table.name, column.name)) != _IN_FULL.get(column.type, column.type)
            ]
            values: dict[str, str] = {}
            if ("settings", "value") in have:
                values = dict(connection.sql("SELECT name, value FROM settings").fetchall())
            names = [] if problems else connection.sql(
                "SELECT model FROM layers UNION SELECT layer FROM layers"
            ).fetchall()  # fmt: skip
            nowhere = [] if problems else connection.sql(_LAYERS_NOWHERE).fetchall()
        version = values.get("format_version", str(schema.FORMAT_VERSION))
        if version != str(schema.FORMAT_VERSION):
            return [
                f"it has format version {version}, this program reads {schema.FORMAT_VERSION}; "
                "open it with the release that made it, or make it anew from its images"
            ]
        if problems:
            return problems
        required = {field.name for field in fields(LakeSettings) if field.default is MISSING}
        missing = required - set(values)
        if missing:
            return ["it was never finished; remove the folder and run ingest again"]
        problems = [
            f"{name!r} is no name of a model, layer or parser"
            for (name,) in [*names, (values["parser"],)]
            if _leads_out(name)
        ]
        problems += [f"the cells of {layer!r} of {model!r} lie nowhere" for model, layer in nowhere]
        try:
            _settings_of(values)
        except ValueError as error:
            problems.append(f"its settings can't be read ({error})")
        versions = {}
        for store in (self.maps_path, self.faces_path):
            try:
                attributes = arrays.root_attributes(store)
            except FileNotFoundError:
                problems.append(f"{store.name} is missing")
                continue
            except LakeError as error:
                problems.append(str(error).rstrip("."))
                continue
            versions[store.name] = str(attributes.get("format_version"))
        problems += [
            f"{name} has format version {version}, this program reads {schema.FORMAT_VERSION}"
            for name, version in versions.items()
            if version != str(schema.FORMAT_VERSION)
        ]
        return problems


_LAYERS_NOWHERE: Final = """
    SELECT model, layer FROM layers LEFT JOIN models USING (model)
    WHERE NOT (stride > 0 AND isfinite(stride) AND isfinite(layers.offset))
        OR least(height, width, coalesce(input_size, 1)) < 1
    ORDER BY ALL
"""
"""Query for layers without cells, or whose cells have no place on the chip."""

_IN_FULL: Final = {"TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE"}
"""DuckDB's names of the types that the schema names differently."""


def _leads_out(name: str) -> bool:
    """Return whether a name, as part of an array's path, could be more than one folder's name."""
    return name in ("", ".", "..") or not {"/", "\\", "\0"}.isdisjoint(name)


def _settings_of(values: Mapping[str, str]) -> LakeSettings:
    return LakeSettings(
        parser=values["parser"],
        keep_pairs=int(values["keep_pairs"]),
        crops=values["crops"] == "True",
        seed=int(values["seed"]),
        detector=values.get("detector", LakeSettings.detector),
    )


_MOST_BLOCKS: Final = 1024
"""Most dask blocks of a layer of the cube, so that opening it stays quick."""

_CREATED: Final = "lake.duckdb.created"
_UNFINISHED: Final = {"maps.zarr", "faces.zarr", _CREATED, f"{_CREATED}.wal", *LOCK_FILES}
"""Files that a killed creation can leave in a folder."""


def _create(path: Location, settings: LakeSettings, tables_path: Location) -> None:
    regions = {"regions": list(schema.REGION_NAMES), "unlabelled": schema.UNLABELLED}
    arrays.create_store(path / "maps.zarr", {})
    arrays.create_store(path / "faces.zarr", regions)
    tables.create_tables(tables_path)
    # The settings come last: a lake without them was never finished, and is not opened.
    rows = {"format_version": schema.FORMAT_VERSION, **asdict(settings)}
    with tables.writing(tables_path) as connection:
        frame = pl.DataFrame({"name": list(rows), "value": [str(v) for v in rows.values()]})
        tables.append(connection, "settings", frame)


def _create_in_folder(path: Path, settings: LakeSettings) -> None:
    """Create a lake whose tables get their name last; files left by a killed run are replaced."""
    _require(_is_free(path), path)
    path.mkdir(parents=True, exist_ok=True)
    with ingest_lock(path):
        _require(_is_free(path), path)
        for name in _UNFINISHED - set(LOCK_FILES):
            left = path / name
            shutil.rmtree(left) if left.is_dir() else left.unlink(missing_ok=True)
        _create(path, settings, path / _CREATED)
        if (path / f"{_CREATED}.wal").exists():
            # DuckDB says nothing when it closes on a full disk, and leaves its log.
            raise LakeError(f"{path} can't be written: No space left on device.")
        (path / _CREATED).rename(path / "lake.duckdb")


def _create_in_store(path: ObjectPath, settings: LakeSettings) -> None:
    """Create a lake that is there when its tables are published, once and as a whole."""
    stores = {f"{name}/zarr.json" for name in ("maps.zarr", "faces.zarr")}
    _require({name for name, _ in objects(path)} <= stores, path)
    with working_copy(path / "lake.duckdb") as file:
        _create(path, settings, file)


def _is_free(path: Path) -> bool:
    """Return whether a place holds at most an unfinished creation: stores without arrays."""
    if not path.is_dir():
        return not path.exists()
    stores = [store for store in (path / "maps.zarr", path / "faces.zarr") if store.is_dir()]
    return {entry.name for entry in path.iterdir()} <= _UNFINISHED and all(
        entry.name.startswith("zarr.") for store in stores for entry in store.iterdir()
    )


def _require(free: bool, path: Location) -> None:
    if not free:
        raise LakeError(f"{path} is there and is no lake; name an empty or a new folder.")


def _in_float32(dataset: "xr.Dataset") -> "xr.Dataset":
    halves = [name for name, variable in dataset.variables.items() if variable.dtype == np.float16]
    return dataset.assign({name: dataset[name].astype(np.float32) for name in halves})


def _whole_shards(places: np.ndarray) -> tuple[int, ...]:
    """Return how many of the sorted places are in each dask block of one or more whole shards."""
    shards = places // SHARD_IMAGES
    at_once = -(-len(np.unique(shards)) // _MOST_BLOCKS)
    borders = np.flatnonzero(np.diff(shards // at_once)) + 1
    return tuple(np.diff([0, *borders, len(places)]).tolist())
