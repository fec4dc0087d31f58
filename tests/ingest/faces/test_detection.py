from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from ingest.faces import chips, detection
from leamstore import geometry
from leamstore.errors import UnusableImageError
from leamstore.poses import INNER


@pytest.fixture(scope="module")
def portrait(astronaut):
    """The astronaut's head and shoulders, 250 x 250, in which no detector finds anything else."""
    return astronaut[0:250, 100:350]


def resized(image, size):
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))


def rejection(image):
    with pytest.raises(UnusableImageError) as caught:
        detection.single_face(image)
    return caught.value.reason


def test_the_face_of_a_photograph_is_found_with_its_landmarks(astronaut):
    face = detection.single_face(astronaut)

    # Read off the photograph: pupils, nose tip and mouth corners.
    expected = [(203, 101), (246, 103), (224, 126), (202, 139), (247, 140)]
    assert np.abs(chips.five_points(face.landmarks) - expected).max() < 4
    assert face.box.dtype == face.landmarks.dtype == np.float64
    assert (face.box[:2] < face.landmarks[30]).all()
    assert (face.landmarks[30] < face.box[2:]).all()


def test_a_face_too_small_for_the_detector_is_found_by_enlarging(portrait):
    small = resized(portrait, (125, 125))  # a face of 45 pixels, where 73 are needed

    face = detection.single_face(small)

    full = detection.single_face(portrait)
    np.testing.assert_allclose(face.landmarks * 2, full.landmarks, atol=6)


def test_landmarks_of_a_large_photograph_are_in_its_own_pixels(portrait):
    large = resized(portrait, (2000, 2000))

    landmarks = detection.single_face(large).landmarks

    full = geometry.apply(geometry.scaling(250, 2000), detection.single_face(portrait).landmarks)
    np.testing.assert_allclose(landmarks, full, atol=40)  # 5 pixels of the 250


def test_a_view_into_an_array_gives_what_a_copy_gives(astronaut, hopper):
    views = [astronaut[0:250, 100:350], hopper[50:450, 50:450]]
    copies = [detection.single_face(view.copy()).landmarks for view in views]

    # dlib reads a view's pixels from freed memory: whether that shows depends on what came since.
    for _ in range(8):
        for view, copied in zip(views, copies, strict=True):
            assert (detection.single_face(view).landmarks == copied).all()


def test_an_image_without_a_face_is_rejected():
    noise = np.random.default_rng(0).integers(0, 256, (200, 200, 3), dtype=np.uint8)

    assert rejection(noise) == "no-face"


@pytest.mark.parametrize("shape", [(1, 1), (1, 3000), (3000, 2), (30, 30)])
@pytest.mark.parametrize("detector", detection.DETECTORS)
def test_an_image_too_small_for_a_face_has_none(shape, detector):
    assert detection.find_faces(np.zeros((*shape, 3), np.uint8), detector) == []


def test_two_faces_of_one_size_are_rejected(portrait):
    assert rejection(np.hstack([portrait, portrait])) == "several-faces"


def test_a_face_of_half_the_size_is_a_bystander(portrait):
    bystander = np.zeros_like(portrait)
    bystander[100:225, 50:175] = resized(portrait, (125, 125))
    large = resized(np.hstack([portrait, bystander]), (1000, 500))

    assert len(detection.find_faces(large)) == 2
    assert detection.single_face(large).box[2] < 500


def test_a_face_cut_by_the_border_is_a_bystander(portrait):
    # The second face's box begins at column 76 of its half; the cut leaves most of it.
    pair = np.hstack([portrait, portrait])[:, : 250 + 155]
    assert len(detection.find_faces(pair)) == 2
    assert detection.find_faces(pair)[-1].box[2] > pair.shape[1] or (
        detection.find_faces(pair)[0].box[2] > pair.shape[1]
    )

    assert detection.single_face(pair).box[2] < 250


def test_faces_come_largest_first(portrait):
    small = np.zeros_like(portrait)
    small[60:210, 50:200] = resized(portrait, (150, 150))
    image = resized(np.hstack([small, portrait]), (1000, 500))

    first, second = detection.find_faces(image)

    assert first.area > second.area
    assert first.box[0] > 500


@pytest.mark.parametrize("detector", ["cnn", "mtcnn"])
def test_the_other_detectors_lead_to_the_same_landmarks(portrait, detector):
    ours = detection.single_face(portrait, detector).landmarks

    np.testing.assert_allclose(
        ours[INNER], detection.single_face(portrait).landmarks[INNER], atol=4
    )


def turned(image):
    return np.asarray(Image.fromarray(image).rotate(60, Image.Resampling.BICUBIC))


def masked(image):
    """Return a face whose mouth and chin are one colour, as a mask hides them."""
    hidden = image.copy()
    hidden[95:] = image[95:].mean((0, 1))
    return hidden


def shrunk(image):
    return resized(image, (40, 40))


@pytest.mark.parametrize(
    ("detector", "change"),
    [("cnn", turned), ("mtcnn", masked), ("mtcnn", shrunk)],
)
def test_another_detector_finds_a_face_that_hog_misses(astronaut, detector, change):
    head = change(astronaut[40:190, 145:295])
    assert detection.find_faces(head) == []

    box = detection.single_face(head, detector).box

    # The nose tip is at (79, 86) of the head, 4 and 11 pixels right of and below its middle.
    middle = (len(head) - 1) / 2
    assert (box[:2] < middle).all()
    assert (middle < box[2:]).all()


def test_threads_find_what_one_finds_alone(portrait, hopper):
    images = [portrait, hopper[50:450, 50:450], portrait[:, ::-1].copy()] * 4
    alone = [detection.single_face(image).landmarks for image in images]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detection.single_face, images))

    for landmarks, face in zip(alone, together, strict=True):
        assert (face.landmarks == landmarks).all()
