"""Images of more than eight bits a channel, reduced to eight.

Such a file seldom states its white level. Cameras and microscopes store 10, 12 or 14 bits in 16,
which would come out all but black. So white is, in this order:

1. what the file states: PNG's chunk sBIT, TIFF's BitsPerSample or MaxSampleValue, as long as no
   pixel is brighter;
2. of whole numbers, the least full scale of a customary depth that no pixel exceeds, if a pixel
   reaches it or there are more levels than would be left of them otherwise; else the full scale of
   the file's type, so that a few dark pixels stay dark;
3. of floats, 1 or the full scale of a customary depth that the brightest comes near, a little above
   included; else the brightest.
"""

import sys
from collections.abc import Sequence
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DEPTHS: Final = (1, 8, 10, 12, 14, 16, 20, 24, 32)
"""Customary numbers of bits."""

OVERSHOOT: Final = 1.1
"""Factor by which floats may exceed their white, as resampled ones do."""

_BITS_PER_SAMPLE: Final = 258
_MAX_SAMPLE_VALUE: Final = 281
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_ALPHA: Final = 3
"""Place of the transparency in RGBA."""

_LOWER_BYTES: Final = {
    f"{channels};16{order}": f"{channels};16{other}"
    for channels in ("RGB", "RGBX", "RGBA")
    for order, other in (("B", "L"), ("L", "B"), ("N", "B" if sys.byteorder == "little" else "L"))
}
"""By Pillow's name of how 16 bits of colour are stored, of which it keeps the upper byte: the name
by which it keeps the lower one."""

_GREY_AND_ALPHA: Final = "LA;16B"
_AS_STORED: Final = "RGBA"
"""The name by which Pillow keeps the four bytes of grey and transparency as they are."""


def load_in_eight_bits(image: Image.Image, file: BinaryIO) -> Image.Image:
    """Decode an image that Pillow has opened, of any depth.

    Parameters
    ----------
    image : Image
        Not decoded yet; is so afterwards.
    file : BinaryIO
        File it was opened from, which is read once more for colours of more than a byte.

    Returns
    -------
    Image
        `image` itself if it has eight bits a channel, else a new one of mode L, RGB or RGBA.
    """
    raw_mode = _raw_mode(image)
    image.load()
    if image.mode == "F":
        return _grey_from_floats(np.asarray(image).astype(np.float64))
    if image.mode.startswith("I;16"):
        values = np.asarray(image).astype(np.uint16)
        return Image.fromarray(_scaled(values, _stated_bits(image, file)))
    if image.mode == "I":
        return _grey_from_integers(np.asarray(image), _stated_bits(image, file))
    if raw_mode in _LOWER_BYTES or raw_mode == _GREY_AND_ALPHA:
        return _shallow_colours(image, file, raw_mode)
    return image


def _shallow_colours(image: Image.Image, file: BinaryIO, raw_mode: str) -> Image.Image:
    """Return an image of 16 bits a channel, of which Pillow kept the upper byte."""
    upper = np.asarray(image)
    stated = _stated_bits(image, file)
    if upper[..., :_ALPHA].max(initial=0) >= 2**6 and not stated:
        return image  # more than 14 bits are in use: the upper bytes are what is asked for
    if raw_mode == _GREY_AND_ALPHA:
        stored = _decoded(file, _AS_STORED).astype(np.uint16)
        grey, alpha = (stored[..., n] * 256 + stored[..., n + 1] for n in (0, 2))
        values = np.stack([grey, grey, grey, alpha], axis=-1)
    else:
        values = upper.astype(np.uint16) * 256 + _decoded(file, _LOWER_BYTES[raw_mode])
    shallow = [_scaled(values[..., :_ALPHA], stated)]
    if values.shape[-1] > _ALPHA:
        shallow.append(_scaled(values[..., _ALPHA:], stated))
    return Image.fromarray(np.concatenate(shallow, axis=-1))


