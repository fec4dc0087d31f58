import subprocess
import sys
from pathlib import Path

import intake
import numpy as np
import polars as pl
import pytest

from leamstore import arrays, catalog, tables
from leamstore.catalog import ONNX, built_in, read_catalog
from leamstore.errors import CatalogError

MINE = {
    "network": "my.module:build",
    "family": "mine",
    "loss": "mine",
    "trained_on": "mine",
    "weights": "null",
    "input_size": "64",
    "alignment": "crop",
    "colour_order": "BGR",
    "mean": "[1, 2, 3]",
    "std": "[4, 5, 6]",
    "embedding_size": "8",
    "layers": "[a, b.c]",
    "layer_sizes": "[32, 16]",
    "citation": "none",
}
WEIGHTS = 'file: w.pth, page: "http://example.org", licence: mine'


def entry(name="MINE", **changes) -> str:
    """A model's entry; its fields begin in the line after its name, in MINE's order."""
    fields = {key: value for key, value in (MINE | changes).items() if value is not None}
    return f"  {name}:\n" + "".join(f"    {key}: {value}\n" for key, value in fields.items())


@pytest.fixture
def written(tmp_path):
    def write(*entries: str, name: str = "my.yaml") -> Path:
        path = tmp_path / name
        path.write_text("models:\n" + "".join(entries))
        return path

    return write


def complaints(*paths) -> list[str]:
    with pytest.raises(CatalogError) as caught:
        read_catalog(*paths)
    _, *lines = str(caught.value).splitlines()
    return [line.removeprefix(f"{paths[0]}:") for line in lines]


def test_the_built_in_catalog_has_the_papers_models_and_those_to_be_had_by_family():
    assert list(read_catalog().models) == [
        *("AF_R18", "AF_R50", "AF_R100", "CF_R18", "CF_R50", "CF_R100"),
        *("IR_CASIA", "IR_VGG", "VGG_16", "DLIB_R29", "IR_VGG_INT8", "MOBILEFACENET"),
        *("AURAFACE", "ANTELOPEV2", "BUFFALO_L"),
        *("ADA_VIT_B", "LV_VIT_T", "LV_VIT_B"),
    ]
    assert list(read_catalog().parsers) == ["farl", "landmarks"]
    assert list(read_catalog().datasets) == ["demo", "folder", "lfw", "fgnet", "imdb-face"]


def test_every_built_in_model_states_nine_layers_and_their_sizes():
    for model in read_catalog().models.values():
        assert (len(model.layers), len(model.layer_sizes)) == (9, 9)


@pytest.mark.parametrize(
    ("name", "white", "black"),
    [
        ("AF_R100", (1.0, 1.0, 1.0), (-1.0, -1.0, -1.0)),
        ("IR_VGG", (0.99609375,) * 3, (-0.99609375,) * 3),
        ("VGG_16", (125.813721, 150.237618, 161.406036), (-129.186279, -104.762382, -93.593964)),
        ("DLIB_R29", (0.516476, 0.539059, 0.588680), (-0.479617, -0.457035, -0.407414)),
    ],
)
def test_white_and_black_are_normalised_as_the_networks_were_trained(name, white, black):
    model = read_catalog().model(name)
    mean, std = np.array(model.mean), np.array(model.std)
    assert (255 - mean) / std == pytest.approx(white, abs=1e-6)
    assert (0 - mean) / std == pytest.approx(black, abs=1e-6)


def test_the_iresnets_differ_in_depth_loss_data_and_file_alone():
    models = [
        model
        for model in read_catalog().models.values()
        if model.family == "IResNet" and model.network != ONNX
    ]
    own = {"name", "network", "loss", "trained_on", "citation", "weights"}
    assert all(
        model.model_dump(exclude=own) == models[0].model_dump(exclude=own) for model in models
    )
    assert len({model.weights.file for model in models if model.weights}) == len(models) == 6


