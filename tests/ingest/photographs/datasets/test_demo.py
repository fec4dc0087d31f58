import itertools

import dlib
import numpy as np
import pytest
from PIL import Image

from ingest.photographs.datasets import demo
from leamstore.errors import LeamError


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    return demo.read(tmp_path_factory.mktemp("demo"))


def pixels(photograph):
    return np.asarray(Image.open(photograph.path)).astype(float)


def test_two_women_have_eight_photographs_each(dataset):
    identities = [photograph.identity for photograph in dataset.photographs]
    assert identities == ["Eileen_Collins"] * 8 + ["Grace_Hopper"] * 8
    assert {photograph.gender for photograph in dataset.photographs} == {"female"}
    assert {photograph.dataset for photograph in dataset.photographs} == {"demo"}


def test_the_set_says_that_it_is_variations_of_two_photographs(dataset):
    assert "variations of two photographs" in demo.BRAND
    assert dataset.notes == (demo.BRAND,)


def test_every_file_shows_exactly_one_face(dataset):
    detector = dlib.get_frontal_face_detector()
    for photograph in dataset.photographs:
        image = np.asarray(Image.open(photograph.path))
        assert [len(detector(image, upsample)) for upsample in (0, 1)] == [1, 1], photograph.path


def test_no_two_files_are_nearly_the_same(dataset):
    for first, second in itertools.combinations(dataset.photographs, 2):
        assert np.abs(pixels(first) - pixels(second)).mean() > 5.0, (first.path, second.path)


def test_writing_again_changes_nothing(dataset):
    before = {photo.path: photo.path.stat().st_mtime_ns for photo in dataset.photographs}
    again = demo.read(dataset.root)
    assert again == dataset
    assert before == {photo.path: photo.path.stat().st_mtime_ns for photo in again.photographs}


def test_a_damaged_file_is_written_anew(dataset):
    path = dataset.photographs[0].path
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    demo.read(dataset.root)
    assert path.read_bytes() == whole


def test_another_seed_gives_other_variations(dataset, tmp_path):
    other = demo.read(tmp_path, seed=1)
    assert other.photographs[0].path.read_bytes() != dataset.photographs[0].path.read_bytes()


def test_a_folder_that_cannot_be_written_is_one_sentence(tmp_path):
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(LeamError, match="The demo set can't be written"):
        demo.read(tmp_path / "file")
