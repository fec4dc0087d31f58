import pytest

from analyses.report.folder import check_folder, replacing, write_facts
from leamstore.errors import LeamError

FACTS = {"report": "leam-lake"}


def write(folder, text):
    with replacing(folder) as new:
        (new / "csv").mkdir()
        (new / "csv" / "a.csv").write_text(text)
        write_facts(new, FACTS)


def test_a_report_appears_whole_and_leaves_nothing_beside_it(tmp_path):
    write(tmp_path / "deep" / "report", "one")
    assert (tmp_path / "deep" / "report" / "csv" / "a.csv").read_text() == "one"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["report"]


def test_a_report_is_replaced_by_the_next(tmp_path):
    write(tmp_path / "report", "one")
    write(tmp_path / "report", "two")
    assert (tmp_path / "report" / "csv" / "a.csv").read_text() == "two"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_empty_folder_may_become_a_report(tmp_path):
    (tmp_path / "report").mkdir()
    write(tmp_path / "report", "one")
    assert (tmp_path / "report" / "report.json").is_file()


def test_a_folder_that_is_no_report_is_left_as_it_is(tmp_path):
    foreign = tmp_path / "thesis" / "chapter.txt"
    foreign.parent.mkdir()
    foreign.write_text("years of work")
    with pytest.raises(LeamError, match=r"thesis is there and is no report.*--to"):
        write(foreign.parent, "one")
    assert foreign.read_text() == "years of work"


def test_a_file_put_into_a_report_is_not_lost(tmp_path):
    write(tmp_path / "report", "one")
    (tmp_path / "report" / "csv" / "mine.csv").write_text("mine")
    with pytest.raises(LeamError, match=r"holds csv/mine.csv, which no report wrote"):
        check_folder(tmp_path / "report")


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "report").write_text("x")
    with pytest.raises(LeamError, match="is a file"):
        check_folder(tmp_path / "report")


def test_what_fails_half_way_leaves_the_old_report(tmp_path):
    write(tmp_path / "report", "one")
    with pytest.raises(RuntimeError), replacing(tmp_path / "report") as new:
        (new / "half").write_text("x")
        raise RuntimeError
    assert (tmp_path / "report" / "csv" / "a.csv").read_text() == "one"
    assert len(list(tmp_path.iterdir())) == 1