def test_an_unknown_name_brings_the_closest_one():
    with pytest.raises(CatalogError, match=r"no model named 'arr18' \(did you mean AF_R18\?\); it"):
        read_catalog().model("arr18")
    with pytest.raises(CatalogError, match=r"no parser named 'FARL' \(did you mean farl\?\)"):
        read_catalog().parser("FARL")
    with pytest.raises(CatalogError, match=r"no data set named 'fg-net' \(did you mean fgnet\?\)"):
        read_catalog().dataset("fg-net")
    with pytest.raises(CatalogError, match=r"no model named 'x'; it has AF_R18, AF_R50"):
        read_catalog().model("x")


def test_an_entry_is_found_by_its_name_whatever_its_kind():
    catalog = read_catalog()
    assert [catalog.entry(one.name) for one in catalog.entries] == list(catalog.entries)
    with pytest.raises(CatalogError, match=r"no entry named 'arr18' \(did you mean AF_R18\?\); it"):
        catalog.entry("arr18")


def test_a_users_model_joins_the_built_in_ones(written):
    read = read_catalog(written(entry()))
    assert list(read.models)[-1] == "MINE"
    model = read.model("MINE")
    assert (model.name, model.mean, model.layers) == ("MINE", (1.0, 2.0, 3.0), ("a", "b.c"))
    assert model.weights is None


def test_a_later_catalog_replaces_entries_of_the_same_name(written):
    one = written(entry("VGG_16", loss="one"), entry("A"))
    two = written(entry("VGG_16", loss="two"), name="two.yaml")
    read = read_catalog(one, two)
    assert read.model("VGG_16").loss == "two"
    assert len(read.models) == len(read_catalog().models) + 1


def test_layer_sizes_need_not_be_stated(written):
    assert read_catalog(written(entry(layer_sizes=None))).model("MINE").layer_sizes == ()


def test_a_catalog_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        read_catalog().model("VGG_16").loss = "other"


@pytest.mark.parametrize(
    ("changes", "line", "sentence"),
    [
        ({"loss": None}, 2, "models.MINE.loss is missing."),
        (
            {"emedding_size": "8"},
            17,
            "models.MINE.emedding_size is not a field of a catalog (did you mean embedding_size?).",
        ),
        ({"zzz": "8"}, 17, "models.MINE.zzz is not a field of a catalog."),
        ({"layer_sizes": "[32]"}, 15, "models.MINE.layer_sizes: 1 sizes for 2 layers."),
        ({"layers": "[a, a]"}, 14, "models.MINE.layers: a occurs twice."),
        (
            {"alignment": "eyes"},
            9,
            "models.MINE.alignment: Input should be 'dlib', 'arcface' or 'crop', not 'eyes'.",
        ),
        ({"std": "[1, 0, 1]"}, 12, "models.MINE.std.1: Input should be greater than 0, not 0."),
        (
            {"mean": "[1, .nan, 1]"},
            11,
            "models.MINE.mean.1: Input should be a finite number, not nan.",
        ),
        (
            {"mean": "[1, 2]"},
            11,
            "models.MINE.mean.2 is missing.",
        ),
        (
            {"input_size": "-1"},
            8,
            "models.MINE.input_size: Input should be greater than 0, not -1.",
        ),
        (
            {"weights": f"{{{WEIGHTS}, sha256: abc}}"},
            7,
            "models.MINE.weights.sha256: String should match pattern '^[0-9a-f]{64}$', not 'abc'.",
        ),
        (
            {"weights": '{file: ../w.pth, page: "http://example.org", licence: mine}'},
            7,
            "models.MINE.weights.file: ../w.pth must be a path below the cache folder.",
        ),
        (
            {"weights": '{file: /w.pth, page: "http://example.org", licence: mine}'},
            7,
            "models.MINE.weights.file: /w.pth must be a path below the cache folder.",
        ),
        (
            {"weights": f'{{{WEIGHTS}, addresses: ["file:///etc/passwd"]}}'},
            7,
            "models.MINE.weights.addresses.0: String should match pattern '^https?://\\S+$', not "
            "'file:///etc/passwd'.",
        ),
        (
            {"network": "import os"},
            3,
            "models.MINE.network: String should match pattern "
            "'^(\\w+(\\.\\w+)*:\\w+(\\.\\w+)*|onnx)$', not 'import os'.",
        ),
        (
            {"layers": '["../../x", a]'},
            14,
            "models.MINE.layers.0: String should match pattern '^\\w+(\\.\\w+)*$', not '../../x'.",
        ),
    ],
)
def test_a_mistake_has_its_line_and_its_place(written, changes, line, sentence):
    assert complaints(written(entry(**changes))) == [f"{line}: {sentence}"]


