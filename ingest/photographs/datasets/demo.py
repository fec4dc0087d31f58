"""The demo set: variations of two photographs that ship inside packages.

Rear Admiral Grace Hopper comes with matplotlib's sample data, the astronaut Eileen Collins with
scikit-image; both photographs are in the public domain. Each is written as eight files that
differ in pose, light, crop, blur and compression, so that there is something real to run on
where no data set is available.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from ingest.photographs.datasets.atomic_file import write_atomically
from ingest.photographs.datasets.photograph import Dataset, Photograph
from leamstore.errors import LeamError

NAME: Final = "demo"

BRAND: Final = (
    "Demo set: 16 variations of two photographs (Grace Hopper, Eileen Collins), "
    "made to try the tool; they say nothing about people."
)
"""Warning that every page, table and figure made from this data set must show."""

VARIATIONS: Final = 8
SIDE: Final = 320
"""Width and height of a written image in pixels."""


def _eileen_collins() -> Image.Image:
    import skimage.data  # noqa: PLC0415 - loads slowly

    return Image.fromarray(skimage.data.astronaut())


def _grace_hopper() -> Image.Image:
    import matplotlib.cbook  # noqa: PLC0415 - loads slowly

    path = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    return Image.open(path).convert("RGB")


@dataclass(frozen=True)
class _Portrait:
    """A photograph, and the square of it that shows the head, in its pixels."""

    identity: str
    gender: str
    load: Callable[[], Image.Image]
    centre: tuple[float, float]
    side: float


_PORTRAITS: Final = (
    _Portrait("Eileen_Collins", "female", _eileen_collins, centre=(222.0, 137.0), side=236.0),
    _Portrait("Grace_Hopper", "female", _grace_hopper, centre=(268.0, 270.0), side=470.0),
)


def read(root: Path, seed: int = 0) -> Dataset:
    """Write the demo set under `root` and return it.

    Parameters
    ----------
    root : Path
        Folder to write to: ``<identity>/<identity>_<number>.jpg``. Files that are there with the
        same bytes are left alone.
    seed : int
        Draws the variations; the same seed gives the same bytes on one platform.

    Raises
    ------
    LeamError
        If the folder can't be written.
    """
    photographs = []
    for portrait in _PORTRAITS:
        image = portrait.load()
        for number in range(VARIATIONS):
            path = root / portrait.identity / f"{portrait.identity}_{number + 1:04d}.jpg"
            random = np.random.default_rng([seed, number, *portrait.identity.encode()])
            _write(path, _variation(image, portrait, random))
            photographs.append(Photograph(path, portrait.identity, NAME, gender=portrait.gender))
    return Dataset(NAME, root, tuple(photographs), (BRAND,))


def _variation(image: Image.Image, portrait: _Portrait, random: np.random.Generator) -> bytes:
    """Return one variation of a portrait as the bytes of a JPEG file."""
    varied = _posed(image, portrait, random)
    varied = _lit(varied, random)
    varied = varied.filter(ImageFilter.GaussianBlur(random.uniform(0.0, 1.3)))
    file = io.BytesIO()
    varied.save(file, "JPEG", quality=int(random.integers(35, 96)))
    return file.getvalue()


def _posed(image: Image.Image, portrait: _Portrait, random: np.random.Generator) -> Image.Image:
    """Cut out the head, turned by up to 9 degrees, moved, scaled and seen slightly aslant."""
    angle = np.deg2rad(random.uniform(-9.0, 9.0))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    # North-west, south-west, south-east, north-east, as Pillow's quadrilaterals go.
    corners = np.array([[-0.5, -0.5], [-0.5, 0.5], [0.5, 0.5], [0.5, -0.5]])
    corners = corners * random.uniform(0.88, 1.1) + random.uniform(-0.05, 0.05, size=2)
    corners = corners + random.uniform(-0.035, 0.035, size=(4, 2))
    corners = portrait.side * corners @ turn + portrait.centre
    # Beyond the photograph's edge its last pixels go on.
    margin = max(image.size) // 4
    padded = np.pad(np.asarray(image), ((margin, margin), (margin, margin), (0, 0)), mode="edge")
    cut = Image.fromarray(padded).transform(
        (2 * SIDE, 2 * SIDE),
        Image.Transform.QUAD,
        tuple((corners + margin).ravel()),
        Image.Resampling.BICUBIC,
    )
    return cut.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def _lit(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Change brightness, contrast and colour, and let light fall from one side."""
    pixels = np.asarray(image, dtype=np.float64) / 255.0
    y, x = np.mgrid[-1.0 : 1.0 : SIDE * 1j, -1.0 : 1.0 : SIDE * 1j]
    direction = random.uniform(0.0, 2.0 * np.pi)
    strength = random.uniform(0.0, 0.35)
    slope = 1.0 + strength * (x * np.cos(direction) + y * np.sin(direction)) / np.sqrt(2.0)
    colour = random.uniform(0.93, 1.07, size=3)
    lit = pixels ** random.uniform(0.75, 1.35) * slope[:, :, None] * colour
    return Image.fromarray((255.0 * lit.clip(0.0, 1.0)).round().astype(np.uint8))


def _write(path: Path, content: bytes) -> None:
    try:
        if not (path.is_file() and path.read_bytes() == content):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
    except OSError as error:
        raise LeamError(f"The demo set can't be written to {path}: {error.strerror}.") from error
