import pytest

from ingest.photographs.datasets.tables import read_csv
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