@pytest.mark.parametrize("name", ["a/b", "a,b", "a@b", "..", '"a b"'])
def test_a_name_that_could_be_mistaken_for_a_path_or_a_list_is_refused(written, name):
    [complaint] = complaints(written(entry(name)))
    assert complaint.startswith(f"2: models.{name.strip(chr(34))}: String should match pattern")


def test_a_name_that_occurs_twice_in_a_file_is_a_mistake(written):
    assert complaints(written(entry(), entry())) == ["17: MINE occurs twice."]


def test_every_mistake_in_every_file_is_told_at_once(written, tmp_path):
    one = written(entry(loss=None, std="[0, 1, 1]"), entry("B", alignment="eyes", extra="1"))
    two = tmp_path / "two.yaml"
    two.write_text("models: [1\n")
    three = tmp_path / "none.yaml"
    with pytest.raises(CatalogError) as caught:
        read_catalog(one, two, three)
    title, *lines = str(caught.value).splitlines()
    assert title == "The catalog has 6 mistakes:"
    assert [line.split(": ")[0] for line in lines] == [
        *(f"{one}:{line}" for line in (2, 11, 23, 31)),
        f"{two}:2",
        f"{three}:1",
    ]


def test_what_is_no_mapping_is_a_mistake(tmp_path):
    (tmp_path / "my.yaml").write_text("models: [1]\nparsers: {farl: 3}\n")
    one, two = complaints(tmp_path / "my.yaml")
    assert one == "1: models: Input should be a valid dictionary, not [1]."
    assert two.startswith("2: parsers.farl: Input should be a valid dictionary")
    (tmp_path / "my.yaml").write_text("- 1\n")
    [complaint] = complaints(tmp_path / "my.yaml")
    assert complaint.startswith("1: the file: Input should be a valid dictionary")


