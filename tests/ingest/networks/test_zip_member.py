import hashlib
import zipfile

import pytest

from ingest.networks.weights import find_weights
from leamstore.catalog import Weights
from leamstore.errors import WeightsError


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("LEAM_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def pack(cache, **contents):
    with zipfile.ZipFile(cache / "pack.zip", "w") as file:
        for name, content in contents.items():
            file.writestr(name.replace("__", "/") + ".onnx", content)


def entry(sha256=None):
    return Weights(
        file="pack.zip", member={"name": "r50.onnx", "sha256": sha256},
        page="http://example.org", licence="none",
    )  # fmt: skip


def test_a_member_is_taken_out_once_from_whatever_folder_it_lies_in(cache):
    pack(cache, pack__r50="weights", pack__other="others")
    taken = find_weights(entry(hashlib.sha256(b"weights").hexdigest()))
    assert (taken, taken.read_text()) == (cache / "pack" / "r50.onnx", "weights")
    (cache / "pack.zip").unlink()
    assert find_weights(entry()) == taken
    assert [file.name for file in taken.parent.iterdir()] == ["r50.onnx"]


def test_a_member_of_another_sha256_is_refused_and_not_kept(cache):
    pack(cache, r50="weights")
    with pytest.raises(WeightsError, match=r"r50.onnx in .*pack.zip has the sha256 .* instead of"):
        find_weights(entry("0" * 64))
    assert list((cache / "pack").iterdir()) == []


@pytest.mark.parametrize(
    ("contents", "number"), [({"other": ""}, "none"), ({"r50": "", "a__r50": ""}, "2")]
)
def test_a_zip_file_without_one_such_member_is_a_sentence(cache, contents, number):
    pack(cache, **contents)
    with pytest.raises(WeightsError, match=f"pack.zip holds {number} of the name r50.onnx"):
        find_weights(entry())


def test_what_is_no_zip_file_is_a_sentence(cache):
    (cache / "pack.zip").write_text("weights")
    with pytest.raises(WeightsError, match=r"pack.zip is damaged, or no zip file .*: remove it"):
        find_weights(entry())
