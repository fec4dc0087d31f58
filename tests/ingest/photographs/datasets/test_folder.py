import os
import unicodedata

import pytest

from ingest.photographs.datasets import folder
from leamstore.errors import LeamError


def make(root, *paths):
    for path in paths:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(b"")
    return root


def listed(dataset):
    return [(photograph.identity, photograph.path.name) for photograph in dataset.photographs]


def test_photographs_come_ordered_by_identity_then_path(tmp_path):
    make(tmp_path, "Bo/2.jpg", "Ann/9.jpg", "Bo/10.jpg", "Ann/1.png")
    dataset = folder.read(tmp_path)
    assert listed(dataset) == [
        ("Ann", "1.png"),
        ("Ann", "9.jpg"),
        ("Bo", "10.jpg"),
        ("Bo", "2.jpg"),
    ]
    assert {photograph.dataset for photograph in dataset.photographs} == {"folder"}
    assert dataset.notes == ()


def test_odd_names_are_names(tmp_path):
    names = ["Zoë Müller", "李小龍", "O'Hara, Jr.", "line\nbreak", "🙂", "100%"]
    make(tmp_path, *(f"{name}/my photo {name}.jpg" for name in names))
    assert {identity for identity, _ in listed(folder.read(tmp_path))} == set(names)


def test_hidden_files_and_csv_files_are_not_images_but_any_other_file_is(tmp_path):
    make(tmp_path, "Ann/1.jpg", "Ann/.DS_Store", "Ann/notes.csv", "Ann/poem.txt", ".git/config")
    assert listed(folder.read(tmp_path)) == [("Ann", "1.jpg"), ("Ann", "poem.txt")]


def test_loose_files_are_left_out_and_named(tmp_path):
    make(tmp_path, "Ann/1.jpg", "stray.jpg", "pairs.txt")
    dataset = folder.read(tmp_path)
    assert listed(dataset) == [("Ann", "1.jpg")]
    assert dataset.notes == (
        f"Left out 2 files right in {tmp_path}, of no identity: pairs.txt, stray.jpg.",
    )


def test_what_is_not_a_file_is_left_out_and_named(tmp_path):
    make(tmp_path, "Ann/1.jpg", "Ann/more.jpg/2.jpg")
    os.mkfifo(tmp_path / "Ann" / "pipe.jpg")
    dataset = folder.read(tmp_path)
    assert listed(dataset) == [("Ann", "1.jpg")]
    assert dataset.notes == (
        f"Left out of {tmp_path / 'Ann'}, as they are not files: more.jpg, pipe.jpg.",
    )


def test_a_link_to_nowhere_or_to_itself_stays_to_be_rejected_with_a_reason(tmp_path):
    make(tmp_path, "Ann/1.jpg")
    (tmp_path / "Ann" / "2.jpg").symlink_to("gone.jpg")
    (tmp_path / "Ann" / "3.jpg").symlink_to("3.jpg")
    assert listed(folder.read(tmp_path)) == [("Ann", "1.jpg"), ("Ann", "2.jpg"), ("Ann", "3.jpg")]


def test_a_name_that_is_not_utf8_is_left_out_and_named(tmp_path):
    make(tmp_path, "Ann/1.jpg")
    (tmp_path / "Ann" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(b"")
    dataset = folder.read(tmp_path)
    assert listed(dataset) == [("Ann", "1.jpg")]
    assert "not UTF-8: caf\\udce9.jpg" in dataset.notes[0]


def test_gender_ethnicity_and_age_come_from_the_csv_files(tmp_path):
    make(tmp_path, "Ann/1.jpg", "Ann/2.jpg", "Bo/1.jpg")
    (tmp_path / "identities.csv").write_text(
        "identity,gender,ethnicity\nAnn,female,Asian\nBo,male,\n"
    )
    (tmp_path / "images.csv").write_text("path,age\nAnn/1.jpg,31\n./Ann/2.jpg,40.5\n")
    first, second, third = folder.read(tmp_path).photographs
    assert (first.gender, first.ethnicity, first.age) == ("female", "Asian", 31.0)
    assert (second.gender, second.ethnicity, second.age) == ("female", "Asian", 40.5)
    assert (third.gender, third.ethnicity, third.age) == ("male", None, None)


def test_a_name_in_another_unicode_form_is_the_same_name(tmp_path):
    make(tmp_path, unicodedata.normalize("NFD", "Zoë") + "/1.jpg")
    csv = unicodedata.normalize("NFC", "identity,gender\nZoë,female\n")
    (tmp_path / "identities.csv").write_text(csv, encoding="utf-8")
    assert folder.read(tmp_path).photographs[0].gender == "female"


@pytest.mark.parametrize("age", ["old", "-1", "151", "inf"])
def test_an_age_that_is_no_number_of_years_is_an_error(tmp_path, age):
    make(tmp_path, "Ann/1.jpg")
    (tmp_path / "images.csv").write_text(f"path,age\nAnn/1.jpg,{age}\n")
    with pytest.raises(LeamError, match=f"1.jpg shows someone aged '{age}'"):
        folder.read(tmp_path)


def test_an_age_that_is_not_known_stops_nothing(tmp_path):
    make(tmp_path, "Ann/1.jpg", "Ann/2.jpg")
    (tmp_path / "images.csv").write_text("path,age\nAnn/1.jpg,nan\nAnn\\2.jpg,31\n")
    assert [one.age for one in folder.read(tmp_path).photographs] == [None, 31.0]


def test_csv_files_that_nothing_reads_are_named(tmp_path):
    make(tmp_path, "Ann/1.jpg", "people.CSV")
    (tmp_path / "identities.csv").write_text("identity,gender\nAnn,female\n")
    assert folder.read(tmp_path).notes[-1] == (
        f"Not read in {tmp_path}: people.CSV; attributes come from identities.csv and images.csv."
    )


def test_a_missing_folder_is_one_sentence(tmp_path):
    with pytest.raises(LeamError, match=r"There is no folder .*nowhere: name the folder"):
        folder.read(tmp_path / "nowhere")


def test_an_empty_folder_is_one_sentence(tmp_path):
    with pytest.raises(LeamError, match="is empty"):
        folder.read(tmp_path)


def test_a_file_in_place_of_a_folder_is_one_sentence(tmp_path):
    make(tmp_path, "photo.jpg")
    with pytest.raises(LeamError, match=r"photo\.jpg is a file"):
        folder.read(tmp_path / "photo.jpg")


def test_loose_images_alone_get_the_layout_explained(tmp_path):
    make(tmp_path, "1.jpg", "2.jpg")
    with pytest.raises(LeamError, match=r"2 files but no folder .* one folder per person"):
        folder.read(tmp_path)


def test_a_folder_too_high_up_gets_the_right_one_suggested(tmp_path):
    make(tmp_path, "faces/Ann/1.jpg", "faces/Bo/1.jpg")
    with pytest.raises(LeamError, match=f"perhaps {tmp_path / 'faces'} is meant"):
        folder.read(tmp_path)
