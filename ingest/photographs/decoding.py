"""Decoding of image files of any supported format to upright RGB pixels.

Anything that Pillow decodes comes out as (h, w, 3) uint8; anything else is an
`UnusableImageError` whose reason goes into the lake's ``images`` table. Pillow's global
settings are neither read for the decision nor changed; only a plugin that is installed is
registered when a file comes that it reads (see `ingest.photographs.pillow_plugins`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, UnidentifiedImageError

from ingest.photographs.deep_pixels import load_in_eight_bits
from ingest.photographs.pillow_plugins import HEAD, plugin_for
from leamstore.errors import UnusableImageError

MAX_PIXELS: Final = 89_478_485
"""Pixels above which a photograph is not decoded: 256 MiB as RGB, Pillow's own first limit."""

MAX_BYTES: Final = 2**30
"""Bytes above which a file is not taken for a photograph: a sparse file may claim any number."""

VECTOR_FORMATS: Final = frozenset({"EPS", "WMF"})
"""Drawings that Pillow hands to an interpreter (Ghostscript), which no stranger's file gets."""

PAPER: Final = (255, 255, 255)
"""Background of transparent pixels: white, as on a page."""

_UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""Operation that undoes each value of the EXIF orientation (EXIF 2.32, section 4.6.4, tag 274)."""


def read_photograph(path: Path) -> NDArray[np.uint8]:
    """Return the first frame of an image file as upright RGB pixels.

    Parameters
    ----------
    path : Path
        A regular file in any raster format of Pillow: grey, palette, transparent (shown on
        white), CMYK, or deeper than eight bits (scaled by the bits in use, not clipped); HEIC and
        JPEG XL where their plugins are installed.

    Returns
    -------
    (h, w, 3) uint8
        RGB, after EXIF orientation.

    Raises
    ------
    UnusableImageError
        ``unreadable``, ``not-an-image``, ``no-decoder``, ``truncated`` or ``too-large``.
    """
    with open_file(path) as file:
        return decode_photograph(file, str(path))


@contextmanager
def open_file(path: Path) -> Iterator[BufferedReader]:
    """Open a regular file of a sane size; an error in reading becomes an error of the file.

    Raises
    ------
    UnusableImageError
        ``unreadable`` or ``too-large``.
    """
    try:
        # Opening a pipe would wait for a writer for ever, and a device may have no end.
        size = path.stat().st_size
        if not path.is_file():
            raise UnusableImageError("unreadable", f"{path} is not a regular file.")
        if size > MAX_BYTES:
            sentence = f"{path} has {size:,} bytes; {MAX_BYTES:,} are allowed."
            raise UnusableImageError("too-large", sentence)
        with path.open("rb") as file:
            yield file
    except (OSError, ValueError) as error:
        sentence = f"{path} cannot be opened: {_explain(error)}."
        raise UnusableImageError("unreadable", sentence) from error


def decode_photograph(file: BinaryIO, name: str) -> NDArray[np.uint8]:
    """Decode an open file as `read_photograph` does; messages call it `name`.

    Raises
    ------
    UnusableImageError
        ``not-an-image``, ``no-decoder``, ``truncated`` or ``too-large``.
    OSError
        If the file can't be read on, as from a disk that fails.
    """
    try:
        with _opened(file, name) as image:
            _refuse_unsafe(image, name)
            decoded = load_in_eight_bits(image, file)
            return np.asarray(_to_rgb(_upright(decoded, image)))
    except UnusableImageError:
        raise
    except UnidentifiedImageError as error:
        sentence = f"{name} is not an image that Pillow reads."
        raise UnusableImageError("not-an-image", sentence) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusableImageError("too-large", f"{name} is too large: {error}.") from error
    except Exception as error:
        # Pillow's plugins meet broken files with nearly every exception there is; only those
        # with an errno come from the file system.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise _broken(error, name) from error


def _opened(file: BinaryIO, name: str) -> Image.Image:
    """Open an image, by a plugin if Pillow needs one and it is installed."""
    try:
        return Image.open(file)
    except UnidentifiedImageError:
        file.seek(0)
        plugin = plugin_for(file.read(HEAD))
        if plugin is None:
            raise
    if not plugin.register():
        raise UnusableImageError(
            "no-decoder",
            f"{name} is {plugin.format}, which Pillow reads by a plugin: "
            f"`pip install {plugin.package}`, then type the same command again.",
        )
    file.seek(0)
    return Image.open(file)


def _refuse_unsafe(image: Image.Image, name: str) -> None:
    """Raise unless the opened, not yet decoded image is a raster of a sane size."""
    if image.format in VECTOR_FORMATS:
        sentence = f"{name} is a vector drawing ({image.format}), not a photograph."
        raise UnusableImageError("not-an-image", sentence)
    if image.width * image.height > MAX_PIXELS:
        sentence = f"{name} has {image.width} x {image.height} pixels; {MAX_PIXELS} are allowed."
        raise UnusableImageError("too-large", sentence)


def _upright(decoded: Image.Image, opened: Image.Image) -> Image.Image:
    """Return a decoded image turned as the EXIF orientation of what it was opened from says."""
    # Asked after decoding, for Pillow's TIFF and AVIF readers turn the image themselves.
    try:
        method = _UPRIGHT.get(opened.getexif().get(ExifTags.Base.Orientation, 1))
    except Exception:  # broken EXIF makes Pillow raise anything, and costs no photograph
        return decoded
    return decoded if method is None else decoded.transpose(method)


def _to_rgb(image: Image.Image) -> Image.Image:
    """Return a decoded image of eight bits a channel in mode RGB."""
    if image.has_transparency_data:
        paper = Image.new("RGBA", image.size, PAPER)
        return Image.alpha_composite(paper, image.convert("RGBA")).convert("RGB")
    return image.convert("RGB")


def _broken(error: Exception, name: str) -> UnusableImageError:
    """Return what to raise for a file that begins like an image and can't be decoded."""
    if isinstance(error, EOFError) or "truncat" in str(error).lower():
        return UnusableImageError("truncated", f"{name} ends before its image does.")
    sentence = f"{name} is damaged and cannot be decoded: {_explain(error)}."
    return UnusableImageError("not-an-image", sentence)


def _explain(error: Exception) -> str:
    """Return an exception's own words, without the path that Python adds to some."""
    words = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return words.rstrip(".")
