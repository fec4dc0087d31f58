import pickle
import shutil
import subprocess
import sys
from dataclasses import replace

import duckdb
import numpy as np
import pytest
import xarray as xr
import zarr
from polars.testing import assert_frame_equal

from leamstore import arrays, schema, tables
from leamstore.errors import LakeError
from leamstore.lake import Lake, LakeSettings
from leamstore.safety.verify import verify
from leamstore.storage import location


def test_a_lake_keeps_its_settings(tmp_path):
    settings = LakeSettings(parser="farl", keep_pairs=3, crops=False, seed=7)
    Lake.create(tmp_path / "a.lake", settings)
    assert Lake(tmp_path / "a.lake").settings == settings
    other = replace(settings, detector="mtcnn")
    assert Lake.create(tmp_path / "b.lake", other).settings == other


def test_a_lake_that_states_no_detector_was_made_with_hog(lake):
    with tables.writing(lake.tables_path) as connection:
        connection.execute("DELETE FROM settings WHERE name = 'detector'")
    assert Lake(lake.path).settings.detector == "hog"


def test_a_missing_lake_says_how_to_make_one(tmp_path):
    with pytest.raises(LakeError, match=r"there is no lake at .*python -m ingest"):
        Lake(tmp_path / "none.lake")


def test_no_lake_is_made_where_something_else_is(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"")
    with pytest.raises(LakeError, match="name an empty or a new folder"):
        Lake.create(tmp_path, LakeSettings("farl", 0, True, 0))
    assert (tmp_path / "holiday.jpg").exists()


def test_another_format_version_is_refused(lake):
    with tables.writing(lake.tables_path) as connection:
        connection.execute("UPDATE settings SET value = '99' WHERE name = 'format_version'")
    with pytest.raises(LakeError, match="has format version 99, this program reads 1"):
        Lake(lake.path)


def test_all_that_a_damaged_lake_lacks_is_said_at_once(lake):
    with tables.writing(lake.tables_path) as connection:
        connection.execute("ALTER TABLE layers DROP COLUMN stride")
        connection.execute("DROP TABLE runs")
    with pytest.raises(LakeError) as error:
        Lake(lake.path)
    assert "table layers has no column stride" in str(error.value)
    assert "table runs has no column run_id" in str(error.value)


def test_a_lake_without_its_maps_is_refused(lake):
    shutil.rmtree(lake.maps_path)
    with pytest.raises(LakeError, match=r"maps\.zarr is missing"):
        Lake(lake.path)


def test_sql_takes_values(lake):
    rows = lake.sql("SELECT identity FROM images WHERE image_id = ?", [2])
    assert rows.item() == "Bea"


def test_shares_are_of_the_grid_and_of_the_activated_pixels(lake):
    shares = lake.sql(
        "SELECT region, absolute_percent, relative_percent FROM region_shares "
        "WHERE image_id = 0 ORDER BY region"
    )
    assert shares["region"].to_list() == ["face", "nose"], "regions never seen are left out"
    assert shares["absolute_percent"].to_list() == pytest.approx([50000 / 512**2, 100000 / 512**2])
    assert shares["relative_percent"].to_list() == pytest.approx([50000 / 2621, 100000 / 2621])


def test_the_cube_holds_every_image_model_and_layer_on_one_grid(lake):
    cube = lake.cube(size=8)
    assert cube.dims == ("image", "model", "layer", "y", "x")
    assert cube.shape == (4, 1, 2, 8, 8)
    assert cube.identity.values.tolist() == ["Ada", "Ada", "Bea", "Bea"]
    assert cube.layer_name.values.tolist() == [["conv1", "conv2"]]
    for image in range(4):
        assert (cube.sel(image=image).values == (image + 1) / 8).all()


def test_the_cube_is_lazy(lake):
    assert lake.cube().chunks is not None


def test_the_cube_samples_by_stride_and_offset(lake):
    size = 8
    ramp = np.full((64, 4, 4), np.nan, np.float16)
    ramp[:4] = np.arange(4)[None, None, :] / 4
    from leamstore import arrays

    arrays.write_shards(lake.maps_path, "NET/conv1/relevance", 0, ramp)
    cube = lake.cube(layers=["conv1"], size=size)
    # Cell i is centred at chip pixel 2 i + 0.5, and the grid has the chip's own 8 pixels.
    cells = np.clip((np.arange(size) - 0.5) / 2, 0, 3)
    assert cube[0, 0, 0, 0].values == pytest.approx(cells / 4)


def test_a_layer_is_chosen_by_name_or_position(lake):
    by_name = lake.cube(layers=["conv2"], size=4)
    by_position = lake.cube(layers=[1], size=4)
    assert by_name.identical(by_position)


