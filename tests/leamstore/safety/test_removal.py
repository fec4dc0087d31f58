import shutil

import numpy as np
import pytest

from leamstore import arrays, tables
from leamstore.errors import LakeError
from leamstore.lake import Lake
from leamstore.safety.removal import remove_identity, remove_photograph
from leamstore.safety.verify import verify
from leamstore.tables import results
from tests.commandlines import run_command
from tests.ingest.run.test_images import ingest, new_lake


@pytest.fixture(scope="module")
def made(demo_photographs, tmp_path_factory):
    """A lake of three people with two or three photographs each, and an answer about them."""
    place = tmp_path_factory.mktemp("made")
    for path in sorted(demo_photographs.rglob("*.jpg")):
        if path.stem[-1] in "123":
            target = place / "faces" / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)
    lake = new_lake(place / "made.lake")
    ingest(lake, place / "faces")
    people = lake.sql("SELECT DISTINCT identity, 1.5 AS value FROM images")
    inputs = results.inputs_checksum(lake)
    results.write_results(lake, "regions", {"people": people}, {}, inputs)
    return place


@pytest.fixture
def lake(made, tmp_path):
    shutil.copytree(made / "made.lake", tmp_path / "made.lake")
    return Lake(tmp_path / "made.lake")


def bytes_of(lake):
    return b"".join(file.read_bytes() for file in lake.path.rglob("*") if file.is_file())


def traces(lake, identity):
    """Return what could be found of a person in a lake's files: words, a vector, crops, maps."""
    rows = lake.sql(
        "SELECT path, sha256, image_id, vector FROM images JOIN embeddings USING (image_id) "
        "WHERE identity = ? ORDER BY image_id",
        [identity],
    )
    ids = rows["image_id"].to_numpy()
    crops = arrays.open_array(lake.faces_path, "crop")[:][ids]
    maps = arrays.open_array(lake.maps_path, "SMALL/conv1/relevance")[:][ids]
    return rows, crops, maps


def test_no_trace_of_a_removed_person_is_in_the_lake(lake):
    rows, crops, maps = traces(lake, "Grace_Hopper")
    removal = remove_identity(lake, "Grace_Hopper")
    assert removal.paths == tuple(rows["path"].sort())
    content = bytes_of(lake)
    for word in ("Grace_Hopper", *rows["path"], *rows["sha256"]):
        assert word.encode() not in content
    for vector in rows["vector"].to_list():
        assert np.array(vector[:8], np.float32).tobytes() not in content
    with tables.reading(lake.tables_path) as connection:
        for (table,) in connection.sql("SELECT table_name FROM duckdb_tables()").fetchall():
            assert "Grace_Hopper" not in repr(connection.sql(f"FROM {table}").fetchall()), table
    stored = arrays.open_array(lake.faces_path, "crop")[:]
    assert not any((stored == crop).all((1, 2, 3)).any() for crop in crops)
    kept = arrays.open_array(lake.maps_path, "SMALL/conv1/relevance")[:]
    assert not any((kept == one).all((1, 2)).any() for one in maps)
    assert lake.images["identity"].unique().to_list() == ["Eileen_Collins"]


def test_others_keep_their_maps_when_a_person_is_removed(lake):
    _, crops, maps = traces(lake, "Eileen_Collins")
    remove_identity(lake, "Grace_Hopper")
    _, crops_after, maps_after = traces(lake, "Eileen_Collins")
    np.testing.assert_array_equal(crops, crops_after)
    np.testing.assert_array_equal(maps, maps_after)
    assert lake.sql("SELECT count(*) FROM pairs").item() == 6


def test_answers_about_a_removed_person_lose_its_rows_and_are_out_of_date(lake):
    assert results.are_current(lake, "regions", {}, results.inputs_checksum(lake))
    remove_identity(lake, "Grace_Hopper")
    assert lake.sql("FROM result_people").rows() == [("Eileen_Collins", 1.5)]
    assert not results.are_current(lake, "regions", {}, results.inputs_checksum(lake))


def test_a_removed_photograph_is_taken_out_of_the_maps_of_the_others(lake, made):
    path = str(made / "faces" / "Grace_Hopper" / "Grace_Hopper_0002.jpg")
    ran = run_command("leamstore", "remove", "--image", path, "--lake", lake.path)
    assert ran.returncode == 0, ran.stderr
    assert f"Removed {path}" in ran.stdout
    assert lake.sql("SELECT count(*) FROM pairs").item() == 6 + 2
    assert path not in lake.sql("SELECT path FROM images")["path"]
    assert verify(lake) == []


def test_the_image_left_alone_by_a_removal_is_rejected(lake, made):
    for number in (1, 2):
        name = f"Grace_Hopper_000{number}.jpg"
        remove_photograph(lake, str(made / "faces" / "Grace_Hopper" / name))
    rejected = lake.sql("SELECT path, reason FROM images WHERE status = 'rejected'").rows()
    assert rejected == [
        (str(made / "faces" / "Grace_Hopper" / "Grace_Hopper_0003.jpg"), "lone-image")
    ]


@pytest.mark.parametrize(
    ("remove", "name", "sentence"),
    [
        (remove_identity, "Grace_Hoper", "no identity Grace_Hoper; perhaps Grace_Hopper is meant"),
        (remove_photograph, "/nowhere/x.jpg", "no photograph /nowhere/x.jpg"),
    ],
)
def test_who_is_not_there_is_a_sentence_and_nothing_changes(lake, remove, name, sentence):
    before = bytes_of(lake)
    with pytest.raises(LakeError, match=sentence):
        remove(lake, name)
    assert bytes_of(lake) == before
