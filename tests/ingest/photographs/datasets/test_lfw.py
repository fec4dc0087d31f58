import pytest

from ingest.photographs.datasets import lfw
from leamstore.errors import LeamError

NAMES = ("Ann_Lee/Ann_Lee_0001.jpg", "Ann_Lee/Ann_Lee_0002.jpg", "Bo_Ek/Bo_Ek_0001.jpg")


@pytest.mark.parametrize(
    "layout", [".", "lfw", "lfw/lfw", "lfw_home/lfw_funneled", "lfw-deepfunneled/lfw-deepfunneled"]
)
def test_identities_are_found_however_deep_they_were_unpacked(tmp_path, layout):
    for name in NAMES:
        path = tmp_path / layout / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    (tmp_path / "pairs.txt").write_text("10 300")
    dataset = lfw.read(tmp_path)
    assert [photograph.path for photograph in dataset.photographs] == [
        tmp_path / layout / name for name in NAMES
    ]
    assert [photograph.identity for photograph in dataset.photographs] == ["Ann_Lee"] * 2 + [
        "Bo_Ek"
    ]
    assert {photograph.dataset for photograph in dataset.photographs} == {"lfw"}
    assert dataset.root == tmp_path


def test_the_funneled_images_go_before_the_original_ones(tmp_path):
    for layout in ("lfw", "lfw_funneled"):
        (tmp_path / layout / "Ann_Lee").mkdir(parents=True)
        (tmp_path / layout / "Ann_Lee" / "Ann_Lee_0001.jpg").write_bytes(b"")
    assert lfw.read(tmp_path).photographs[0].path.parts[-3] == "lfw_funneled"


def test_genders_come_from_a_csv_file_beside_the_folder(tmp_path):
    (tmp_path / "lfw" / "Ann_Lee").mkdir(parents=True)
    (tmp_path / "lfw" / NAMES[0]).write_bytes(b"")
    (tmp_path / "identities.csv").write_text("identity,gender\nAnn_Lee,female\n")
    assert lfw.read(tmp_path).photographs[0].gender == "female"


def test_a_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(LeamError, match="There is no folder"):
        lfw.read(tmp_path / "lfw")