@pytest.fixture
def unlike(lake):
    """The lake with a model more, of which the only layer is NET's second: called last, at 2."""
    with tables.writing(lake.tables_path) as connection:
        connection.execute("INSERT INTO models SELECT * REPLACE ('ONE' AS model) FROM models")
        connection.execute(
            "INSERT INTO layers SELECT * REPLACE ('ONE' AS model, 'last' AS layer, 2 AS position) "
            "FROM layers WHERE layer = 'conv2'"
        )
        connection.execute(
            "INSERT INTO embeddings SELECT * REPLACE ('ONE' AS model) FROM embeddings"
        )
    shutil.copytree(lake.maps_path / "NET/conv2", lake.maps_path / "ONE/last")
    shutil.copy(lake.maps_path / "NET/zarr.json", lake.maps_path / "ONE/zarr.json")
    return lake


def test_models_of_unlike_layers_share_the_positions_that_one_of_them_has(unlike):
    cube = unlike.cube(size=4)
    assert cube.model.values.tolist() == ["NET", "ONE"]
    assert cube.layer.values.tolist() == [0, 1, 2]
    assert cube.layer_name.values.tolist() == [["conv1", "conv2", ""], ["", "", "last"]]
    values = cube.sel(image=1).values
    assert (values[0, :2] == 2 / 8).all()
    assert (values[1, 2] == 2 / 8).all()
    for model, layer in ((0, 2), (1, 0), (1, 1)):
        assert np.isnan(values[model, layer]).all()


@pytest.mark.parametrize(
    ("layers", "positions"), [(["last", 0], [2, 0]), ("conv2", [1]), (2, [2]), (np.int64(0), [0])]
)
def test_a_layer_that_one_model_has_is_nan_for_the_others(unlike, layers, positions):
    cube = unlike.cube(layers=layers, size=4)
    assert cube.layer.values.tolist() == positions
    finite = np.isfinite(cube.values).all((0, 3, 4))
    held = [[0 in positions, 1 in positions, 2 in positions]]
    assert finite.sum() == np.isfinite(cube.values).any((0, 3, 4)).sum() == sum(held[0])


def test_the_name_of_one_model_or_layer_is_as_good_as_a_list_of_it(lake):
    one = lake.cube(models="NET", layers="conv2", size=4)
    assert one.identical(lake.cube(models=["NET"], layers=["conv2"], size=4))


def test_means_sums_and_deviations_of_many_maps_are_right(lake):
    values = np.random.default_rng(0).random((64, 512, 512), np.float32).astype(np.float16)
    zarr.create_array(
        lake.maps_path / "NET", name="conv1/large", data=values, chunks=(8, 512, 512),
        dimension_names=("image", "large_y", "large_x"),
    )  # fmt: skip
    maps = lake.maps["NET/conv1/large"]
    exact = values.astype(np.float64)
    assert float(maps.mean()) == pytest.approx(exact.mean(), rel=1e-5)
    assert float(maps.std()) == pytest.approx(exact.std(), rel=1e-5)
    assert float(maps.sum()) == pytest.approx(exact.sum(), rel=1e-5)
    assert arrays.open_array(lake.maps_path, "NET/conv1/large").dtype == np.float16
    assert lake.maps["NET/conv1/relevance"].dtype == np.float32


@pytest.mark.parametrize(
    ("asked", "sentence"),
    [({"models": ["NOT"]}, "has no model NOT; it has NET"),
     ({"layers": ["conv9"]}, "has no layer conv9; it has conv1, conv2")],
)  # fmt: skip
def test_what_the_cube_lacks_is_a_sentence(lake, asked, sentence):
    with pytest.raises(LakeError, match=sentence):
        lake.cube(**asked)


def test_maps_of_images_that_the_ledger_does_not_know_are_nan(lake):
    with tables.writing(lake.tables_path) as connection:
        connection.execute("DELETE FROM embeddings WHERE image_id = 3")
    cube = lake.cube(size=4)
    assert np.isnan(cube.sel(image=3).values).all()
    assert np.isfinite(cube.sel(image=2).values).all()


def test_an_empty_lake_has_no_cube(tmp_path):
    empty = Lake.create(tmp_path / "a.lake", LakeSettings("farl", 0, True, 0))
    with pytest.raises(LakeError, match="holds no maps yet"):
        empty.cube()


@pytest.fixture
def earlier(lake):
    """The lake as programs made it before columns were added."""
    with tables.writing(lake.tables_path) as connection:
        for table in schema.TABLES:
            for column in table.columns:
                if column.added:
                    connection.execute(f"ALTER TABLE {table.name} DROP COLUMN {column.name}")
    return lake


