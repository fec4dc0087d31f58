from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dlib
import matplotlib.cbook
import numpy as np
import pytest
import skimage.data
import skimage.transform
from PIL import Image

from ingest.faces import detection
from ingest.photographs.decoding import read_photograph
from leamstore import geometry
from leamstore.errors import UnusableImageError
from leamstore.poses import INNER


@pytest.fixture(scope="module")
def astronaut():
    return skimage.data.astronaut()


@pytest.fixture(scope="module")
def hopper():
    return read_photograph(
        Path(matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False))
    )


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


def dlib_detection(landmarks):
    points = [dlib.point(int(x), int(y)) for x, y in landmarks]
    return dlib.full_object_detection(dlib.rectangle(0, 0, 1, 1), points)


def test_the_face_of_a_photograph_is_found_with_its_landmarks(astronaut):
    face = detection.single_face(astronaut)

    # Read off the photograph: pupils, nose tip and mouth corners.
    expected = [(203, 101), (246, 103), (224, 126), (202, 139), (247, 140)]
    assert np.abs(detection.five_points(face.landmarks) - expected).max() < 4
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


def test_threads_find_what_one_finds_alone(portrait, hopper):
    images = [portrait, hopper[50:450, 50:450], portrait[:, ::-1].copy()] * 4
    alone = [detection.single_face(image).landmarks for image in images]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(detection.single_face, images))

    for landmarks, face in zip(alone, together, strict=True):
        assert (face.landmarks == landmarks).all()


@pytest.mark.parametrize("size", [150, 512])
def test_the_crops_frame_is_that_of_dlibs_face_chips(astronaut, hopper, size):
    for image in (astronaut, hopper):
        landmarks = detection.single_face(image).landmarks
        details = dlib.get_face_chip_details(dlib_detection(landmarks), size, 0.25)

        to_image = detection.chip_to_image(landmarks, "dlib", size)

        rect = details.rect
        middle = geometry.apply(to_image, np.full((1, 2), (size - 1) / 2))[0]
        corner, along = geometry.apply(to_image, np.array([(0, 0), (size, 0)], dtype=float))
        angle = np.arctan2(*(along - corner)[::-1])
        np.testing.assert_allclose(
            middle, [(rect.left() + rect.right()) / 2, (rect.top() + rect.bottom()) / 2], atol=1e-9
        )
        assert np.linalg.norm(along - corner) == pytest.approx(rect.width(), abs=1e-9)
        assert angle == pytest.approx(details.angle, abs=1e-9)


def test_chips_are_dlibs_to_a_few_grey_levels_and_their_embeddings_agree(astronaut, hopper):
    recogniser = dlib.face_recognition_model_v1(
        str(detection._model_file("dlib_face_recognition_resnet_model_v1.dat"))
    )
    for image in (astronaut, hopper):
        landmarks = detection.single_face(image).landmarks
        theirs = dlib.get_face_chip(image, dlib_detection(landmarks), 150, 0.25)

        ours = detection.warp(image, detection.chip_to_image(landmarks, "dlib", 150), 150)

        assert np.abs(ours.astype(int) - theirs).mean() < 3
        distance = np.linalg.norm(
            np.subtract(
                recogniser.compute_face_descriptor(ours), recogniser.compute_face_descriptor(theirs)
            )
        )
        assert distance < 0.05  # dlib calls two images one person below 0.6


def test_chips_of_one_alignment_are_samplings_of_one_frame(astronaut):
    landmarks = detection.single_face(astronaut).landmarks
    chip_to_crop = geometry.scaling(150, 512)

    np.testing.assert_allclose(
        detection.chip_to_image(landmarks, "dlib", 150),
        geometry.compose(detection.crop_to_image(landmarks), chip_to_crop),
        atol=1e-9,
    )


def test_the_arcface_chip_has_the_five_points_where_insightface_has_them(hopper):
    landmarks = detection.single_face(hopper).landmarks
    template = detection.ALIGNMENTS["arcface"].template
    five = detection.five_points(landmarks)
    umeyama = skimage.transform.SimilarityTransform.from_estimate(template, five)

    to_image = detection.chip_to_image(landmarks, "arcface", 112)

    np.testing.assert_allclose(to_image, umeyama.params[:2], atol=1e-9)
    assert np.abs(geometry.apply(geometry.invert(to_image), five) - template).max() < 4


def test_the_arcface_template_scales_with_the_chip(hopper):
    landmarks = detection.single_face(hopper).landmarks

    np.testing.assert_allclose(
        detection.chip_to_image(landmarks, "arcface", 224),
        geometry.compose(
            detection.chip_to_image(landmarks, "arcface", 112), geometry.scaling(224, 112)
        ),
        atol=1e-9,
    )


def test_five_points_are_means_of_the_eyes_and_three_landmarks():
    landmarks = np.arange(136.0).reshape(68, 2)

    # Eyes 36 to 41 and 42 to 47 have their middles at 38.5 and 44.5; point i is (2i, 2i + 1).
    expected = [(77, 78), (89, 90), (60, 61), (96, 97), (108, 109)]
    assert detection.five_points(landmarks).tolist() == [list(point) for point in expected]
    assert (detection.five_points(np.stack([landmarks] * 2)) == expected).all()


RAMP = np.stack(
    [np.tile(np.arange(0, 240, 2), (120, 1)), np.tile(np.arange(0, 240, 2)[:, None], (1, 120))] * 2,
    axis=-1,
)[..., :3].astype(np.uint8)
"""Red is twice the column, green twice the row."""


def test_warping_by_nothing_returns_the_photograph():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)

    assert (detection.warp(image, geometry.scaling(40, 40), 40) == image).all()


def test_a_shift_by_whole_pixels_is_exact_and_black_outside():
    image = np.random.default_rng(1).integers(1, 256, (40, 40, 3), dtype=np.uint8)
    to_image = np.array([[1.0, 0.0, 5.0], [0.0, 1.0, -3.0]])

    warped = detection.warp(image, to_image, 40)

    assert (warped[3:, :35] == image[:37, 5:]).all()
    assert (warped[:3] == 0).all()
    assert (warped[:, 35:] == 0).all()


def test_a_quarter_turn_is_exact():
    image = np.random.default_rng(2).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    to_image = np.array([[0.0, -1.0, 29.0], [1.0, 0.0, 0.0]])  # (x, y) comes from (29 - y, x)

    assert (detection.warp(image, to_image, 30) == np.rot90(image, 1)).all()


@pytest.mark.parametrize("scale", [0.3, 0.77, 1.9, 2.0, 3.4, 5.0])
def test_samples_lie_where_the_affine_says_at_every_scale(scale):
    # A ramp stays a ramp under interpolation and averaging, so its values give positions away.
    cosine, sine = scale * np.cos(0.2), scale * np.sin(0.2)
    size = int(60 / scale)
    centre = np.array([59.5, 59.5])
    to_image = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
    to_image[:, 2] = centre - to_image[:, :2] @ np.full(2, (size - 1) / 2)

    warped = detection.warp(RAMP, to_image, size)

    rows, columns = np.mgrid[:size, :size]
    expected = 2 * geometry.apply(
        to_image, np.stack([columns, rows], -1).reshape(-1, 2).astype(float)
    )
    np.testing.assert_allclose(warped[..., :2].reshape(-1, 2), expected, atol=1.01)


def test_shrinking_averages_whole_blocks():
    image = np.random.default_rng(3).integers(0, 256, (80, 80, 3), dtype=np.uint8)

    warped = detection.warp(image, geometry.scaling(20, 80), 20)

    blocks = image.reshape(20, 4, 20, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(warped, blocks, atol=1)
