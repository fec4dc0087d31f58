"""Formats that Pillow reads by an optional plugin.

A file of such a format is recognised by its first bytes (ISO 14496-12 for HEIC and AVIF,
ISO 18181-2 for JPEG XL), so that the error without the plugin names it.
"""

from dataclasses import dataclass
from importlib import import_module
from typing import Final

HEAD: Final = 64
"""Number of first bytes of a file that identify its format."""


@dataclass(frozen=True)
class Plugin:
    """A format that a plugin reads.

    Attributes
    ----------
    format : str
        As people call it.
    module, package : str
        The module to import, and the distribution to install.
    brands : frozenset of bytes
        Brands of the box ``ftyp`` that such files begin with.
    signatures : tuple of bytes
        First bytes of such files that have no such box.
    """

    format: str
    module: str
    package: str
    brands: frozenset[bytes] = frozenset()
    signatures: tuple[bytes, ...] = ()

    def register(self) -> bool:
        """Register the plugin with Pillow, and return whether it is installed."""
        try:
            module = import_module(self.module)
        except ImportError:
            return False
        # The other plugins do this by being imported.
        if self.module == "pillow_heif":
            module.register_heif_opener()
        return True


PLUGINS: Final = (
    # Before HEIC, for an AVIF file may name HEIF's general brands among its own.
    Plugin("AVIF", "pillow_avif", "pillow-avif-plugin", frozenset(b"avif avis".split())),
    Plugin(
        "HEIC", "pillow_heif", "pillow-heif",
        frozenset(b"heic heix heim heis hevc hevx hevm hevs mif1 msf1".split()),
    ),
    Plugin(
        "JPEG XL", "pillow_jxl", "pillow-jxl-plugin",
        signatures=(b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"),
    ),
)  # fmt: skip


def plugin_for(head: bytes) -> Plugin | None:
    """Return the plugin that reads a file of these first bytes, or None if none is known to."""
    brands = _brands(head)
    for plugin in PLUGINS:
        if brands & plugin.brands or head.startswith(plugin.signatures or (b"\0no such",)):
            return plugin
    return None


def _brands(head: bytes) -> set[bytes]:
    """Return the brands of the box ``ftyp``: the major one, and those that are compatible."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[8:12], *(head[start : start + 4] for start in range(16, end, 4))}
