import pytest


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    """No test depends on how the shell that runs it is set."""
    for name in ("LEAM_OFFLINE", "LEAM_CACHE", "LEAM_LAKE"):
        monkeypatch.delenv(name, raising=False)
