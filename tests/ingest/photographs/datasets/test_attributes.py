import pytest

from ingest.photographs.datasets.attributes import IDENTITIES, read_attributes
from leamstore.errors import LeamError

KEYS = ("Ann", "Bo", "Cy")


def read(root, csv, keys=KEYS):
    (root / "identities.csv").write_bytes(csv if isinstance(csv, bytes) else csv.encode())
    notes = []
    return read_attributes(root, IDENTITIES, keys, notes), notes


def test_without_a_file_nothing_is_known_of_anybody(tmp_path):
    notes = []
    root = tmp_path / "deep" / "images"
    root.mkdir(parents=True)
    assert read_attributes(root, IDENTITIES, KEYS, notes).of("Ann") == {}
    assert notes == []


def test_the_columns_may_come_in_any_order_and_case_with_others_between(tmp_path):
    attributes, _ = read(tmp_path, "Ethnicity, born, GENDER ,identity\nAsian,1900,female,Ann\n")
    assert attributes.of("Ann") == {"gender": "female", "ethnicity": "Asian"}


def test_a_byte_order_mark_is_not_part_of_a_column(tmp_path):
    attributes, _ = read(tmp_path, b"\xef\xbb\xbfidentity,gender\nAnn,female\n")
    assert attributes.of("Ann") == {"gender": "female"}


def test_cells_are_text_quoted_or_not_and_blank_ones_say_nothing(tmp_path):
    attributes, _ = read(tmp_path, 'identity,gender\n"Ann", female \nBo,\nCy,"  "\n,male\n')
    assert attributes.of("Ann") == {"gender": "female"}
    assert attributes.of("Bo") == attributes.of("Cy") == {}


def test_identities_like_numbers_keep_their_zeros(tmp_path):
    attributes, _ = read(tmp_path, "identity,gender\n001,female\n")
    assert attributes.of("001") == {"gender": "female"}
    assert attributes.of("1") == {}


def test_a_note_tells_how_many_the_file_speaks_of_and_whom_it_alone_knows(tmp_path):
    _, notes = read(tmp_path, "identity,gender\nAnn,female\nEve,female\nDan,male\n")
    assert notes == [
        f"{tmp_path / 'identities.csv'} speaks of 1 of 3 identities; "
        "2 rows name what isn't there (Dan, Eve)."
    ]


def test_a_repeated_row_counts_once(tmp_path):
    attributes, _ = read(tmp_path, "identity,gender\nAnn,female\nAnn,female\n")
    assert attributes.of("Ann") == {"gender": "female"}


def test_rows_that_contradict_each_other_are_an_error(tmp_path):
    with pytest.raises(LeamError, match="contradicts itself about Ann: keep one row per identity"):
        read(tmp_path, "identity,gender\nAnn,female\nBo,male\nAnn,male\n")


@pytest.mark.parametrize(
    "csv",
    [
        "name,gender\nAnn,female\n",
        "identity,sex\nAnn,female\n",
        "identity;gender\nAnn;female\n",
    ],
)
def test_a_missing_column_is_an_error_that_tells_which_there_are(tmp_path, csv):
    with pytest.raises(
        LeamError, match="needs the columns identity and gender or ethnicity"
    ) as error:
        read(tmp_path, csv)
    assert csv.splitlines()[0].split(",")[0] in str(error.value)


@pytest.mark.parametrize(
    "csv", [b"", b"identity,gender\nAnn,f\xe9minin\n", b"identity,gender\nAnn,female,Asian\n"]
)
def test_what_is_not_csv_in_utf8_is_an_error(tmp_path, csv):
    with pytest.raises(LeamError, match=r"identities\.csv can't be read as csv in UTF-8"):
        read(tmp_path, csv)


def test_a_file_beside_the_folder_is_taken_if_it_speaks_of_half_of_it(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    (tmp_path / "identities.csv").write_text("identity,gender\nAnn,female\nBo,male\n")
    notes = []
    assert read_attributes(root, IDENTITIES, KEYS, notes).of("Bo") == {"gender": "male"}
    assert notes == [f"{tmp_path / 'identities.csv'} speaks of 2 of 3 identities."]


def test_a_file_beside_the_folder_that_speaks_of_others_is_not_taken(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    (tmp_path / "identities.csv").write_text("identity,gender\nAnn,female\nEve,female\n")
    notes = []
    assert read_attributes(root, IDENTITIES, KEYS, notes).of("Ann") == {}
    assert "is not used" in notes[0]
    assert "speaks of only 1 of its 3 identities" in notes[0]


def test_a_file_beside_the_folder_of_another_kind_is_not_an_error(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    (tmp_path / "identities.csv").write_text("a,b\n1,2\n")
    notes = []
    assert read_attributes(root, IDENTITIES, KEYS, notes).of("Ann") == {}
    assert notes[0].startswith("Not used")


def test_the_file_in_the_folder_goes_before_the_one_beside_it(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    (tmp_path / "identities.csv").write_text("identity,gender\nAnn,male\nBo,male\n")
    attributes, _ = read(root, "identity,gender\nAnn,female\n")
    assert attributes.of("Ann") == {"gender": "female"}
    assert attributes.of("Bo") == {}
