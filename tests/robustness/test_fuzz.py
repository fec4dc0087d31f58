"""The short form of ``python -m tests.robustness.fuzz``, which damages files for minutes."""

import pytest

from tests.robustness.fuzz import damage, targets

EXAMPLES = 25


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


def test_a_damaged_file_of_any_kind_is_read_or_refused(folder):
    for target in targets(folder):
        counts = damage(target, folder, EXAMPLES, seed=0)
        assert counts["answered"] + counts["refused"] >= EXAMPLES, target.name
