import re

import pytest

from leamstore.file_names import file_name

ODD = [
    "a/b", "a\\b", "a b", " a", "a ", "..", ".hidden", "../../etc/passwd", "a..b", "a.", "-rf", "",
    "Zoë", "Zoe\u0308", "女", "男", "🙂", "a\nb", "a\0b", "a:b", "a*b?", "CON ", "$x^2$", "'\"`",
    "x" * 300, "x" * 301, "女" * 300, "\udce9",
]  # fmt: skip


@pytest.mark.parametrize("name", ["DLIB_R29", "overlays_NET@random_layer1.0.conv1", "female_male"])
def test_a_name_that_is_safe_stays(name):
    assert file_name(name) == name


@pytest.mark.parametrize("name", ODD)
def test_any_other_name_becomes_one_that_every_file_system_takes(tmp_path, name):
    safe = file_name(name)
    assert re.fullmatch(r"[A-Za-z0-9_@][A-Za-z0-9_.@-]*[A-Za-z0-9]", safe)
    assert len(safe) < 140
    (tmp_path / f"{safe}.png").write_bytes(b"")
    assert [path.name for path in tmp_path.iterdir()] == [f"{safe}.png"]


def test_different_names_are_different_files_on_every_file_system():
    names = [*ODD, "a_b", "a", "x" * 120, "_", "Zoe"]
    assert len({file_name(name).lower() for name in names}) == len(set(names))


def test_what_can_be_read_of_a_name_stays():
    assert file_name("East Asian - Zoë/b").startswith("East_Asian_-_Zoe_b-")
