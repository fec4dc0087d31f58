import io
import os
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import ExifTags, Image, ImageFile

from ingest.photographs import decoding
from ingest.photographs.decoding import read_photograph
from leamstore.errors import UnusableImageError
from leamstore.schema import REJECTIONS

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
CORNERS = np.array([[RED, GREEN], [BLUE, WHITE]], dtype=np.uint8)


def rejection(path):
    with pytest.raises(UnusableImageError) as caught:
        read_photograph(path)
    assert caught.value.reason in REJECTIONS
    assert "\n" not in str(caught.value)
    return caught.value.reason


def noise(size=(64, 48)):
    width, height = size
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def png(header_size, depth=8, color=2, data=b""):
    """A PNG file whose header may promise more than its data holds."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", *header_size, depth, color, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(data))
        + chunk(b"IEND", b"")
    )


def test_pixels_of_a_lossless_file_come_back_as_they_are(tmp_path):
    pixels = noise()
    Image.fromarray(pixels).save(tmp_path / "x.png")

    read = read_photograph(tmp_path / "x.png")

    assert read.dtype == np.uint8
    assert (read == pixels).all()


@pytest.mark.parametrize(
    ("orientation", "upright"),
    [
        (1, [[RED, GREEN], [BLUE, WHITE]]),
        (2, [[GREEN, RED], [WHITE, BLUE]]),
        (3, [[WHITE, BLUE], [GREEN, RED]]),
        (4, [[BLUE, WHITE], [RED, GREEN]]),
        (5, [[RED, BLUE], [GREEN, WHITE]]),
        (6, [[BLUE, RED], [WHITE, GREEN]]),
        (7, [[WHITE, GREEN], [BLUE, RED]]),
        (8, [[GREEN, WHITE], [RED, BLUE]]),
        (99, [[RED, GREEN], [BLUE, WHITE]]),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_exif_orientation_is_undone(tmp_path, orientation, upright, suffix):
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(CORNERS).save(path, exif=exif)

    assert read_photograph(path).tolist() == np.array(upright).tolist()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_broken_exif_does_not_cost_the_photograph(tmp_path):
    stream = io.BytesIO()
    Image.fromarray(noise()).save(stream, "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff\x07")
    (tmp_path / "x.jpg").write_bytes(stream.getvalue())

    assert read_photograph(tmp_path / "x.jpg").shape == (48, 64, 3)


def test_grey_becomes_three_equal_channels(tmp_path):
    Image.fromarray(np.array([[0, 128, 255]], np.uint8)).save(tmp_path / "x.png")

    assert read_photograph(tmp_path / "x.png").tolist() == [[[0] * 3, [128] * 3, [255] * 3]]


def test_a_black_and_white_scan_becomes_0_and_255(tmp_path):
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "x.tiff")

    assert read_photograph(tmp_path / "x.tiff").tolist() == [[[255] * 3, [0] * 3]]


def test_palette_colours_are_looked_up(tmp_path):
    Image.fromarray(CORNERS).quantize(4).save(tmp_path / "x.png")

    assert (read_photograph(tmp_path / "x.png") == CORNERS).all()


def test_transparent_pixels_show_white(tmp_path):
    pixels = np.array([[(*RED, 255), (*RED, 0), (*RED, 128)]], dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "x.png")

    # 128 / 255 red over white leaves 127 of the white's green and blue.
    assert read_photograph(tmp_path / "x.png").tolist() == [
        [[255, 0, 0], [255] * 3, [255, 127, 127]]
    ]


def test_a_transparent_palette_entry_shows_white(tmp_path):
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.save(tmp_path / "x.gif", transparency=1)

    assert read_photograph(tmp_path / "x.gif").tolist() == [[[255, 0, 0], [255, 255, 255]]]


def test_transparent_grey_shows_white(tmp_path):
    Image.fromarray(np.array([[(0, 255), (0, 0)]], np.uint8), "LA").save(tmp_path / "x.png")

    assert read_photograph(tmp_path / "x.png").tolist() == [[[0] * 3, [255] * 3]]


def test_cmyk_becomes_rgb(tmp_path):
    # Cyan ink takes all red away, black ink takes everything.
    inks = np.array([[(255, 0, 0, 0), (0, 0, 0, 255), (0, 0, 0, 0)]], dtype=np.uint8)
    Image.fromarray(inks, "CMYK").save(tmp_path / "x.tiff")

    assert read_photograph(tmp_path / "x.tiff").tolist() == [[[0, 255, 255], [0] * 3, [255] * 3]]


def test_sixteen_bits_are_scaled_not_clipped(tmp_path):
    deep = np.array([[0, 257, 32896, 65535]], dtype=np.uint16)
    Image.fromarray(deep).save(tmp_path / "x.png")
    Image.fromarray(deep).save(tmp_path / "x.tiff")

    for name in ("x.png", "x.tiff"):
        assert read_photograph(tmp_path / name)[0, :, 0].tolist() == [0, 1, 128, 255]


def test_a_dark_sixteen_bit_image_stays_dark(tmp_path):
    Image.fromarray(np.array([[0, 514]], dtype=np.uint16)).save(tmp_path / "x.png")

    assert read_photograph(tmp_path / "x.png")[0, :, 0].tolist() == [0, 2]


def test_sixteen_bits_of_colour_are_scaled(tmp_path):
    row = struct.pack(">B6H", 0, 65535, 32896, 0, 257, 0, 65535)
    (tmp_path / "x.png").write_bytes(png((2, 1), depth=16, data=row))

    assert read_photograph(tmp_path / "x.png").tolist() == [[[255, 128, 0], [1, 0, 255]]]


@pytest.mark.parametrize("white", [1, 255, 65535])
def test_floats_are_scaled_by_the_smallest_customary_white(tmp_path, white):
    pixels = np.array([[0, 0.4, 1, np.nan]], dtype=np.float32) * white
    Image.fromarray(pixels).save(tmp_path / "x.tiff")

    assert read_photograph(tmp_path / "x.tiff")[0, :, 0].tolist() == [0, 102, 255, 0]


def test_a_float_a_little_above_white_is_white(tmp_path):
    pixels = np.array([[0, 0.5, 1, 1.04, np.inf, -0.02]], dtype=np.float32)
    Image.fromarray(pixels).save(tmp_path / "x.tiff")

    assert read_photograph(tmp_path / "x.tiff")[0, :, 0].tolist() == [0, 128, 255, 255, 255, 0]


def test_floats_that_come_near_no_customary_white_are_scaled_by_the_brightest(tmp_path):
    Image.fromarray(np.array([[0, 1.85, 3.7]], dtype=np.float32)).save(tmp_path / "x.tiff")

    assert read_photograph(tmp_path / "x.tiff")[0, :, 0].tolist() == [0, 128, 255]


def gradient(bits, largest=None):
    """A ramp over whole numbers of so many bits, 64 x 64."""
    largest = 2**bits - 1 if largest is None else largest
    return np.linspace(0, largest, 64 * 64).round().reshape(64, 64)


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize(("suffix", "kind"), [("png", "<u2"), ("tiff", "<u2"), ("tiff", ">u2")])
def test_fewer_bits_in_sixteen_are_stretched_by_the_bits_in_use(tmp_path, bits, suffix, kind):
    Image.fromarray(gradient(bits).astype(kind)).save(tmp_path / f"x.{suffix}")

    read = read_photograph(tmp_path / f"x.{suffix}")

    assert (read[..., 0] == np.floor(gradient(bits) * 255 / (2**bits - 1) + 0.5)).all()


def test_an_underexposed_photograph_of_twelve_bits_keeps_its_levels(tmp_path):
    Image.fromarray(gradient(12, 1500).astype(np.uint16)).save(tmp_path / "x.png")

    assert read_photograph(tmp_path / "x.png").max() == round(1500 * 255 / 4095)


@pytest.mark.parametrize("bits", [8, 10, 12, 16, 24])
def test_integers_of_thirty_two_bits_are_stretched_by_the_bits_in_use(tmp_path, bits):
    Image.fromarray(gradient(bits).astype(np.int32)).save(tmp_path / "x.tiff")

    assert np.ptp(read_photograph(tmp_path / "x.tiff")) == 255


def deep_png(values, color, bits=None):
    """A PNG file of 16 bits a channel, (h, w) or (h, w, channels), that may state fewer."""
    height, width = values.shape[:2]
    rows = values.astype(">u2").reshape(height, -1).tobytes()
    step = len(rows) // height
    data = b"".join(b"\0" + rows[start : start + step] for start in range(0, len(rows), step))
    whole = png((width, height), depth=16, color=color, data=data)
    if bits is None:
        return whole
    channels = 1 if values.ndim == 2 else values.shape[2]
    body = b"sBIT" + bytes([bits] * channels)
    stated = struct.pack(">I", channels) + body + struct.pack(">I", zlib.crc32(body))
    return whole[:33] + stated + whole[33:]


def test_what_a_png_states_of_its_bits_goes_before_its_pixels(tmp_path):
    dark = gradient(12)
    (tmp_path / "12.png").write_bytes(deep_png(gradient(12, 500), 0, bits=12))
    (tmp_path / "16.png").write_bytes(deep_png(dark, 0, bits=16))
    (tmp_path / "scaled.png").write_bytes(deep_png(gradient(16), 0, bits=12))

    assert read_photograph(tmp_path / "12.png").max() == round(500 * 255 / 4095)
    assert read_photograph(tmp_path / "16.png").max() == round(4095 * 255 / 65535)
    assert read_photograph(tmp_path / "scaled.png").max() == 255


@pytest.mark.parametrize("bits", [10, 12])
@pytest.mark.parametrize("stated", [True, False])
def test_fewer_bits_of_colour_in_sixteen_are_stretched(tmp_path, bits, stated):
    ramp = gradient(bits)
    colours = np.stack([ramp, ramp[::-1], ramp * 0], axis=-1).round()
    (tmp_path / "x.png").write_bytes(deep_png(colours, 2, bits=bits if stated else None))

    expected = np.floor(colours * 255 / (2**bits - 1) + 0.5)
    assert (read_photograph(tmp_path / "x.png") == expected).all()


def test_fewer_bits_of_transparent_colour_and_grey_are_stretched(tmp_path):
    ramp = gradient(12)
    opaque, clear = np.full_like(ramp, 65535), np.zeros_like(ramp)
    for alpha, name in ((opaque, "opaque"), (clear, "clear")):
        colours = np.stack([ramp, ramp, ramp, alpha], axis=-1)
        (tmp_path / f"{name}-rgba.png").write_bytes(deep_png(colours, 6))
        (tmp_path / f"{name}-la.png").write_bytes(deep_png(colours[..., 2:], 4))

    for kind in ("rgba", "la"):
        assert np.ptp(read_photograph(tmp_path / f"opaque-{kind}.png")) == 255
        assert (read_photograph(tmp_path / f"clear-{kind}.png") == 255).all()


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_fewer_bits_of_colour_in_a_tiff_are_stretched(tmp_path, order, compression):
    ramp = gradient(12)
    colours = np.stack([ramp, ramp[::-1], ramp], axis=-1).astype(np.uint16)
    tifffile = pytest.importorskip("tifffile")
    tifffile.imwrite(
        tmp_path / "x.tiff", colours, photometric="rgb", compression=compression, byteorder=order
    )

    expected = np.floor(colours * 255.0 / 4095 + 0.5)
    assert (read_photograph(tmp_path / "x.tiff") == expected).all()


def test_of_an_animation_the_first_frame_is_read(tmp_path):
    frames = [Image.new("RGB", (4, 4), colour) for colour in (RED, GREEN, BLUE)]
    frames[0].save(tmp_path / "x.gif", save_all=True, append_images=frames[1:])
    frames[0].save(tmp_path / "x.webp", save_all=True, append_images=frames[1:], lossless=True)

    for name in ("x.gif", "x.webp"):
        assert (read_photograph(tmp_path / name) == np.array(RED)).all()


def test_a_wrong_suffix_does_not_matter(tmp_path):
    Image.fromarray(CORNERS).save(tmp_path / "x.png")
    (tmp_path / "x.png").rename(tmp_path / "x.jpg")

    assert (read_photograph(tmp_path / "x.jpg") == CORNERS).all()


@pytest.mark.parametrize(
    "content", [b"", b"hello", b"<html></html>", b"\x89PNG\r\n\x1a\n", os.urandom(1000)]
)
def test_what_is_not_an_image_is_rejected_as_such(tmp_path, content):
    (tmp_path / "x.jpg").write_bytes(content)

    assert rejection(tmp_path / "x.jpg") == "not-an-image"


def test_a_drawing_for_ghostscript_is_rejected_without_running_it(tmp_path):
    Image.fromarray(noise()).save(tmp_path / "x.eps")

    with pytest.raises(UnusableImageError, match="vector drawing"):
        read_photograph(tmp_path / "x.eps")


@pytest.mark.parametrize("suffix", ["jpg", "png", "tiff", "bmp"])
def test_a_truncated_file_is_rejected_as_such(tmp_path, suffix):
    path = tmp_path / f"x.{suffix}"
    Image.fromarray(noise()).save(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    assert rejection(path) == "truncated"


@pytest.mark.parametrize(
    "suffix", ["jpg", "png", "gif", "webp", "tiff", "bmp", "jp2", "ppm", "tga"]
)
@pytest.mark.filterwarnings("ignore")
def test_no_cut_and_no_flipped_byte_escapes_as_another_exception(tmp_path, suffix):
    rng = np.random.default_rng(5)
    stream = io.BytesIO()
    Image.fromarray(noise((16, 12))).save(
        stream, {"jpg": "jpeg", "jp2": "jpeg2000"}.get(suffix, suffix)
    )
    whole = np.frombuffer(stream.getvalue(), np.uint8)
    path = tmp_path / f"x.{suffix}"
    for _ in range(60):
        damaged = whole[: rng.integers(1, len(whole) + 1)].copy()
        damaged[rng.integers(0, len(damaged), 3)] = rng.integers(0, 256, 3)
        path.write_bytes(damaged.tobytes())
        try:
            assert read_photograph(path).shape[2] == 3
        except UnusableImageError as error:
            assert error.reason in REJECTIONS


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("size", [(9460, 9460), (60_000, 60_000)])
def test_a_bomb_is_rejected_by_its_header(tmp_path, size):
    (tmp_path / "x.png").write_bytes(png(size))

    assert rejection(tmp_path / "x.png") == "too-large"


@pytest.mark.filterwarnings("error::PIL.Image.DecompressionBombWarning")
def test_a_bomb_is_rejected_also_where_warnings_are_errors(tmp_path):
    (tmp_path / "x.png").write_bytes(png((9460, 9460)))

    assert rejection(tmp_path / "x.png") == "too-large"


def test_a_directory_is_unreadable(tmp_path):
    (tmp_path / "x.jpg").mkdir()

    assert rejection(tmp_path / "x.jpg") == "unreadable"


def test_a_missing_file_is_unreadable(tmp_path):
    assert rejection(tmp_path / "x.jpg") == "unreadable"


def test_a_symlink_loop_is_unreadable(tmp_path):
    (tmp_path / "x.jpg").symlink_to(tmp_path / "x.jpg")

    assert rejection(tmp_path / "x.jpg") == "unreadable"


def test_a_pipe_is_unreadable_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "x.jpg")

    assert rejection(tmp_path / "x.jpg") == "unreadable"


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may read every file")
def test_a_file_without_permission_is_unreadable(tmp_path):
    Image.fromarray(CORNERS).save(tmp_path / "x.png")
    (tmp_path / "x.png").chmod(0)

    assert rejection(tmp_path / "x.png") == "unreadable"


def test_a_disk_that_fails_while_reading_is_unreadable(tmp_path, monkeypatch):
    Image.fromarray(noise((256, 256))).save(tmp_path / "x.bmp")

    class FailingDisk(io.BytesIO):
        def read(self, size=-1):
            if self.tell() > 1000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    content = (tmp_path / "x.bmp").read_bytes()
    with pytest.raises(OSError, match="Input/output error"):
        decoding.decode_photograph(FailingDisk(content), "x.bmp")


def test_pillows_global_settings_are_untouched(tmp_path):
    before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
    (tmp_path / "x.png").write_bytes(png((10, 10)))

    rejection(tmp_path / "x.png")

    assert before == (Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES)


HEADS = {
    "HEIC": b"\0\0\0\x1cftypheic\0\0\0\0mif1heicmiaf" + bytes(40),
    "HEIC of any HEVC": b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic" + bytes(40),
    "JPEG XL": b"\xff\x0a" + bytes(40),
    "JPEG XL in boxes": b"\0\0\0\x0cJXL \r\n\x87\n" + bytes(40),
}
REMEDIES = {"HEIC": "pip install pillow-heif", "JPEG XL": "pip install pillow-jxl-plugin"}


@pytest.mark.parametrize("kind", HEADS)
def test_a_format_that_needs_a_plugin_is_rejected_with_the_remedy(tmp_path, kind):
    (tmp_path / "x.jpg").write_bytes(HEADS[kind])
    # In a process of its own, in which no plugin is registered yet or can be.
    done = subprocess.run(
        [sys.executable, "-c",
         "import sys; sys.modules |= dict.fromkeys(['pillow_heif', 'pillow_jxl'])\n"
         "from pathlib import Path\n"
         "from ingest.photographs.decoding import read_photograph\n"
         "from leamstore.errors import UnusableImageError\n"
         "try: read_photograph(Path(sys.argv[1]))\n"
         "except UnusableImageError as error: print(error.reason, error)",
         tmp_path / "x.jpg"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    said = REMEDIES[kind.split(" in ")[0].split(" of ")[0]]
    assert done.stdout.startswith(f"no-decoder {tmp_path / 'x.jpg'} is ")
    assert f"`{said}`" in done.stdout
    assert "no-decoder" in REJECTIONS


@pytest.mark.parametrize("turned", [1, 6])
def test_heic_is_read_where_its_plugin_is_installed(tmp_path, turned):
    pillow_heif = pytest.importorskip("pillow_heif", reason="pillow-heif isn't installed")
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = turned
    picture = Image.fromarray(np.kron(CORNERS, np.ones((32, 32, 1), np.uint8)))
    pillow_heif.from_pillow(picture).save(tmp_path / "x.heic", quality=95, exif=exif.tobytes())

    read = read_photograph(tmp_path / "x.heic").astype(int)

    upright = {1: [[RED, GREEN], [BLUE, WHITE]], 6: [[BLUE, RED], [WHITE, GREEN]]}[turned]
    assert abs(read[16::32, 16::32] - np.array(upright)).max() < 12


def test_a_damaged_heic_is_rejected_as_damaged(tmp_path):
    pytest.importorskip("pillow_heif", reason="pillow-heif isn't installed")
    (tmp_path / "x.heic").write_bytes(HEADS["HEIC"])

    assert rejection(tmp_path / "x.heic") == "not-an-image"


def test_jpeg_xl_is_read_where_its_plugin_is_installed(tmp_path):
    pytest.importorskip("pillow_jxl", reason="pillow-jxl-plugin isn't installed")
    Image.fromarray(noise()).save(tmp_path / "x.jxl", lossless=True)

    assert (read_photograph(tmp_path / "x.jxl") == noise()).all()


def test_avif_is_read(tmp_path):
    picture = Image.fromarray(np.kron(CORNERS, np.ones((32, 32, 1), np.uint8)))
    picture.save(tmp_path / "x.avif", quality=95)

    read = read_photograph(tmp_path / "x.avif").astype(int)

    assert abs(read[16::32, 16::32] - CORNERS).max() < 12
