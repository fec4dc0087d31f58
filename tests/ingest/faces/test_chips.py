import dlib
import numpy as np
import pytest
import skimage.transform

from ingest.faces import chips, detection
from leamstore import geometry


def dlib_detection(landmarks):
    points = [dlib.point(int(x), int(y)) for x, y in landmarks]
    return dlib.full_object_detection(dlib.rectangle(0, 0, 1, 1), points)


@pytest.mark.parametrize("size", [150, 512])
def test_the_crops_frame_is_that_of_dlibs_face_chips(astronaut, hopper, size):
    for image in (astronaut, hopper):
        landmarks = detection.single_face(image).landmarks
        details = dlib.get_face_chip_details(dlib_detection(landmarks), size, 0.25)

        to_image = chips.chip_to_image(landmarks, "dlib", size)

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

        ours = chips.warp(image, chips.chip_to_image(landmarks, "dlib", 150), 150)

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
        chips.chip_to_image(landmarks, "dlib", 150),
        geometry.compose(chips.chip_to_image(landmarks, "crop", 512), chip_to_crop),
        atol=1e-9,
    )


def test_the_arcface_chip_has_the_five_points_where_insightface_has_them(hopper):
    landmarks = detection.single_face(hopper).landmarks
    template = chips.ALIGNMENTS["arcface"].template
    five = chips.five_points(landmarks)
    umeyama = skimage.transform.SimilarityTransform.from_estimate(template, five)

    to_image = chips.chip_to_image(landmarks, "arcface", 112)

    np.testing.assert_allclose(to_image, umeyama.params[:2], atol=1e-9)
    assert np.abs(geometry.apply(geometry.invert(to_image), five) - template).max() < 4


def test_the_arcface_template_scales_with_the_chip(hopper):
    landmarks = detection.single_face(hopper).landmarks

    np.testing.assert_allclose(
        chips.chip_to_image(landmarks, "arcface", 224),
        geometry.compose(
            chips.chip_to_image(landmarks, "arcface", 112), geometry.scaling(224, 112)
        ),
        atol=1e-9,
    )


def test_five_points_are_means_of_the_eyes_and_three_landmarks():
    landmarks = np.arange(136.0).reshape(68, 2)

    # Eyes 36 to 41 and 42 to 47 have their middles at 38.5 and 44.5; point i is (2i, 2i + 1).
    expected = [(77, 78), (89, 90), (60, 61), (96, 97), (108, 109)]
    assert chips.five_points(landmarks).tolist() == [list(point) for point in expected]
    assert (chips.five_points(np.stack([landmarks] * 2)) == expected).all()


RAMP = np.stack(
    [np.tile(np.arange(0, 240, 2), (120, 1)), np.tile(np.arange(0, 240, 2)[:, None], (1, 120))] * 2,
    axis=-1,
)[..., :3].astype(np.uint8)
"""Red is twice the column, green twice the row."""


def test_warping_by_nothing_returns_the_photograph():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)

    assert (chips.warp(image, geometry.scaling(40, 40), 40) == image).all()


def test_a_shift_by_whole_pixels_is_exact_and_black_outside():
    image = np.random.default_rng(1).integers(1, 256, (40, 40, 3), dtype=np.uint8)
    to_image = np.array([[1.0, 0.0, 5.0], [0.0, 1.0, -3.0]])

    warped = chips.warp(image, to_image, 40)

    assert (warped[3:, :35] == image[:37, 5:]).all()
    assert (warped[:3] == 0).all()
    assert (warped[:, 35:] == 0).all()


def test_a_quarter_turn_is_exact():
    image = np.random.default_rng(2).integers(0, 256, (30, 30, 3), dtype=np.uint8)
    to_image = np.array([[0.0, -1.0, 29.0], [1.0, 0.0, 0.0]])  # (x, y) comes from (29 - y, x)

    assert (chips.warp(image, to_image, 30) == np.rot90(image, 1)).all()


@pytest.mark.parametrize("scale", [0.3, 0.77, 1.9, 2.0, 3.4, 5.0])
def test_samples_lie_where_the_affine_says_at_every_scale(scale):
    # A ramp stays a ramp under interpolation and averaging, so its values give positions away.
    cosine, sine = scale * np.cos(0.2), scale * np.sin(0.2)
    size = int(60 / scale)
    centre = np.array([59.5, 59.5])
    to_image = np.array([[cosine, -sine, 0.0], [sine, cosine, 0.0]])
    to_image[:, 2] = centre - to_image[:, :2] @ np.full(2, (size - 1) / 2)

    warped = chips.warp(RAMP, to_image, size)

    rows, columns = np.mgrid[:size, :size]
    expected = 2 * geometry.apply(
        to_image, np.stack([columns, rows], -1).reshape(-1, 2).astype(float)
    )
    np.testing.assert_allclose(warped[..., :2].reshape(-1, 2), expected, atol=1.01)


def test_shrinking_averages_whole_blocks():
    image = np.random.default_rng(3).integers(0, 256, (80, 80, 3), dtype=np.uint8)

    warped = chips.warp(image, geometry.scaling(20, 80), 20)

    blocks = image.reshape(20, 4, 20, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(warped, blocks, atol=1)
