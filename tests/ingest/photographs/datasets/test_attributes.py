import pytest

from ingest.photographs.datasets.attributes import (
    IDENTITIES,
    IMAGES,
    distinct_values,
    read_attributes,
    value_of,
    years,
)
from ingest.photographs.datasets.photograph import Photograph
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
    assert read_attributes(root, IDENTITIES, KEYS, notes)["Ann"] == {}
    assert notes == []


def test_the_columns_may_come_in_any_order_and_case_with_others_between(tmp_path):
    attributes, _ = read(tmp_path, "Ethnicity, born, GENDER ,identity\nAsian,1900,female,Ann\n")
    assert attributes["Ann"] == {"gender": "female", "ethnicity": "Asian"}


def test_a_byte_order_mark_is_not_part_of_a_column(tmp_path):
    attributes, _ = read(tmp_path, b"\xef\xbb\xbfidentity,gender\nAnn,female\n")
    assert attributes["Ann"] == {"gender": "female"}


def test_cells_are_text_quoted_or_not_and_blank_ones_say_nothing(tmp_path):
    attributes, _ = read(tmp_path, 'identity,gender\n"Ann", female \nBo,\nCy,"  "\n,male\n')
    assert attributes["Ann"] == {"gender": "female"}
    assert attributes["Bo"] == attributes["Cy"] == {}


def test_identities_like_numbers_keep_their_zeros(tmp_path):
    attributes, _ = read(tmp_path, "identity,gender\n001,female\n", keys=("001", "1"))
    assert attributes["001"] == {"gender": "female"}
    assert attributes["1"] == {}


def test_a_note_tells_how_many_the_file_speaks_of_and_whom_it_alone_knows(tmp_path):
    _, notes = read(tmp_path, "identity,gender\nAnn,female\nEve,female\nDan,male\n")
    assert notes == [
        f"{tmp_path / 'identities.csv'} covers 1 of 3 identities; "
        "2 rows without a match here (Dan, Eve)."
    ]


def test_a_repeated_row_counts_once(tmp_path):
    attributes, _ = read(tmp_path, "identity,gender\nAnn,female\nAnn,female\n")
    assert attributes["Ann"] == {"gender": "female"}


def test_rows_that_contradict_each_other_are_an_error(tmp_path):
    with pytest.raises(LeamError, match="contradicts itself about Ann: keep one row per identity"):
        read(tmp_path, "identity,gender\nAnn,female\nBo,male\nAnn,male\n")


