import pytest

from benchmarks.benchmark import Settings


@pytest.fixture
def settings(tmp_path):
    """Settings of a quick run."""
    return Settings(quick=True, seed=0, images=None, scratch=tmp_path)
