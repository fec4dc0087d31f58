"""Data sets: from files on disk to photographs with an identity and, where stated, attributes.

Every data set is a module with ``read(root) -> Dataset``; `open_dataset` finds it by name.
The module `fetching` brings data sets that are published, `selection` takes a
part of one.
"""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Final

from ingest.photographs.datasets import demo, fgnet, folder, imdb_face, lfw
from ingest.photographs.datasets.attributes import distinct_values
from ingest.photographs.datasets.photograph import Dataset, Photograph
from leamstore.errors import LeamError

__all__ = ["DATASETS", "Dataset", "Photograph", "open_dataset"]

DATASETS: Final[dict[str, Callable[[Path], Dataset]]] = {
    folder.NAME: folder.read,
    demo.NAME: demo.read,
    lfw.NAME: lfw.read,
    fgnet.NAME: fgnet.read,
    imdb_face.NAME: imdb_face.read,
}
"""Readers by the data set's name."""


def open_dataset(name: str, root: str | Path) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    name : str
        A key of `DATASETS`; case, hyphens and underscores don't matter.
    root : str or Path
        Folder that holds the data set; ``demo`` writes its images there.

    Returns
    -------
    Dataset
        Its photographs, ordered by identity, then path, with a note on each attribute.

    Raises
    ------
    LeamError
        If the name is unknown, or the folder is missing, empty or laid out otherwise.
    """
    readers = {_plain(known): read for known, read in DATASETS.items()}
    read = readers.get(_plain(name))
    if read is None:
        raise LeamError(
            f"There is no data set named {name!r}: choose one of {', '.join(DATASETS)}."
        )
    dataset = read(Path(root))
    notes = (*distinct_values(dataset.photographs), *dataset.notes)
    return dataclasses.replace(dataset, notes=notes)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