@pytest.mark.parametrize(
    "csv",
    [
        "name,gender\nAnn,female\n",
        "identity,sex\nAnn,female\n",
        "identity:gender\nAnn:female\n",
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
    assert read_attributes(root, IDENTITIES, KEYS, notes)["Bo"] == {"gender": "male"}
    assert notes == [f"{tmp_path / 'identities.csv'} covers 2 of 3 identities."]


def test_a_file_beside_the_folder_that_speaks_of_others_is_not_taken(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    (tmp_path / "identities.csv").write_text("identity,gender\nAnn,female\nEve,female\n")
    notes = []
    assert read_attributes(root, IDENTITIES, KEYS, notes)["Ann"] == {}
    assert "is not used" in notes[0]
    assert "covers only 1 of its 3 identities" in notes[0]


def test_a_file_beside_the_folder_of_another_kind_is_not_an_error(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    (tmp_path / "identities.csv").write_text("a,b\n1,2\n")
    notes = []
    assert read_attributes(root, IDENTITIES, KEYS, notes)["Ann"] == {}
    assert notes[0].startswith("Not used")


def test_the_file_in_the_folder_goes_before_the_one_beside_it(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    (tmp_path / "identities.csv").write_text("identity,gender\nAnn,male\nBo,male\n")
    attributes, _ = read(root, "identity,gender\nAnn,female\n")
    assert attributes["Ann"] == {"gender": "female"}
    assert attributes["Bo"] == {}


@pytest.mark.parametrize(
    "spelling", ["Female", "female ", " FEMALE", "F", "f", "woman", "\xa0Female"]
)
def test_a_gender_is_the_papers_word_however_it_is_spelled(spelling):
    assert value_of("gender", spelling) == "female"


@pytest.mark.parametrize("spelling", ["asian", "ASIAN ", "Asian"])
def test_an_ethnicity_is_spelled_as_published_data_sets_spell_it(spelling):
    assert value_of("ethnicity", spelling) == "Asian"


def test_spaces_and_underscores_within_a_value_are_one_space():
    assert (
        value_of("ethnicity", "East_Asian") == value_of("ethnicity", "east  asian") == "East Asian"
    )
    assert value_of("ethnicity", "Pacific  Islander") == "pacific islander"


@pytest.mark.parametrize(
    "cell",
    ["NA", "na", "nan", "NaN", "None", "unknown", "UNKNOWN", "null", "NULL", "-", "n/a", "N/A", "?",
     "#N/A", "<NA>", "\N{EN DASH}", " ", None],
)  # fmt: skip
def test_what_says_that_nothing_is_known_is_none_of_every_attribute(cell):
    assert value_of("gender", cell) is value_of("ethnicity", cell) is None
    assert years(cell, "Ann/1.jpg") is None


@pytest.mark.parametrize(("age", "number"), [("31", 31.0), (" 40.5 ", 40.5), ("31,5", 31.5)])
def test_an_age_is_a_number_with_a_point_or_a_comma(age, number):
    assert years(age, "Ann/1.jpg") == number


@pytest.mark.parametrize("age", ["old", "-1", "151", "inf", "1_0", "31 years", "3,1,5", "1,000"])
def test_any_other_age_is_an_error_that_names_the_image(age):
    with pytest.raises(LeamError, match=rf"Ann/1\.jpg shows someone aged '{age}'"):
        years(age, "Ann/1.jpg")


def test_spellings_of_one_value_do_not_contradict_each_other_and_are_told(tmp_path):
    attributes, notes = read(tmp_path, "identity,gender\nAnn,Female\nAnn,F\nBo,NA\n")
    assert attributes["Ann"] == {"gender": "female"}
    assert attributes["Bo"] == {}
    assert notes[0] == (
        f"{tmp_path / 'identities.csv'}: gender reads "
        "'F' as female, 'Female' as female, 'NA' as unknown."
    )


@pytest.mark.parametrize("name", ["Identities.CSV", "IDENTITIES.csv", "identities.Csv"])
def test_the_case_of_the_files_name_does_not_matter(tmp_path, name):
    (tmp_path / name).write_text("identity,gender\nAnn,female\n")
    notes = []
    assert read_attributes(tmp_path, IDENTITIES, KEYS, notes)["Ann"] == {"gender": "female"}
    assert notes == [f"{tmp_path / name} covers 1 of 3 identities."]


def test_two_files_whose_names_differ_by_case_are_an_error(tmp_path):
    (tmp_path / "Identities.CSV").write_text("identity,gender\nAnn,female\n")
    with pytest.raises(LeamError, match=r"Identities\.CSV and identities\.csv: keep one of them"):
        read(tmp_path, "identity,gender\nAnn,male\n")


def test_two_files_beside_the_folder_whose_names_differ_by_case_are_not_taken(tmp_path):
    root = tmp_path / "images"
    root.mkdir()
    for name in ("Identities.CSV", "identities.csv"):
        (tmp_path / name).write_text("identity,gender\nAnn,female\n")
    notes = []
    assert read_attributes(root, IDENTITIES, KEYS, notes)["Ann"] == {}
    assert "keep one of them" in notes[0]


@pytest.mark.parametrize("path", ["Ann\\1.jpg", ".\\Ann\\1.jpg", "Ann//1.jpg", "Bo/../Ann/1.jpg"])
def test_a_path_may_have_backslashes_and_roundabout_parts(tmp_path, path):
    (tmp_path / "images.csv").write_text(f"path,age\n{path},31\n")
    attributes = read_attributes(tmp_path, IMAGES, ["Ann/1.jpg"], [])
    assert attributes["Ann/1.jpg"] == {"age": "31"}


def people(**genders):
    return [
        Photograph(f"{name}/1.jpg", name, "test", gender=said) for name, said in genders.items()
    ]


def test_a_sentence_counts_the_distinct_values_of_each_attribute_that_is_stated():
    assert distinct_values(people(Ann="female", Bo="male", Cy="male", Di=None)) == [
        "gender: 2 distinct values, stated of 3 of 4 identities: male 2, female 1."
    ]
    ages = [Photograph("1.jpg", "Ann", "test", age=age) for age in (31.0, 40.5, 31.0, None)]
    assert distinct_values(ages) == [
        "age: 2 distinct values, stated of 3 of 4 images: 31 to 40.5 years."
    ]


@pytest.mark.parametrize("slip", ["femal", "femalee", "femqle", "emale"])
def test_values_that_differ_by_one_letter_are_warned_of(slip):
    warning = distinct_values(people(Ann="female", Bo=slip))[1]
    assert "differ by one letter" in warning
    assert repr(slip) in warning


@pytest.mark.parametrize("other", ["male", "f3", "woman"])
def test_values_that_differ_by_more_are_not_warned_of(other):
    assert len(distinct_values(people(Ann="female", Bo=other))) == 1


def test_codes_of_one_letter_are_not_warned_of():
    assert len(distinct_values(people(Ann="1", Bo="2"))) == 1