def test_a_lake_without_columns_that_were_added_later_opens(earlier):
    opened = Lake(earlier.path)
    assert opened.cube(size=4).shape == (4, 1, 2, 4, 4)
    assert verify(opened) == []


def test_a_lake_without_any_other_column_is_refused(earlier):
    with tables.writing(earlier.tables_path) as connection:
        connection.execute("ALTER TABLE models DROP COLUMN licence")
    with pytest.raises(LakeError, match="table models has no column licence"):
        Lake(earlier.path)


def test_a_lake_opens_without_any_of_our_code(lake):
    script = f"""
import sys, duckdb, xarray
tree = xarray.open_datatree({str(lake.maps_path)!r}, engine="zarr", consolidated=False)
assert float(tree["NET/conv1/relevance"][3].mean()) == 0.5
connection = duckdb.connect({str(lake.tables_path)!r}, read_only=True)
assert connection.sql("SELECT count(*) FROM image_regions").fetchall() == [(4,)]
assert not any(name.split(".")[0] in ("leamstore", "ingest") for name in sys.modules)
"""
    subprocess.run([sys.executable, "-I", "-c", script], check=True)


def test_the_meaning_of_a_table_shows_in_any_client(lake):
    with duckdb.connect(str(lake.tables_path), read_only=True) as connection:
        comment = connection.sql(
            "SELECT comment FROM duckdb_tables() WHERE table_name = 'pairs'"
        ).fetchall()
    assert comment == [("ordered pair x model",)]


def test_a_creation_that_was_killed_is_made_anew(tmp_path):
    settings = LakeSettings("farl", 0, True, 0)
    lake = Lake.create(tmp_path / "a.lake", settings)
    lake.tables_path.rename(tmp_path / "a.lake" / "lake.duckdb.created")
    assert Lake.create(tmp_path / "a.lake", settings).settings == settings


def test_maps_without_tables_are_no_unfinished_creation(lake):
    lake.tables_path.unlink()
    with pytest.raises(LakeError, match="name an empty or a new folder"):
        Lake.create(lake.path, LakeSettings("farl", 0, True, 0))
    assert (lake.maps_path / "NET/conv1/relevance/c/0/0/0").exists()


def test_a_lake_in_an_object_store_holds_what_the_same_lake_in_a_folder_holds(lake, stored_lake):
    assert stored_lake.settings == lake.settings
    assert_frame_equal(stored_lake.images, lake.images)
    np.testing.assert_array_equal(stored_lake.cube(size=8), lake.cube(size=8))
    xr.testing.assert_identical(stored_lake.maps.compute(), lake.maps.compute())
    xr.testing.assert_identical(
        stored_lake.faces["labels"].compute(), lake.faces["labels"].compute()
    )


def test_a_lake_in_an_object_store_pickles_for_workers_elsewhere(stored_lake):
    assert pickle.loads(pickle.dumps(stored_lake)).settings == stored_lake.settings


def test_a_lake_in_an_object_store_is_not_made_over_another(stored_lake):
    with pytest.raises(LakeError, match="name an empty"):
        Lake.create(str(stored_lake.path), LakeSettings("farl", 0, True, 0))


def test_a_creation_in_an_object_store_that_was_killed_is_made_anew(bucket):
    settings = LakeSettings("farl", 0, True, 0)
    arrays.create_store(location(f"{bucket}/maps.zarr"), {})
    assert Lake.create(bucket, settings).settings == settings


@pytest.mark.parametrize(
    "attack",
    [
        "USE memory; DETACH lake; ATTACH '{file}' AS w; DELETE FROM w.settings",
        "DETACH lake",
        "COPY (SELECT 1) TO '{file}'",
        "COPY (SELECT 1) TO '{file}.wal'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}.wal'",
        "PRAGMA disable_checkpoint_on_shutdown; ATTACH '{file}' AS w",
        "SELECT * FROM enable_logging(storage = 'file', storage_path = '{file}.wal')",
        "WITH gone AS (DELETE FROM settings RETURNING *) FROM gone",
    ],
)
def test_no_query_can_write_to_the_lake(lake, attack):
    before = lake.tables_path.read_bytes()
    with pytest.raises(duckdb.Error):
        lake.sql(attack.format(file=lake.tables_path))
    assert lake.tables_path.read_bytes() == before
    assert not lake.tables_path.with_name("lake.duckdb.wal").exists()
    assert lake.sql("SELECT * FROM settings").height


def test_a_query_may_have_other_statements_that_read(lake):
    assert lake.sql("CREATE TEMP TABLE two AS SELECT 2 AS n; SELECT n FROM two").item() == 2
    assert lake.sql("EXPLAIN SELECT * FROM settings").height
    assert lake.sql("PIVOT settings ON name USING first(value)").height == 1
