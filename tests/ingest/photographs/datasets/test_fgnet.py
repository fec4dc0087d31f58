import pytest

from ingest.photographs.datasets import fgnet
from leamstore.errors import LeamError


def make(folder, *names):
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / name).write_bytes(b"")


def test_person_and_age_are_in_the_file_name(tmp_path):
    make(tmp_path, "078A11a.JPG", "001A02.JPG", "078A11.JPG", "001a69b.jpg")
    dataset = fgnet.read(tmp_path)
    assert [(photo.path.name, photo.identity, photo.age) for photo in dataset.photographs] == [
        ("001A02.JPG", "001", 2.0),
        ("001a69b.jpg", "001", 69.0),
        ("078A11.JPG", "078", 11.0),
        ("078A11a.JPG", "078", 11.0),
    ]
    assert {photo.dataset for photo in dataset.photographs} == {"fgnet"}
    assert dataset.notes == ()


@pytest.mark.parametrize("layout", ["images", "FGNET/images"])
def test_the_images_are_found_where_the_archive_puts_them(tmp_path, layout):
    make(tmp_path / layout, "001A02.JPG")
    make(tmp_path, "readme.txt")
    assert fgnet.read(tmp_path).photographs[0].path == tmp_path / layout / "001A02.JPG"


def test_files_named_otherwise_are_reported(tmp_path):
    make(
        tmp_path, "001A02.JPG", "1A02.JPG", "001A2.JPG", "001A02.pts", "001A02ab.JPG", "001B02.JPG"
    )
    dataset = fgnet.read(tmp_path)
    assert len(dataset.photographs) == 1
    assert dataset.notes == (
        f"Left out 5 files of {tmp_path} that are not named like 001A02.JPG: "
        "001A02.pts, 001A02ab.JPG, 001A2.JPG and 2 more.",
    )


def test_genders_may_come_from_a_csv_file(tmp_path):
    make(tmp_path, "001A02.JPG", "002A03.JPG")
    (tmp_path / "identities.csv").write_text("identity,gender,ethnicity\n001,female,x\n002,male,\n")
    first, second = fgnet.read(tmp_path).photographs
    assert (first.gender, first.ethnicity, second.gender) == ("female", "x", "male")


def test_a_folder_of_something_else_is_one_sentence(tmp_path):
    make(tmp_path / "Ann", "1.jpg")
    with pytest.raises(LeamError, match=r"No file in .* is named as FG-NET's are"):
        fgnet.read(tmp_path)
