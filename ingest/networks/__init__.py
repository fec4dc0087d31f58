"""Networks by their names in the catalog: built, filled with weights, and fed whole chips.

A network is the module that the callable of its catalog entry returns, of this package, of timm
or torchvision, or the user's own: it takes chips (n, 3, h, w) and gives an embedding of each. How
its input is normalised is a fact of the catalog and is put before it here. The names of its
layers and of its parameters remain its own.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ingest.networks.from_catalog import Normalisation, load

__all__ = ["Normalisation", "load"]


def __getattr__(name: str) -> Any:
    """Load the catalog when a network of it is asked for: the networks alone need only torch."""
    if name in __all__:
        from ingest.networks import from_catalog  # noqa: PLC0415

        return getattr(from_catalog, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
