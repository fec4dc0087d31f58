"""Facial regions from the 68 landmarks alone, for machines without FaRL's weights.

The landmarks outline the face from the chin up to the eyebrows, and what lies in it. Around
that outline there are hair, forehead, ears, neck, clothes and background alike, so the pixels
there stay unlabelled, and the classes that can't be seen are absent from ``regions``.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.spatial import ConvexHull

from leamstore.geometry import Points
from leamstore.poses import EYE_CORNERS
from leamstore.schema import GRID, LABELS, UNLABELLED

BROW_HEIGHT: Final = 0.08
"""Height of an eyebrow, in distances between the outer eye corners, below its landmarks."""

WING_WIDTH: Final = 1.3
"""Half width of the nose at its wings, in distances from the septum to the nostrils' ends."""

BRIDGE_WIDTH: Final = 0.25
"""Half width of the nose at its root, in distances from there to the inner eye corners."""

_BROWS: Final = {"right_eyebrow": slice(17, 22), "left_eyebrow": slice(22, 27)}
"""Landmarks along the upper edge of each eyebrow."""

_OUTLINES: Final = {
    "right_eye": (36, 37, 38, 39, 40, 41),
    "left_eye": (42, 43, 44, 45, 46, 47),
    "inner_mouth": (60, 61, 62, 63, 64, 65, 66, 67),
    "upper_lip": (48, 49, 50, 51, 52, 53, 54, 64, 63, 62, 61, 60),
    "lower_lip": (54, 55, 56, 57, 58, 59, 48, 60, 67, 66, 65, 64),
}
"""Landmarks around each region that they outline themselves."""

_CONTOUR: Final = slice(0, 27)
"""Landmarks of the jaw and the eyebrows, whose hull is the face."""


class LandmarkParser:
    """A `Parser` that fills the outlines which dlib's landmarks draw; it needs nothing else."""

    name: Final = "landmarks"
    regions: Final = ("face", "nose", *_BROWS, *_OUTLINES)

    def __init__(self, _weights: Path | None = None, _device: str = "cpu") -> None:
        pass

    def parse(self, crops: NDArray[np.uint8], landmarks: Points) -> NDArray[np.uint8]:
        """Label crops (image, 512, 512, 3) by their landmarks (image, 68, 2) in crop pixels."""
        labels = np.empty((len(crops), GRID, GRID), dtype=np.uint8)
        for image_labels, points in zip(labels, landmarks, strict=True):
            canvas = Image.new("L", (GRID, GRID), UNLABELLED)
            draw = ImageDraw.Draw(canvas)
            for region, outline in _outlines(points):
                draw.polygon(outline.ravel().tolist(), fill=LABELS[region])
            image_labels[:] = np.asarray(canvas)
        return labels


def _outlines(landmarks: Points) -> Iterator[tuple[str, Points]]:
    """Yield each region with its outline (n, 2); what comes later lies on top."""
    contour = landmarks[_CONTOUR]
    yield "face", contour[ConvexHull(contour).vertices]
    yield "nose", _nose(landmarks)
    right, left = landmarks[list(EYE_CORNERS)]
    down = BROW_HEIGHT * np.array([right[1] - left[1], left[0] - right[0]])
    for region, line in _BROWS.items():
        yield region, np.concatenate([landmarks[line], landmarks[line][::-1] + down])
    for region, indices in _OUTLINES.items():
        yield region, landmarks[list(indices)]


def _nose(landmarks: Points) -> Points:
    """Return the nose's outline; the landmarks trace only its ridge and its base."""
    root, tip, septum = landmarks[[27, 30, 33]]
    bridge = root + BRIDGE_WIDTH * (landmarks[[39, 42]] - root)
    wings = septum + WING_WIDTH * (landmarks[[31, 35]] - septum) + (tip - septum) / 2
    return np.concatenate([bridge[:1], wings[:1], landmarks[31:36], wings[1:], bridge[1:]])
