"""Labeled Faces in the Wild: ``lfw/Name/Name_0001.jpg``.

Reads an archive as it unpacks (``lfw``, ``lfw_funneled``, ``lfw-deepfunneled``) and
scikit-learn's ``lfw_home``, whose own loader gives grey and cropped images. LFW states neither
gender nor age; an ``identities.csv`` or ``images.csv`` as for any folder of identities may.
"""

import dataclasses
from pathlib import Path
from typing import Final

from ingest.photographs.datasets import folder
from ingest.photographs.datasets.photograph import Dataset

NAME: Final = "lfw"

FOLDERS: Final = ("lfw_home", "lfw_funneled", "lfw-deepfunneled", "lfw")
"""Folders that hold the identities or each other, the one to be preferred first."""


def read(root: Path) -> Dataset:
    """Read LFW from the folder of its identities or from one that holds it."""
    identities = _identities(folder.existing_folder(root))
    return dataclasses.replace(folder.read(identities, NAME), root=root)


def _identities(root: Path) -> Path:
    """Return the innermost folder of those that LFW comes in."""
    inner = next((root / name for name in FOLDERS if (root / name).is_dir()), None)
    return root if inner is None else _identities(inner)