def test_an_installed_package_finds_the_catalog_it_was_built_with(tmp_path):
    package = Path(catalog.__file__).parents[1]
    installed = tmp_path / "leamstore"
    (installed / "catalog").mkdir(parents=True)
    modules = ("catalog/__init__.py", "catalog/entries.py", "catalog/yaml_file.py", "errors.py")
    for name in modules:
        (installed / name).write_bytes((package / name).read_bytes())
    (installed / "__init__.py").touch()
    (installed / "catalog.yaml").write_bytes(built_in().read_bytes())
    command = "from leamstore.catalog import *; print(built_in(), len(read_catalog().models))"
    ran = subprocess.run(
        [sys.executable, "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert ran.stdout.split() == [str(installed / "catalog.yaml"), str(len(read_catalog().models))]


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    """A lake of one layer and two images, as ingest writes them."""
    folder = tmp_path_factory.mktemp("lakes") / "my.lake"
    folder.mkdir()
    maps, faces = folder / "maps.zarr", folder / "faces.zarr"
    arrays.create_store(maps, {})
    arrays.require_layer(
        maps, "AF_R18", "layer1.0.conv1", (3, 4), {"stride": 2.0}, shards=1, keep_pairs=0
    )
    relevance = np.zeros((arrays.SHARD_IMAGES, 3, 4), np.float16)
    relevance[1, 2, 3] = 1
    arrays.write_shards(maps, "AF_R18/layer1.0.conv1/relevance", 0, relevance)
    arrays.write_shards(maps, "AF_R18/layer1.0.conv1/peak", 0, relevance.max((1, 2)).astype("f4"))
    arrays.create_store(faces, {})
    arrays.require_faces(faces, ["crop", "labels/farl"], shards=1)
    tables.create_tables(folder / "lake.duckdb")
    with tables.writing(folder / "lake.duckdb") as connection:
        rows = [("format_version", "1"), ("seed", "7")]
        tables.append(
            connection, "settings", pl.DataFrame(rows, schema=["name", "value"], orient="row")
        )
    return folder


# Intake says so for every parameter that is a text.
pytestmark = pytest.mark.filterwarnings("ignore:Shell command not executed")


def sources(**parameters):
    chosen = {name: {"default": str(value)} for name, value in parameters.items()}
    return intake.open_catalog(str(built_in()), user_parameters=chosen)


def test_intake_opens_the_catalog_and_lists_the_sources():
    assert list(sources()) == ["maps", "crops", "labels", "table"]


def test_intake_reads_the_maps_of_a_layer(lake):
    maps = sources(lake=lake, model="AF_R18", layer="layer1.0.conv1").maps.read()
    assert maps.relevance.dims == ("image", "y", "x")
    assert maps.relevance[1].argmax(("y", "x")) == {"y": 2, "x": 3}
    assert maps.attrs["stride"] == 2.0


def test_intake_reads_maps_lazily(lake):
    maps = sources(lake=lake, model="AF_R18", layer="layer1.0.conv1").maps.to_dask()
    assert maps.relevance.chunks is not None
    assert float(maps.relevance.sum()) == float(maps.peak.sum()) == 1.0


def test_intake_reads_crops_and_labels(lake):
    assert sources(lake=lake).crops.read().crop.dims == ("image", "y", "x", "rgb")
    assert list(sources(lake=lake).labels.read()) == ["farl"]


def test_intake_reads_tables_and_queries(lake):
    table = sources(lake=lake, table="settings").table.read()
    assert dict(zip(table.name, table.value, strict=True)) == {"format_version": "1", "seed": "7"}
    query = "SELECT count(*) AS n FROM settings WHERE value = '7'"
    assert sources(lake=lake).table(query=query).read().n[0] == 1


def test_intake_leaves_the_tables_to_their_writer(lake):
    source = sources(lake=lake).table
    source.read()
    with tables.writing(lake / "lake.duckdb", patience=0) as connection:
        assert connection.execute("SELECT 1").fetchall() == [(1,)]


def test_intake_reads_tables_without_writing(lake):
    with pytest.raises(Exception, match="read-only"):
        sources(lake=lake).table(query="DROP TABLE settings").read()


def test_intake_finds_the_lake_by_environment_and_by_default(lake, monkeypatch):
    monkeypatch.setenv("LEAM_LAKE", str(lake))
    assert len(sources(table="settings").table.read()) == 2
    monkeypatch.delenv("LEAM_LAKE")
    monkeypatch.chdir(lake.parent)
    Path("lake").symlink_to(lake)
    assert len(sources(table="settings").table.read()) == 2
    assert list(sources().labels.read()) == ["farl"]


def test_arguments_and_tokens_are_read_as_they_are_written(written):
    path = written(entry(arguments="{depth: 2, heads: [1, 2]}", tokens="{grid: [14, 14]}"))

    model = read_catalog(path).model("MINE")

    assert model.arguments == {"depth": 2, "heads": [1, 2]}
    assert str(model.tokens) == "tokens: {prefix: 0, grid: [14, 14]}"


def test_arguments_that_are_no_keywords_and_tokens_without_a_grid_are_mistakes(written):
    path = written(entry(arguments="{1st: 2}", tokens="{prefix: 1}"))

    found = "\n".join(complaints(path))

    assert "models.MINE.arguments.1st" in found
    assert "grid is missing." in found
