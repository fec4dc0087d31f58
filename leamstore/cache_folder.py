"""The folder of what is fetched or made once for a machine."""

import os
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """Return the folder of fetched files: LEAM_CACHE, or the user's cache folder."""
    named = os.environ.get("LEAM_CACHE")
    return Path(named).expanduser() if named else platformdirs.user_cache_path("leam-lake")
