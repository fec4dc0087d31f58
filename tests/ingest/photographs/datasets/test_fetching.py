import hashlib
import io
import zipfile

import pytest
from PIL import Image
from rich.console import Console

from ingest.photographs.datasets import open_dataset
from ingest.photographs.datasets.fetching import fetch_dataset
from ingest.photographs.datasets.selection import Limits
from leamstore.catalog import Dataset, read_catalog
from leamstore.errors import LeamError

QUIET = Console(quiet=True)
CSV = "name,index,image,rect,height width,url\n"


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LEAM_OFFLINE", raising=False)


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        zipped.writestr("lfw/Ann/Ann_0001.jpg", b"one")
    return file.getvalue()


def entry(name, addresses, content=None, file="archive.zip"):
    remote = {
        "file": file,
        "addresses": addresses,
        "size": content and len(content),
        "sha256": content and hashlib.sha256(content).hexdigest(),
        "page": "https://example.org/",
        "licence": "free",
    }
    reader = "ingest.photographs.datasets.folder:read"
    return Dataset(
        name=name, reader=reader, description="d", layout="l", archive=remote, citation=None
    )


def test_a_published_archive_is_fetched_and_unpacked_once(tmp_path, host, answer):
    content = archive()
    lfw = entry("lfw", [host.serve("/lfw.zip", answer(content))], content)
    for _ in range(2):
        fetch_dataset(lfw, tmp_path / "lfw", QUIET)
    assert [photo.identity for photo in open_dataset("lfw", tmp_path / "lfw").photographs] == [
        "Ann"
    ]
    assert host.asked["/lfw.zip"] == 1


def test_a_folder_that_holds_something_is_taken_for_the_data_set(tmp_path, host):
    (tmp_path / "lfw" / "Bo").mkdir(parents=True)
    fetch_dataset(entry("lfw", [host.address], archive()), tmp_path / "lfw", QUIET)
    assert not host.asked


def test_what_ships_or_is_the_users_own_is_not_fetched(tmp_path):
    own = read_catalog().dataset("folder")
    fetch_dataset(own, tmp_path / "mine", QUIET)
    assert not (tmp_path / "mine").exists()


def test_another_file_than_the_one_known_is_not_unpacked(tmp_path, host, answer):
    lfw = entry("lfw", [host.serve("/lfw.zip", answer(b"<html>Sorry</html>"))], archive())
    with pytest.raises(LeamError, match="by hand"):
        fetch_dataset(lfw, tmp_path / "lfw", QUIET)
    assert not (tmp_path / "lfw").exists()


def test_images_are_fetched_from_a_csv_that_lies_in_the_folder(tmp_path, host, answer):
    file = io.BytesIO()
    Image.new("RGB", (200, 100)).save(file, "PNG")
    url = host.serve("/1", answer(file.getvalue()))
    root = tmp_path / "imdb"
    root.mkdir()
    rows = [f"P{n},nm{n},{n}.jpg,80 40 100 50,100 200,{url}\n" for n in range(5)]
    (root / "IMDb-Face.csv").write_text(CSV + "".join(rows))
    imdb = entry("imdb-face", [], file="IMDb-Face.csv")
    fetch_dataset(imdb, root, QUIET, Limits(max_identities=2))
    assert len(open_dataset("imdb-face", root).photographs) == 2
    assert host.asked["/1"] == 2


def test_a_csv_placed_in_the_cache_folder_is_found(tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "IMDb-Face.csv").write_text(CSV)
    fetch_dataset(entry("imdb-face", [], file="IMDb-Face.csv"), tmp_path / "imdb", QUIET)
    assert (tmp_path / "imdb" / "IMDb-Face.csv").read_text() == CSV


def test_a_csv_that_cannot_be_fetched_gets_the_way_told(tmp_path):
    with pytest.raises(LeamError, match=r"IMDb-Face\.csv by hand from https://example\.org/"):
        fetch_dataset(entry("imdb-face", [], file="IMDb-Face.csv"), tmp_path / "imdb", QUIET)


def test_offline_the_images_that_are_there_are_left_to_be_read(tmp_path, host, monkeypatch):
    monkeypatch.setenv("LEAM_OFFLINE", "1")
    (tmp_path / "IMDb-Face.csv").write_text(CSV + f"P,nm,1.jpg,1 2 3 4,9 9,{host.address}/1\n")
    fetch_dataset(entry("imdb-face", [], file="IMDb-Face.csv"), tmp_path, QUIET)
    assert not host.asked
