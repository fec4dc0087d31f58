import json

from ingest.photographs.datasets.host_answers import Answer, Answers


def test_without_a_file_nothing_has_failed(tmp_path):
    assert Answers(tmp_path / "answers.jsonl").failed() == {}


def test_failures_are_remembered_and_successes_are_none(tmp_path):
    answers = Answers(tmp_path / "answers.jsonl")
    answers.remember(Answer("Ann/1.jpg", "http://a/1", "gone", "it answers 404"))
    answers.remember(Answer("Ann/2.jpg", "http://a/2"))
    assert Answers(answers.path).failed() == {("Ann/1.jpg", "http://a/1"): "gone"}


def test_the_last_answer_counts(tmp_path):
    answers = Answers(tmp_path / "answers.jsonl")
    answers.remember(Answer("Ann/1.jpg", "http://a/1", "busy"))
    answers.remember(Answer("Ann/2.jpg", "http://a/2"))
    answers.remember(Answer("Ann/1.jpg", "http://a/1"))
    answers.remember(Answer("Ann/2.jpg", "http://a/2", "gone"))
    assert answers.failed() == {("Ann/2.jpg", "http://a/2"): "gone"}


def test_of_two_people_in_one_photograph_each_has_an_answer(tmp_path):
    answers = Answers(tmp_path / "answers.jsonl")
    answers.remember(Answer("Ann/1.jpg", "http://a/1", "bad-rect"))
    answers.remember(Answer("Bo/1.jpg", "http://a/1"))
    assert answers.failed() == {("Ann/1.jpg", "http://a/1"): "bad-rect"}


def test_a_line_is_json_with_the_time_in_utc(tmp_path):
    answers = Answers(tmp_path / "answers.jsonl")
    answers.remember(Answer("Zoë/1\n.jpg", "http://a/1", "gone", "404"))
    (line,) = answers.path.read_text(encoding="utf-8").splitlines()
    entry = json.loads(line)
    assert entry.pop("asked").endswith("+00:00")
    assert entry == {"image": "Zoë/1\n.jpg", "url": "http://a/1", "reason": "gone", "detail": "404"}


def test_a_torn_line_spoils_neither_what_is_before_nor_what_is_after_it(tmp_path):
    answers = Answers(tmp_path / "answers.jsonl")
    answers.remember(Answer("1", "http://a/1", "gone"))
    answers.remember(Answer("2", "http://a/2", "gone"))
    answers.path.write_bytes(answers.path.read_bytes()[:-20])
    answers.remember(Answer("3", "http://a/3", "gone"))
    assert answers.failed() == {("1", "http://a/1"): "gone", ("3", "http://a/3"): "gone"}
