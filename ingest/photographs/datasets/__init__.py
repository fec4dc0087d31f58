"""Data sets: photographs on disk with their identities and, where stated, attributes.

Every data set is a module with ``read(root) -> Dataset``, which its entry in the catalog names; a
folder that is missing or laid out otherwise is a `LeamError`.
The module `fetching` downloads published data sets, and `selection` takes a part of one.
"""

import dataclasses
from pathlib import Path

from ingest.photographs.datasets.attributes import distinct_values
from ingest.photographs.datasets.photograph import Dataset, Photograph
from leamstore.catalog import Catalog, read_catalog, resolve
from leamstore.errors import LeamError

__all__ = ["Dataset", "Photograph", "open_dataset"]


def open_dataset(name: str, root: str | Path, catalog: Catalog | None = None) -> Dataset:
    """Read a data set.

    Parameters
    ----------
    name : str
        Its name in the catalog; case, hyphens and underscores don't matter.
    root : str or Path
        Folder that holds the data set; ``demo`` writes its images there.
    catalog : Catalog, optional
        By default the built-in one.

    Returns
    -------
    Dataset
        Its photographs, ordered by identity, then path, with a note on each attribute.

    Raises
    ------
    LeamError
        If the name is unknown, or the folder is missing, empty or laid out otherwise.
    """
    known = (catalog or read_catalog()).datasets
    entry = {_plain(other): entry for other, entry in known.items()}.get(_plain(name))
    if entry is None:
        raise LeamError(f"There is no data set named {name!r}: choose one of {', '.join(known)}.")
    dataset: Dataset = resolve(entry, entry.reader)(Path(root))
    notes = (*distinct_values(dataset.photographs), *dataset.notes)
    return dataclasses.replace(dataset, notes=notes)


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
