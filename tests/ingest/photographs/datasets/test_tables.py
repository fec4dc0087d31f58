import pytest

from ingest.photographs.datasets.tables import find_table, read_csv
from leamstore.errors import LeamError


def test_cells_stay_text_and_names_become_lower_case(tmp_path):
    (tmp_path / "a.csv").write_text("Name, Height Width \n001,12 34\n")
    assert read_csv(tmp_path / "a.csv").to_dict(as_series=False) == {
        "name": ["001"],
        "height width": ["12 34"],
    }


@pytest.mark.parametrize("csv", [b"", b"a,A\n1,2\n", b"a,b\n\xe9,1\n", b"a\n1,2\n"])
def test_what_is_no_csv_in_utf8_is_one_sentence(tmp_path, csv):
    (tmp_path / "a.csv").write_bytes(csv)
    with pytest.raises(LeamError, match=r"a\.csv can't be read as csv in UTF-8: [^\n]+\.$"):
        read_csv(tmp_path / "a.csv")


def test_a_file_that_is_not_there_is_one_sentence(tmp_path):
    with pytest.raises(LeamError, match="can't be read"):
        read_csv(tmp_path / "a.csv")


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("beginning", ["", "\ufeff"])
def test_separators_line_ends_and_marks_of_spreadsheets_are_understood(
    tmp_path, separator, line_end, beginning
):
    rows = [("identity", "gender"), ("Lee, Ann" if separator != "," else "Ann", "female")]
    text = line_end.join(separator.join(row) for row in rows) + line_end
    (tmp_path / "a.csv").write_bytes((beginning + text).encode())
    assert read_csv(tmp_path / "a.csv").rows() == rows[1:]
    assert read_csv(tmp_path / "a.csv").columns == ["identity", "gender"]


def test_excels_line_that_names_the_separator_is_obeyed(tmp_path):
    (tmp_path / "a.csv").write_text("sep=;\na;b,c\n1;2,3\n")
    assert read_csv(tmp_path / "a.csv").to_dict(as_series=False) == {"a": ["1"], "b,c": ["2,3"]}


def test_empty_cells_at_the_ends_of_rows_are_no_cells(tmp_path):
    (tmp_path / "a.csv").write_text("a,b\n1,2,,\n3\n,,,\n")
    assert read_csv(tmp_path / "a.csv").rows()[:2] == [("1", "2"), ("3", None)]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n1,2,3\n", "row 3 has 3 cells, and the row of names has 2"),
        ('a,b\n"1\n1",2\n1,2,3\n', "row 3 has 3 cells, and the row of names has 2"),
        ("a;b\r\n1;2;3;4\r\n", "row 2 has 4 cells, and the row of names has 2"),
        ("sep=,\na,b\n1,2,3\n", "row 3 has 3 cells, and the row of names has 2"),
    ],
)
def test_a_row_with_more_cells_than_names_is_named_by_its_number(tmp_path, text, sentence):
    (tmp_path / "a.csv").write_bytes(text.encode())
    with pytest.raises(LeamError, match=rf"a\.csv can't be read as csv in UTF-8: {sentence}\.$"):
        read_csv(tmp_path / "a.csv")


@pytest.mark.parametrize("encoding", ["utf-16", "cp1252"])
@pytest.mark.parametrize("text", ["a,\xe9\n1,2\n", "a,b\n1,\xe9\n"])
def test_another_encoding_gets_the_remedy(tmp_path, encoding, text):
    (tmp_path / "a.csv").write_bytes(text.encode(encoding))
    with pytest.raises(LeamError, match="save it as CSV UTF-8"):
        read_csv(tmp_path / "a.csv")


def test_a_table_is_found_whatever_the_case_of_its_name(tmp_path):
    assert find_table(tmp_path, "identities.csv") is None
    (tmp_path / "Identities.CSV").write_text("")
    assert find_table(tmp_path, "identities.csv") == tmp_path / "Identities.CSV"
