import numpy as np
import pytest

from ingest.faces.parsers.landmarks import LandmarkParser
from leamstore.poses import CANONICAL
from leamstore.schema import GRID, LABELS, REGION_NAMES, UNLABELLED


@pytest.fixture(scope="module")
def landmarks():
    """The mean face, its jaw half an ellipse from brow to brow, its mouth open."""
    angles = np.linspace(np.pi, 0, 17)
    jaw = np.stack([253 + 190 * np.cos(angles), 140 + 300 * np.sin(angles)], axis=-1)
    return np.concatenate([jaw, CANONICAL])


@pytest.fixture(scope="module")
def labels(landmarks):
    return LandmarkParser().parse(np.zeros((1, GRID, GRID, 3), np.uint8), landmarks[None])[0]


def area(polygon):
    """Area of a polygon by the shoelace formula."""
    x, y = polygon.T
    return abs(x @ np.roll(y, -1) - y @ np.roll(x, -1)) / 2


def label_at(labels, point):
    x, y = np.rint(point).astype(int)
    label = labels[y, x]
    return None if label == UNLABELLED else REGION_NAMES[label]


def test_labels_are_bytes_on_the_grid(labels):
    assert labels.shape == (GRID, GRID)
    assert labels.dtype == np.uint8


def test_each_region_lies_where_its_landmarks_are(labels, landmarks):
    def middle(*indices):
        return landmarks[list(indices)].mean(axis=0)

    places = {
        "right_eye": middle(*range(36, 42)),
        "left_eye": middle(*range(42, 48)),
        "right_eyebrow": landmarks[19] + (0, 8),
        "left_eyebrow": landmarks[24] + (0, 8),
        "nose": landmarks[30],
        "inner_mouth": middle(62, 66),
        "upper_lip": middle(51, 62),
        "lower_lip": middle(57, 66),
        "face": middle(8, 57),
    }
    assert {region: label_at(labels, place) for region, place in places.items()} == {
        region: region for region in places
    }


def test_right_is_the_persons_own_right(labels):
    def column(region):
        return np.nonzero(labels == LABELS[region])[1].mean()

    assert column("right_eye") < column("nose") < column("left_eye")
    assert column("right_eyebrow") < column("left_eyebrow")


def test_around_the_face_nothing_is_known(labels):
    # Hair, neck and background alike: above the brows, beside the jaw, below the chin.
    for place in [(0, 0), (256, 60), (20, 300), (490, 300), (60, 480), (256, 470)]:
        assert label_at(labels, place) is None


def test_regions_have_the_areas_of_their_outlines(labels, landmarks):
    # Pillow's polygons take in their edges: half a pixel all around.
    for region, indices in {
        "right_eye": range(36, 42),
        "left_eye": range(42, 48),
        "lower_lip": [54, 55, 56, 57, 58, 59, 48, 60, 67, 66, 65, 64],
    }.items():
        outline = landmarks[list(indices)]
        edge = np.linalg.norm(outline - np.roll(outline, -1, axis=0), axis=1).sum()
        pixels = (labels == LABELS[region]).sum()
        assert area(outline) < pixels < area(outline) + edge


def test_the_nose_covers_about_three_percent(labels):
    assert 0.02 < (labels == LABELS["nose"]).mean() < 0.045


def test_only_regions_the_parser_names_appear(labels):
    seen = {REGION_NAMES[label] for label in np.unique(labels) if label != UNLABELLED}

    assert seen == set(LandmarkParser().regions)
    assert "background" not in seen


def test_a_closed_mouth_has_no_inside(landmarks):
    closed = landmarks.copy()
    closed[[67, 66, 65]] = closed[[61, 62, 63]]

    labels = LandmarkParser().parse(np.zeros((1, GRID, GRID, 3), np.uint8), closed[None])

    assert (labels == LABELS["inner_mouth"]).sum() <= 2


def test_a_face_that_reaches_beyond_the_crop_is_cut(landmarks, labels):
    shifted = landmarks + np.array([150, 100])

    moved = LandmarkParser().parse(np.zeros((1, GRID, GRID, 3), np.uint8), shifted[None])[0]

    assert (moved[100:, 150:] == labels[:-100, :-150]).all()


def test_images_are_labelled_one_by_one(landmarks, labels):
    crops = np.zeros((2, GRID, GRID, 3), np.uint8)

    both = LandmarkParser().parse(crops, np.stack([landmarks + np.array([5, 0]), landmarks]))

    assert (both[1] == labels).all()
    assert (both[0][:, 5:] == labels[:, :-5]).all()


def test_no_images_have_no_labels():
    labels = LandmarkParser().parse(np.empty((0, GRID, GRID, 3), np.uint8), np.empty((0, 68, 2)))

    assert labels.shape == (0, GRID, GRID)
