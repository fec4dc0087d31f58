from pathlib import Path

import pytest

from leamstore.catalog.yaml_file import MAX_BYTES, read_yaml


def written(folder, text):
    path = folder / "my.yaml"
    path.write_text(text)
    return path


def complaints(path):
    return [(mistake.line, mistake.sentence) for mistake in read_yaml(path)[1]]


def test_data_and_lines_are_read(tmp_path):
    file, mistakes = read_yaml(written(tmp_path, "a:\n  b: 1\n  c:\n    - x\n    - y: 2\n"))
    assert file is not None
    assert mistakes == []
    assert file.data == {"a": {"b": 1, "c": ["x", {"y": 2}]}}
    assert file.line(["a"]) == 1
    assert file.line(["a", "b"]) == 2
    assert file.line(["a", "c"]) == 3
    assert file.line(["a", "c", 1, "y"]) == 5


def test_what_is_not_there_is_looked_for_in_the_nearest_line(tmp_path):
    file, _ = read_yaml(written(tmp_path, "a:\n  b: 1\n"))
    assert file is not None
    assert file.line(["a", "missing", "deeper"]) == 1
    assert file.line(["missing"]) == 1


def test_a_merged_value_has_the_line_of_its_anchor_unless_it_is_replaced(tmp_path):
    file, _ = read_yaml(written(tmp_path, "a: &a\n  x: 1\n  y: 2\nb:\n  <<: *a\n  y: 3\n"))
    assert file is not None
    assert file.data["b"] == {"x": 1, "y": 3}
    assert file.line(["b", "x"]) == 2
    assert file.line(["b", "y"]) == 6


def test_an_empty_file_holds_nothing(tmp_path):
    file, mistakes = read_yaml(written(tmp_path, "# nothing\n"))
    assert file is not None
    assert (file.data, mistakes) == ({}, [])


def test_keys_that_occur_twice_are_named_with_the_second_line(tmp_path):
    path = written(tmp_path, "a:\n  x: 1\n  x: 2\nb: 1\na: 3\n")
    assert complaints(path) == [(3, "x occurs twice."), (5, "a occurs twice.")]


def test_a_key_that_occurs_twice_behind_an_alias_is_named_once(tmp_path):
    path = written(tmp_path, "a: &a {x: 1, x: 2}\nb: *a\n")
    assert complaints(path) == [(1, "x occurs twice.")]


def test_a_tag_is_refused_and_nothing_is_run(tmp_path):
    path = written(tmp_path, f"a: 1\nb: !!python/object/apply:os.mkdir ['{tmp_path}/was here']\n")
    [(line, sentence)] = complaints(path)
    assert line == 2
    assert "could not determine a constructor for the tag" in sentence
    assert not (tmp_path / "was here").exists()


def bomb():
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    return "\n".join(levels)


def merging_bomb():
    levels = ["a0: &a0 {x: 1}"]
    levels += [f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)]
    return "\n".join(levels)


@pytest.mark.parametrize("text", [bomb(), merging_bomb(), "a: &a [*a, *a]\n"])
def test_a_few_lines_that_stand_for_billions_are_refused(tmp_path, text):
    path = written(tmp_path, text)
    assert complaints(path) == [(1, "stands for more than 100,000 values.")]


@pytest.mark.parametrize("text", ["[" * 500 + "]" * 500, "{a: " * 500 + "}" * 500, "- " * 500])
def test_deep_nesting_is_refused(tmp_path, text):
    assert complaints(written(tmp_path, text)) == [(1, "is nested too deeply.")]


@pytest.mark.parametrize("text", ["[", "{a: ", "- "])
def test_a_file_that_does_nothing_but_nest_is_refused(tmp_path, text):
    assert complaints(written(tmp_path, text * 200_000)) == [(1, "is nested too deeply.")]


def test_a_file_too_long_for_a_catalog_is_refused(tmp_path):
    assert complaints(written(tmp_path, "#" * (MAX_BYTES + 1))) == [
        (1, "is longer than 1,000,000 bytes.")
    ]


def test_a_syntax_error_has_its_line(tmp_path):
    [(line, sentence)] = complaints(written(tmp_path, "a: 1\nb: [1, 2\nc: 3\n"))
    assert line == 3
    assert sentence.startswith("is not plain YAML: ")
    assert "expected ',' or ']'" in sentence


def test_two_documents_are_not_plain_yaml(tmp_path):
    [(line, sentence)] = complaints(written(tmp_path, "a: 1\n---\nb: 1\n"))
    assert (line, sentence) == (2, "is not plain YAML: but found another document.")


@pytest.mark.parametrize("content", [b"\x00\x01", b"\xff\xfe\x00\xd8", b"a: \xc3\x28"])
def test_bytes_that_are_no_text_are_a_sentence(tmp_path, content):
    (tmp_path / "my.yaml").write_bytes(content)
    [(line, sentence)] = complaints(tmp_path / "my.yaml")
    assert line == 1
    assert sentence.startswith("is not plain YAML: ")


def test_a_missing_file_and_a_folder_are_sentences(tmp_path):
    assert complaints(tmp_path / "none.yaml") == [(1, "cannot be read: No such file or directory.")]
    assert complaints(tmp_path) == [(1, "cannot be read: Is a directory.")]


def test_an_endless_file_is_refused():
    assert complaints(Path("/dev/zero")) == [(1, "is longer than 1,000,000 bytes.")]
