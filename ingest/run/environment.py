"""The environment of a run, as far as its numbers depend on it: programs, catalog, weights."""

import hashlib
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Final

import ingest
import leamstore
from ingest.networks.weights import find_weights
from ingest.run.models import Request
from leamstore.catalog import Catalog, built_in
from leamstore.catalog.files import sha256_of

_PACKAGES: Final = ("torch", "numpy", "pillow", "dlib-bin", "numba", "zarr")


def observe(catalog: Catalog, requests: Iterable[Request], parser: str) -> dict[str, str]:
    """Return versions and sha256 by the name of what they are of.

    Weights are found, or fetched, for it.

    Parameters
    ----------
    catalog : Catalog
        The catalog that has the parser.
    requests : iterable of Request
        The models.
    parser : str
        The parser's name.

    Raises
    ------
    LeamError
        If a file of weights can't be had.
    """
    parsers = [catalog.parsers[parser]] if parser in catalog.parsers else []
    return {
        "Python": ".".join(platform.python_version_tuple()[:2]),
        # The part after the plus, as in 2.8.0+cpu, names the hardware that a build runs on.
        **{name: metadata.version(name).partition("+")[0] for name in _PACKAGES},
        "version of this project": _digest_of_code(),
        "catalog.yaml": sha256_of(built_in()),
        **{f"weights of {one.name}": str(one.row()["weights_sha256"]) for one in requests},
        **{
            f"weights of {one.name}": sha256_of(find_weights(one.weights))
            for one in parsers
            if one.weights is not None
        },
    }


def differences(here: Mapping[str, str], there: Mapping[str, str]) -> str:
    """Return what differs as words: nothing, or ``another torch (2.8.0, not 2.9.0)``."""
    return ", ".join(
        f"another {name} ({_shortened(here[name])}, not {_shortened(value)})"
        for name, value in there.items()
        if here[name] != value
    )


def _digest_of_code() -> str:
    digest = hashlib.sha256()
    for package in (ingest, leamstore):
        folder = Path(package.__path__[0])
        for file in sorted(folder.rglob("*.py")):
            digest.update(str(file.relative_to(folder)).encode())
            digest.update(file.read_bytes())
    return digest.hexdigest()


def _shortened(value: str) -> str:
    return value if len(value) < 64 else f"{value[:8]}..."
