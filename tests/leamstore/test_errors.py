import pytest

from leamstore import errors
from leamstore.errors import LeamError, UnusableImageError, printable, some


@pytest.mark.parametrize(
    ("text", "shown"),
    [("Ada Ärö", "Ada Ärö"), ("a\nb\r\tc", r"a\nb\r\tc"), ("\x1b[2J\u202e", r"\x1b[2J\u202e")],
)  # fmt: skip
def test_controls_of_a_terminal_are_shown_as_escapes(text, shown):
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("names", "words"),
    [("", ""), ("ab", "a, b"), ("abc", "a, b, c"), ("abcde", "a, b, c and 2 more")],
)
def test_a_long_list_is_cut(names, words):
    assert some(names) == words


def test_an_unusable_image_has_its_reason_and_one_line():
    error = UnusableImageError("truncated", "a\nb ends before the image does.")
    assert error.reason == "truncated"
    assert str(error) == r"a\nb ends before the image does."


def test_every_error_of_ours_ends_a_command_with_its_sentence():
    ours = [
        one
        for one in vars(errors).values()
        if isinstance(one, type) and one.__module__ == errors.__name__
    ]
    assert ours
    assert all(issubclass(one, LeamError) for one in ours)
