"""Photographs that are none, or far more than one."""

import io
import os
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from tests.robustness.hostile.case import Case, Room
from tests.robustness.hostile.readers import photograph


def encoded(kind: str, size: tuple[int, int] = (64, 48), **settings: object) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size, "grey").save(stream, kind, **settings)
    return stream.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(width: int, height: int) -> bytes:
    """A PNG file of a few bytes that claims to be large."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def with_chunk(kind: bytes, body: bytes) -> bytes:
    whole = encoded("PNG")
    return whole[:33] + chunk(kind, body) + whole[33:]


def icon(inner: bytes) -> bytes:
    entry = struct.pack("<BBBBHHII", 16, 16, 0, 0, 1, 32, len(inner), 22)
    return struct.pack("<HHH", 0, 1, 1) + entry + inner


def tiff(width: int, height: int) -> bytes:
    tags = [(256, width), (257, height), (273, 8)]
    rows = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + rows + bytes(4)


def animation() -> bytes:
    frames = [Image.new("RGB", (8, 8), (shade, 0, 0)) for shade in range(200)]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def named(name: str, content: bytes) -> Callable[[Room], Path]:
    def make(room: Room) -> Path:
        path = room.folder / name
        path.write_bytes(content)
        return path

    return make


def file(content: bytes) -> Callable[[Room], Path]:
    return named("x.jpg", content)


def directory(room: Room) -> Path:
    (room.folder / "x.jpg").mkdir()
    return room.folder / "x.jpg"


def link(target: str) -> Callable[[Room], Path]:
    def make(room: Room) -> Path:
        (room.folder / "x.jpg").symlink_to(target)
        return room.folder / "x.jpg"

    return make


def pipe(room: Room) -> Path:
    os.mkfifo(room.folder / "x.jpg")
    return room.folder / "x.jpg"


def sparse(room: Room) -> Path:
    path = room.folder / "x.jpg"
    with path.open("wb") as stream:
        stream.truncate(2**40)
    return path


BOMB = zlib.compress(bytes(10**7))
GARBAGE_EXIF = b"Exif\0\0II*\0" + b"\xff" * 40
NO_TIFF = b"Exif\0\0no TIFF at all"
LOOP_EXIF = b"Exif\0\0II*\0\x08\0\0\0\0\0\x08\0\0\0"
NO_FACE = r"no-face: No face was found in the photograph\."

_CONTENTS = [
    (
        "a PNG that claims 900 million pixels",
        png(30_000, 30_000),
        r"too-large: .*x\.jpg is too large: .*",
    ),
    (
        "a PNG a little larger than allowed",
        png(9460, 9460),
        r"too-large: .* has 9460 x 9460 pixels; .*",
    ),
    ("a TIFF that claims 4 * 10**18 pixels", tiff(2**31 - 1, 2**31 - 1), r"too-large: .*"),
    (
        "a GIF that claims 4 * 10**9 pixels",
        b"GIF89a" + b"\xff" * 4 + b"\0\0\0,\0\0\0\0" + b"\xff" * 4 + b"\0\x08\0;",
        r"too-large: .*",
    ),
    ("an icon with a large PNG in it", icon(png(30_000, 30_000)), r"too-large: .*"),
    (
        "a comment that unpacks to 10 MB",
        with_chunk(b"zTXt", b"a\0\0" + BOMB),
        r"not-an-image: .* is damaged and cannot be decoded: .*",
    ),
    (
        "a colour profile that unpacks to 10 MB",
        with_chunk(b"iCCP", b"a\0\0" + BOMB),
        r"not-an-image: .* cannot be decoded: .*",
    ),
    ("30,000 pixels in a row", encoded("PNG", (30_000, 1)), NO_FACE),
    ("30,000 pixels in a column", encoded("PNG", (1, 30_000)), NO_FACE),
    ("30,000 x 100 pixels", encoded("JPEG", (30_000, 100)), NO_FACE),
    ("one pixel", encoded("PNG", (1, 1)), NO_FACE),
    ("no byte", b"", r"not-an-image: .*x\.jpg is not an image that Pillow reads\."),
    (
        "half a JPEG",
        encoded("JPEG", (600, 480))[:900],
        r"truncated: .*x\.jpg ends before its image does\.",
    ),
    ("half a PNG", encoded("PNG", (600, 480))[:300], r"truncated: .* ends before its image does\."),
    ("a PNG called jpg", encoded("PNG"), NO_FACE),
    ("a web page called jpg", b"<!doctype html><p>Sorry", r"not-an-image: .* is not an image .*"),
    (
        "a program for Ghostscript called jpg",
        encoded("EPS"),
        r"not-an-image: .* is a vector drawing \(EPS\), not a photograph\.",
    ),
    ("an animation of 200 frames", animation(), NO_FACE),
    ("EXIF of garbage", encoded("JPEG", exif=GARBAGE_EXIF), NO_FACE),
    ("EXIF in a PNG that is no TIFF", encoded("PNG", exif=NO_TIFF), NO_FACE),
    ("EXIF that refers to itself", encoded("JPEG", exif=LOOP_EXIF), NO_FACE),
]

_NAMES = [
    ("a name with a line end", "a\nb.jpg", r"a\\nb\.jpg"),
    ("a name with emoji", "😀.jpg", r"😀\.jpg"),
    ("a name with quotes", """'"`$(touch x).jpg""", r"""'"`\$\(touch x\)\.jpg"""),
    ("a name that controls the terminal", "\x1b[2J[red].jpg", r"\\x1b\[2J\[red\]\.jpg"),
]

_FILES = [
    ("a directory called x.jpg", directory, r"unreadable: .*x\.jpg is not a regular file\."),
    ("a link to itself", link("x.jpg"), r"unreadable: .* cannot be opened: Too many levels .*\."),
    (
        "a link to nothing",
        link("../nobody/has.jpg"),
        r"unreadable: .* cannot be opened: No such file or directory\.",
    ),
    (
        "a link to a device without end",
        link("/dev/zero"),
        r"unreadable: .* is not a regular file\.",
    ),
    ("a pipe", pipe, r"unreadable: .* is not a regular file\."),
    (
        "a hole of a tebibyte",
        sparse,
        r"too-large: .* has 1,099,511,627,776 bytes; 1,073,741,824 are allowed\.",
    ),
]

CASES = [
    *(Case(name, file(content), photograph, answer) for name, content, answer in _CONTENTS),
    *(
        Case(name, named(path, b""), photograph, rf"not-an-image: .*{shown} is not an image .*")
        for name, path, shown in _NAMES
    ),
    *(Case(name, make, photograph, answer) for name, make, answer in _FILES),
]