def _decoded(file: BinaryIO, raw_mode: str) -> NDArray[np.uint8]:
    """Decode a file's first frame with its bytes taken by another of Pillow's names."""
    file.seek(0)
    with Image.open(file) as image:
        image.tile = [
            tile._replace(
                args=raw_mode if isinstance(tile.args, str) else (raw_mode, *(tile.args or ())[1:])
            )
            for tile in image.tile
        ]
        image.load()
        return np.asarray(image)


def _raw_mode(image: Image.Image) -> str:
    """Return Pillow's name of how an image's pixels are stored; nothing if it has none."""
    tiles: Sequence[object] = getattr(image, "tile", None) or ()
    arguments = getattr(tiles[0], "args", "") if tiles else ""
    return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)


def _scaled(values: NDArray[np.uint16], stated: int | None) -> NDArray[np.uint8]:
    """Return whole numbers of 16 bits in 8."""
    table = np.arange(2**16) * (255 / _white_of_sixteen_bits(values, stated))
    return np.clip(table + 0.5, 0, 255).astype(np.uint8)[values]


def _white_of_sixteen_bits(values: NDArray[np.uint16], stated: int | None) -> int:
    brightest, full = int(values.max(initial=0)), 2**16 - 1
    if stated:
        return 2**stated - 1 if brightest < 2**stated else full
    white = _least_full_scale(brightest)
    seen = np.zeros(2**16, dtype=np.bool_)
    seen[values] = True
    left = brightest // 257 + 1
    return white if brightest == white or np.count_nonzero(seen) > left else full


def _grey_from_integers(values: NDArray[np.int32], stated: int | None) -> Image.Image:
    brightest = int(values.max(initial=0))
    white = _least_full_scale(brightest)
    if stated and brightest < 2**stated:
        white = 2**stated - 1
    return Image.fromarray(np.clip(values * (255 / white) + 0.5, 0, 255).astype(np.uint8))


def _grey_from_floats(values: NDArray[np.float64]) -> Image.Image:
    brightest = float(values.max(initial=0.0, where=np.isfinite(values)))
    near = (2**depth - 1 for depth in DEPTHS if brightest <= OVERSHOOT * (2**depth - 1))
    white: float = next(near, brightest)
    if white > 1 and brightest < white / 4:
        white = brightest
    known = np.nan_to_num(values, nan=0.0, posinf=white, neginf=0.0)
    return Image.fromarray(np.clip(known * (255 / white) + 0.5, 0, 255).astype(np.uint8))


def _least_full_scale(brightest: int) -> int:
    return next(2**depth - 1 for depth in DEPTHS if brightest < 2**depth)


def _stated_bits(image: Image.Image, file: BinaryIO) -> int | None:
    """Return how many bits of a channel a file says are in use, or None if it doesn't say."""
    file.seek(0)
    if file.read(len(_PNG)) == _PNG:
        return _bits_of_png(file)
    tags = getattr(image, "tag_v2", {})
    brightest = _largest(tags.get(_MAX_SAMPLE_VALUE))
    if brightest:
        return brightest.bit_length()
    depth = _largest(tags.get(_BITS_PER_SAMPLE))
    return depth if depth and depth < 2**4 else None


def _largest(tag: object) -> int:
    """Return the largest whole number of a TIFF tag that has one for each channel; 0 if none."""
    numbers = tag if isinstance(tag, tuple) else (tag,)
    return max((number for number in numbers if isinstance(number, int)), default=0)


def _bits_of_png(file: BinaryIO) -> int | None:
    """Return the content of the chunk sBIT (PNG, section 11.3.2.5), which precedes the pixels."""
    while len(head := file.read(8)) == 8 and head[4:] not in (b"IDAT", b"IEND"):
        length = int.from_bytes(head[:4], "big")
        if head[4:] == b"sBIT":
            bits = max(file.read(min(length, 4)), default=0)
            return bits if 0 < bits <= 2**4 else None
        file.seek(length + 4, 1)
    return None
