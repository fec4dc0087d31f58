import os

# Files run beside each other; more threads than cores would only wait for one another.
for _name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_name, "1")

import pytest  # noqa: E402


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    """No test depends on how the shell that runs it is set."""
    for name in ("LEAM_OFFLINE", "LEAM_CACHE", "LEAM_LAKE"):
        monkeypatch.delenv(name, raising=False)
