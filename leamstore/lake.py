"""A lake opened: its tables by SQL, its maps as a DataTree, its cube on a common grid."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

import dask
import dask.array as da
import numpy as np
import polars as pl
import xarray as xr
import zarr

from leamstore import arrays, schema, tables
from leamstore.arrays import SHARD_IMAGES
from leamstore.errors import LakeError
from leamstore.geometry import resample


@dataclass(frozen=True)
class LakeSettings:
    """What holds for a whole lake and cannot change without making another one.

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
    """

    parser: str
    keep_pairs: int
    crops: bool
    seed: int


def face_arrays(settings: LakeSettings) -> list[str]:
    """Return the names of the arrays in ``faces.zarr`` of a lake with these settings."""
    return [f"labels/{settings.parser}", *(["crop"] if settings.crops else [])]


class Lake:
    """A lake on disk.

    Parameters
    ----------
    path : Path or str
        Folder of the lake.

    Raises
    ------
    LakeError
        If there is no lake, it has another format version, or its tables do not fit the schema.
    """

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        if not self.tables_path.is_file():
            raise LakeError(
                f"there is no lake at {self.path}: make one with "
                f"`python -m ingest --lake {self.path}`, or name another by --lake or LEAM_LAKE."
            )
        problems = self._format_problems()
        if problems:
            raise LakeError(f"{self.path} can't be used: {'; '.join(problems)}.")

    @classmethod
    def create(cls, path: Path | str, settings: LakeSettings) -> Self:
        """Create an empty lake.

        Raises
        ------
        LakeError
            If something other than an empty folder is there.
        """
        path = Path(path)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise LakeError(f"{path} is there and is no lake; name an empty or a new folder.")
        path.mkdir(parents=True, exist_ok=True)
        regions = {"regions": list(schema.REGION_NAMES), "unlabelled": schema.UNLABELLED}
        arrays.create_store(path / "maps.zarr", {})
        arrays.create_store(path / "faces.zarr", regions)
        tables.create_tables(path / "lake.duckdb")
        # The settings come last: a lake without them was never finished, and is not opened.
        rows = {"format_version": schema.FORMAT_VERSION, **asdict(settings)}
        with tables.writing(path / "lake.duckdb") as connection:
            frame = pl.DataFrame({"name": list(rows), "value": [str(v) for v in rows.values()]})
            tables.append(connection, "settings", frame)
        return cls(path)

    @property
    def tables_path(self) -> Path:
        """The DuckDB file."""
        return self.path / "lake.duckdb"

    @property
    def maps_path(self) -> Path:
        """The Zarr store of the maps."""
        return self.path / "maps.zarr"

    @property
    def faces_path(self) -> Path:
        """The Zarr store of crops and labels."""
        return self.path / "faces.zarr"

    @property
    def settings(self) -> LakeSettings:
        """What holds for the whole lake."""
        values = dict(self.sql("SELECT name, value FROM settings").iter_rows())
        return LakeSettings(
            parser=values["parser"],
            keep_pairs=int(values["keep_pairs"]),
            crops=values["crops"] == "True",
            seed=int(values["seed"]),
        )

    @property
    def images(self) -> pl.DataFrame:
        """The kept images, in the order of their image_ids."""
        return self.sql("SELECT * FROM images WHERE status = 'kept' ORDER BY image_id")

    @property
    def maps(self) -> xr.DataTree:
        """All maps, lazily: ``maps["DLIB_R29/layer1.conv1/relevance"]``."""
        return arrays.open_tree(self.maps_path)

    @property
    def faces(self) -> xr.DataTree:
        """Crops and labels, lazily."""
        return arrays.open_tree(self.faces_path)

    def sql(self, query: str, parameters: Sequence[Any] | None = None) -> pl.DataFrame:
        """Ask the tables; the query sees this lake and no other file.

        Parameters
        ----------
        query : str
            DuckDB SQL.
        parameters : sequence, optional
            Values for the query's ``?``.

        Returns
        -------
        polars.DataFrame
        """
        with tables.reading(self.tables_path) as connection:
            return connection.sql(query, params=parameters).pl()

    def cube(
        self,
        models: Sequence[str] | None = None,
        layers: Sequence[int | str] | None = None,
        size: int = 112,
    ) -> xr.DataArray:
        """Image maps on one grid, lazily.

        Parameters
        ----------
        models : sequence of str, optional
            Names in the table models; all by default.
        layers : sequence of int or str, optional
            Positions 0 to 8 or layer names; all by default.
        size : int
            Side of the grid, which spans each model's own chip. Maps are carried to it
            bilinearly by each layer's stride and offset.

        Returns
        -------
        xarray.DataArray
            (image, model, layer, y, x) float32 of dask, with the images' identity, gender,
            ethnicity, age and path and the layers' names as coordinates. NaN where a model has
            not been run on an image.

        Raises
        ------
        LakeError
            If a model or layer is not in the lake.
        """
        chosen = self._chosen_layers(models, layers)
        images = self.images
        stacks = [
            da.stack([self._layer_on_grid(layer, images, size) for layer in model_layers], axis=1)
            for _, model_layers in chosen
        ]
        names = [[layer["layer"] for layer in model_layers] for _, model_layers in chosen]
        per_image = ("identity", "dataset", "path", "gender", "ethnicity", "age")
        return xr.DataArray(
            da.stack(stacks, axis=1),
            dims=("image", "model", "layer", "y", "x"),
            coords={
                "image": images["image_id"].to_numpy(),
                "model": [model for model, _ in chosen],
                "layer": [layer["position"] for layer in chosen[0][1]],
                "layer_name": (("model", "layer"), names),
                **{name: ("image", images[name].to_numpy()) for name in per_image},
            },
            name="relevance",
            attrs={"units": "1", "grid": f"{size} x {size} over each model's chip"},
        )

    def _chosen_layers(
        self, models: Sequence[str] | None, layers: Sequence[int | str] | None
    ) -> list[tuple[str, list[dict[str, Any]]]]:
        known = self.sql(
            "SELECT layers.*, input_size FROM layers JOIN models USING (model) "
            "ORDER BY model, position"
        )
        have = known["model"].unique(maintain_order=True).to_list()
        chosen = []
        for model in have if models is None else models:
            if model not in have:
                raise LakeError(f"{self.path} has no model {model}; it has {', '.join(have)}.")
            rows = known.filter(pl.col("model") == model).to_dicts()
            if layers is not None:
                rows = [self._find_layer(model, rows, layer) for layer in layers]
            chosen.append((model, rows))
        if not chosen:
            raise LakeError(f"{self.path} holds no maps yet; run `python -m ingest` first.")
        return chosen

    def _find_layer(
        self, model: str, rows: list[dict[str, Any]], layer: int | str
    ) -> dict[str, Any]:
        for row in rows:
            if layer in (row["position"], row["layer"]):
                return row
        names = ", ".join(row["layer"] for row in rows)
        raise LakeError(f"model {model} of {self.path} has no layer {layer}; it has {names}.")

    def _layer_on_grid(self, layer: dict[str, Any], images: pl.DataFrame, size: int) -> da.Array:
        model = layer["model"]
        stored = arrays.open_array(self.maps_path, f"{model}/{layer['layer']}/relevance")
        done = self.sql("SELECT image_id FROM embeddings WHERE model = ?", [model])["image_id"]
        places = images["image_id"].to_numpy()
        rows, columns = (
            resample(
                layer[side], layer["stride"], layer["offset"], layer["input_size"], size
            ).matrix.astype(np.float32)
            for side in ("height", "width")
        )
        maps = _by_shard(stored, places, images["image_id"].is_in(done.implode()).to_numpy())
        return da.map_blocks(
            lambda block: rows @ block.astype(np.float32) @ columns.T,
            maps,
            dtype=np.float32,
            chunks=(maps.chunks[0], (size,), (size,)),
        )

    def _format_problems(self) -> list[str]:
        with tables.reading(self.tables_path) as connection:
            found = connection.sql(
                "SELECT table_name, column_name FROM duckdb_columns() WHERE NOT internal"
            ).fetchall()
            have = set(found)
            problems = [
                f"table {table.name} has no column {column.name}"
                for table in schema.TABLES
                for column in table.columns
                if (table.name, column.name) not in have
            ]
            if problems:
                return problems
            values = dict(connection.sql("SELECT name, value FROM settings").fetchall())
        missing = {field.name for field in fields(LakeSettings)} - set(values)
        if missing:
            return ["it was never finished; remove the folder and run ingest again"]
        versions = {"lake.duckdb": values["format_version"]}
        for store in (self.maps_path, self.faces_path):
            try:
                attributes = zarr.open_group(store=store, mode="r").attrs
            except FileNotFoundError:
                problems.append(f"{store.name} is missing")
                continue
            versions[store.name] = str(attributes.get("format_version"))
        problems += [
            f"{name} has format version {version}, this program reads {schema.FORMAT_VERSION}"
            for name, version in versions.items()
            if version != str(schema.FORMAT_VERSION)
        ]
        return problems


def _by_shard(stored: zarr.Array, places: np.ndarray, present: np.ndarray) -> da.Array:
    """Return the maps at `places` as dask blocks of one shard each, NaN where not present."""
    borders = np.flatnonzero(np.diff(places // SHARD_IMAGES)) + 1
    parts = zip(np.split(places, borders), np.split(present, borders), strict=True)
    read = dask.delayed(_read)
    return da.concatenate(
        [
            da.from_delayed(read(stored, part, there), (len(part), *stored.shape[1:]), stored.dtype)
            for part, there in parts
        ]
    )


def _read(stored: zarr.Array, places: np.ndarray, present: np.ndarray) -> np.ndarray:
    maps = np.full((len(places), *stored.shape[1:]), np.nan, stored.dtype)
    if present.any():
        first, last = places[present].min(), places[present].max()
        run = np.asarray(stored[first : last + 1])
        maps[present] = run[places[present] - first]
    return maps
