"""Lakes of next to nothing: every question answers or says in a sentence what is lacking."""

import shutil

import pytest

from analyses.figures import pictures_of
from analyses.question import Settings
from analyses.questions import QUESTIONS
from analyses.results import answer_question
from leamstore.lake import Lake
from tests.analyses.conftest import give_faces, plant, shares, silent

LAKES = {
    "one identity": ({"Ada": {"age": 20.0}}, 3),
    "two images": ({"Ada": {}}, 2),
    "two people of two images, without ages": ({"Ada": {}, "Bea": {}}, 2),
    "two people of different genders": ({"Ada": {"gender": "f"}, "Bob": {"gender": "m"}}, 2),
}


@pytest.fixture(scope="module", params=LAKES, ids=lambda name: name.replace(" ", "-"))
def planted(request, tmp_path_factory):
    people, images = LAKES[request.param]
    path = tmp_path_factory.mktemp("small") / "planted.lake"
    seen = ("face", "nose")  # a panel of a figure is a region, and takes long to draw
    return give_faces(plant(path, people, lambda *_: shares(nose=20.0), images=images, seen=seen))


@pytest.fixture
def lake(planted, tmp_path):
    """A lake that holds no answer to another question."""
    return Lake(shutil.copytree(planted.path, tmp_path / "planted.lake"))


@pytest.mark.parametrize("question", QUESTIONS, ids=lambda question: question.name)
def test_a_question_is_answered_drawn_and_put_in_words_or_says_what_is_lacking(question, lake):
    answer = answer_question(lake, question, Settings(draws=100), silent)
    if answer.state == "lacking":
        assert answer.why.endswith(".")
        assert len(answer.why) < 400
        return
    for sentence in question.findings(answer.tables):
        assert sentence.endswith(".")
        assert "None" not in sentence
        assert "nan" not in sentence.split()
    for picture in pictures_of(question.name, answer.tables):
        assert picture.figure.axes
