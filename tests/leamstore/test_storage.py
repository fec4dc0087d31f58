import pickle
from pathlib import Path

import pytest

from leamstore import commandline, storage
from leamstore.errors import LakeError
from leamstore.lake import Lake
from leamstore.storage import ObjectPath, location


def test_a_path_stays_a_path():
    assert location("some/lake") == Path("some/lake")
    assert location(Path("lake")) == Path("lake")


def test_a_place_in_a_bucket_joins_and_prints_like_a_path(bucket):
    lake = location("s3://lakes/a//b.lake/")
    assert isinstance(lake, ObjectPath)
    assert str(lake) == "s3://lakes/a/b.lake"
    assert str(lake / "maps.zarr") == "s3://lakes/a/b.lake/maps.zarr"
    assert (lake / "maps.zarr").name == "maps.zarr"
    assert str(location("s3://lakes") / "maps.zarr") == "s3://lakes/maps.zarr"
    assert {lake, location("s3://lakes/a/b.lake")} == {lake}


@pytest.mark.parametrize("address", ["ftp://lakes/a", "s3://", "s3:///a", "s3://lakes/../other"])
def test_an_address_that_names_no_lake_is_refused(address):
    with pytest.raises(LakeError, match=r"no address of a lake: give a folder, or one of s3://"):
        location(address)


def test_a_place_pickles_without_its_credentials(bucket, monkeypatch):
    pickled = pickle.dumps(location(bucket))
    assert b"secret" not in pickled
    assert str(pickle.loads(pickled)) == bucket


def test_the_size_is_that_of_all_objects_and_of_all_files(lake, stored_lake):
    files = [file for file in lake.maps_path.rglob("*") if file.is_file()]
    size = sum(file.stat().st_size for file in files)
    assert storage.stored_bytes(lake.maps_path) == size
    assert storage.stored_bytes(stored_lake.maps_path) == size


def test_nothing_is_written_beside_a_lake(stored_lake):
    beside = {name for name, _ in storage.objects(location("s3://lakes"))}
    assert not {name for name in beside if name in ("zarr.json", "shared/zarr.json")}
    own = {name.split("/")[0] for name, _ in storage.objects(stored_lake.path)}
    assert own == {"maps.zarr", "faces.zarr", "lake.duckdb"}


def test_a_bucket_that_is_missing_is_named(bucket):
    with pytest.raises(LakeError, match="there is no bucket s3://elsewhere: make it"):
        Lake("s3://elsewhere/a.lake")


def test_a_lake_that_is_missing_is_named(bucket):
    with pytest.raises(LakeError, match=f"there is no lake at {bucket}"):
        Lake(bucket)


def test_a_store_without_encryption_has_to_be_asked_for(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ALLOW_HTTP")
    with pytest.raises(LakeError, match="only if AWS_ALLOW_HTTP=true says so"):
        Lake(bucket)


def test_credentials_that_are_refused_are_named(bucket, host):
    host.check_credentials(True)
    try:
        with pytest.raises(LakeError, match="refuses these credentials: check AWS_ACCESS_KEY_ID"):
            Lake(bucket)
    finally:
        host.check_credentials(False)


def test_missing_credentials_are_named(bucket, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(LakeError, match="there are no credentials for s3://lakes: set AWS_ACCESS"):
        Lake(bucket)


def test_a_store_that_does_not_answer_is_named(bucket, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(LakeError, match="does not answer: check the network"):
        Lake(bucket)


def test_what_zarr_lets_through_is_a_sentence_on_the_command_line(
    stored_lake, host, capsys, monkeypatch
):
    def read():
        host.check_credentials(True)
        stored_lake.maps.compute()

    try:
        with pytest.raises(SystemExit) as ended:
            commandline.run(read)
    finally:
        host.check_credentials(False)
    assert ended.value.code == 1
    assert "Error: the object store refuses these credentials" in capsys.readouterr().err
