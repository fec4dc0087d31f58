import subprocess
import sys
from dataclasses import replace

import polars as pl
import pytest

from analyses.question import LackingError, Question, Settings
from analyses.questions import QUESTIONS
from analyses.results import answer_question, choose_questions, write_late
from leamstore import tables
from leamstore.errors import LakeError
from leamstore.tables.results import read_results
from tests.analyses.conftest import shares, silent


class Counting:
    """A question whose answer says how often it was computed."""

    def __init__(self):
        self.times = 0

    def __call__(self, lake, settings, work):
        self.times += 1
        return {"times": pl.DataFrame({"times": [self.times]})}


@pytest.fixture
def counting():
    return Counting()


@pytest.fixture
def question(counting):
    return Question("count", "How often?", (), counting, settings={"percent": 1.0})


@pytest.fixture
def lake(make_lake):
    return make_lake({"Ada": {}, "Bea": {}}, lambda *_: shares(nose=20.0))


def ask(lake, question, settings=None, again=False):
    return answer_question(lake, question, settings or Settings(), silent, again)


def test_an_answer_is_written_to_the_lake(lake, question):
    answer = ask(lake, question)
    assert answer.state == "answered"
    assert lake.sql("SELECT times FROM result_times").item() == 1


def test_what_has_not_changed_is_not_computed_again(lake, question, counting):
    ask(lake, question)
    answer = ask(lake, question)
    assert (answer.state, counting.times) == ("kept", 1)
    assert answer.tables["times"].item() == 1


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"draws": 100}], ids=["another seed", "other draws"]
)
def test_other_settings_are_another_answer(lake, question, counting, change):
    ask(lake, question)
    assert ask(lake, question, Settings(**change)).state == "answered"
    assert counting.times == 2


def test_a_change_of_what_the_question_fixes_is_another_answer(lake, question, counting):
    ask(lake, question)
    ask(lake, replace(question, settings={"percent": 5.0}))
    assert counting.times == 2


def test_a_changed_lake_is_asked_again(lake, question, counting):
    ask(lake, question)
    with tables.writing(lake.tables_path) as connection:
        connection.execute("UPDATE units SET checksum = 'another'")
    assert ask(lake, question).state == "answered"
    assert counting.times == 2


def test_again_computes_what_has_not_changed(lake, question, counting):
    ask(lake, question)
    assert ask(lake, question, again=True).tables["times"].item() == 2


def test_an_answer_waits_for_no_reader_longer_than_its_patience_and_is_written_late(lake, question):
    script = (
        f"import duckdb; held = duckdb.connect({str(lake.tables_path)!r}, read_only=True); "
        "print(flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as reader:
        reader.stdout.readline()
        answers = [
            answer_question(lake, one, Settings(), silent, patience=0.1)
            for one in (question, replace(question, name="other"))
        ]
        assert [answer.state for answer in answers] == ["answered", "answered"]
        assert [answer.tables["times"].item() for answer in answers] == [1, 2]
        assert all(answer.unwritten for answer in answers)
        assert read_results(lake, "count") == {}
        reader.communicate(b"\n")
    (written,) = write_late(lake, answers[:1], Settings())
    assert not written.unwritten
    assert lake.sql("SELECT times FROM result_times").item() == 1
    assert ask(lake, question).state == "kept"


def test_what_is_lacking_is_said_and_leaves_nothing(lake):
    def lacking(lake, settings, work):
        raise LackingError("the lake has no ages.")

    answer = ask(lake, Question("age", "How old?", (24,), lacking))
    assert (answer.state, answer.why) == ("lacking", "the lake has no ages.")
    assert read_results(lake, "age") == {}


def test_questions_are_chosen_by_name_in_their_own_order():
    chosen = choose_questions(QUESTIONS, ["thresholds", "regions"])
    assert [question.name for question in chosen] == ["regions", "thresholds"]
    assert choose_questions(QUESTIONS, ["regions", "all"]) == list(QUESTIONS)


def test_an_unknown_question_lists_the_known_ones():
    with pytest.raises(LakeError, match="no question colour; ask all, or of recognition, "):
        choose_questions(QUESTIONS, ["colour", "regions"])


def test_no_two_questions_share_a_name_or_a_table_of_the_paper():
    names = [question.name for question in QUESTIONS]
    numbers = [number for question in QUESTIONS for number in question.papers_tables]
    assert len(set(names)) == len(names)
    assert len(set(numbers)) == len(numbers)
