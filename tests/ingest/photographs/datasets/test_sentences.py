from collections import Counter

import pytest

from ingest.photographs.datasets.sentences import counted, tally


@pytest.mark.parametrize(
    ("count", "words"), [(0, "0 files"), (1, "1 file"), (2, "2 files"), (1234, "1,234 files")]
)
def test_a_count_agrees_with_its_noun(count, words):
    assert counted(count, "file") == words


def test_a_tally_has_the_largest_first_and_no_zeros():
    assert tally(Counter(b=1, a=1, none=0, most=2000)) == "2,000 most, 1 a, 1 b"
