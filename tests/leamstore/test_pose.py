import matplotlib.cbook
import numpy as np
import pytest
import skimage.data
from PIL import Image, ImageOps

from ingest.faces import detection
from leamstore import geometry, pose

RIGHT, LEFT = pose.EYE_CORNERS


@pytest.fixture
def landmarks():
    """Landmarks in crops of six images of one face, each turned, scaled, shifted and jittered."""
    rng = np.random.default_rng(3)
    jaw = np.stack([np.linspace(60, 450, 17), 200 + 250 * np.sin(np.linspace(0, np.pi, 17))], -1)
    face = np.concatenate([jaw, pose.CANONICAL])
    angles, scales = rng.uniform(-0.4, 0.4, 6), rng.uniform(0.8, 1.2, 6)
    cosines, sines = scales * np.cos(angles), scales * np.sin(angles)
    shifts = rng.uniform(-30, 30, (2, 6))
    affines = np.array([[cosines, -sines, shifts[0]], [sines, cosines, shifts[1]]])
    return geometry.apply(np.moveaxis(affines, -1, 0), face) + rng.normal(0, 2, (6, 68, 2))


@pytest.fixture(scope="module")
def real_landmarks():
    """Landmarks in crops of two people, each photographed upright, turned and mirrored."""
    hopper = matplotlib.cbook.get_sample_data("grace_hopper.jpg", asfileobj=False)
    photographs = [skimage.data.astronaut()[:256, 96:352], np.asarray(Image.open(hopper))]
    found = []
    for photograph in map(Image.fromarray, photographs):
        turned = [photograph.rotate(angle, Image.Resampling.BICUBIC) for angle in (0, 12, -15)]
        images = [*turned, ImageOps.mirror(photograph)]
        points = [detection.single_face(np.asarray(image)).landmarks for image in images]
        to_image = np.stack([detection.crop_to_image(landmarks) for landmarks in points])
        found.append(geometry.apply(geometry.invert(to_image), np.stack(points)))
    return found


def tilt(landmarks):
    """Absolute angle in degrees of the line through each image's outer eye corners."""
    across, down = (landmarks[:, LEFT] - landmarks[:, RIGHT]).T
    return np.abs(np.degrees(np.arctan2(down, across)))


def distance(landmarks, targets):
    """Root mean square distance in pixels of each image's inner landmarks to the targets."""
    return np.sqrt(((landmarks[:, pose.INNER] - targets) ** 2).sum(axis=-1).mean(axis=-1))


def test_level_turns_about_the_middle_of_the_eyes():
    landmarks = np.zeros((68, 2))
    landmarks[RIGHT], landmarks[LEFT] = (0, 0), (6, 8)
    landmarks[8] = (3, 4)

    levelled = geometry.apply(pose.level(landmarks), landmarks)

    # The corners are 10 apart around (3, 4), which stays.
    np.testing.assert_allclose(levelled[[RIGHT, LEFT, 8]], [(-2, 4), (8, 4), (3, 4)], atol=1e-12)


def test_in_the_identity_frame_the_references_eye_corners_are_level(landmarks):
    aligned = geometry.apply(pose.crop_to_identity(landmarks, reference=2), landmarks)

    assert aligned[2, RIGHT, 1] == pytest.approx(aligned[2, LEFT, 1], abs=1e-9)
    assert aligned[2, RIGHT, 0] < aligned[2, LEFT, 0]
    assert tilt(aligned).max() < 3  # the jitter's part in the others


def test_in_the_identity_frame_landmarks_are_nearer_to_the_reference(landmarks):
    reference = 2
    aligned = geometry.apply(pose.crop_to_identity(landmarks, reference), landmarks)

    before = distance(landmarks, landmarks[reference, pose.INNER])
    after = distance(aligned, aligned[reference, pose.INNER])
    others = np.arange(len(landmarks)) != reference
    assert (after[others] < before[others]).all()
    assert after[reference] == pytest.approx(0, abs=1e-9)
    assert after.max() < 5  # jitter of 2 pixels an axis on either side makes 4


def test_the_reference_is_only_turned(landmarks):
    affine = pose.crop_to_identity(landmarks, reference=4)[4]

    np.testing.assert_allclose(affine[:, :2] @ affine[:, :2].T, np.eye(2), atol=1e-12)


def test_in_the_canonical_frame_faces_lie_level_on_the_mean_face(landmarks):
    aligned = geometry.apply(pose.crop_to_canonical(landmarks), landmarks)

    assert (distance(aligned, pose.CANONICAL) < distance(landmarks, pose.CANONICAL)).all()
    assert distance(aligned, pose.CANONICAL).max() < 4
    assert tilt(aligned).max() < 3


def test_the_mean_face_is_level_and_already_in_the_canonical_frame():
    face = np.concatenate([np.zeros((17, 2)), pose.CANONICAL])[None]

    assert face[0, RIGHT, 1] == face[0, LEFT, 1]
    np.testing.assert_allclose(pose.crop_to_canonical(face), [[[1, 0, 0], [0, 1, 0]]], atol=1e-12)


def test_real_faces_come_level_and_nearer_to_their_reference(real_landmarks):
    for images in real_landmarks:
        aligned = geometry.apply(pose.crop_to_identity(images, reference=0), images)

        before = distance(images, images[0, pose.INNER])[1:]
        after = distance(aligned, aligned[0, pose.INNER])[1:]
        assert (after < before).all()
        assert tilt(aligned)[0] == pytest.approx(0, abs=1e-9)
        assert tilt(aligned).max() < 3


def test_the_reference_does_not_depend_on_the_order_of_the_images():
    images = [f"image {number}" for number in range(10)]

    drawn = images[pose.draw_reference("Ada", images)]

    assert images[::-1][pose.draw_reference("Ada", images[::-1])] == drawn


def test_a_new_image_changes_the_reference_only_by_becoming_it():
    images = [f"image {number}" for number in range(10)]
    before = [images[pose.draw_reference(f"person {n}", images)] for n in range(200)]
    images.append("new")
    after = [images[pose.draw_reference(f"person {n}", images)] for n in range(200)]

    changed = [new for old, new in zip(before, after, strict=True) if new != old]
    assert set(changed) == {"new"}


def test_references_are_drawn_evenly_and_by_seed():
    images = [f"image {number}" for number in range(4)]
    draws = [pose.draw_reference(f"person {n}", images, seed=1) for n in range(400)]
    others = [pose.draw_reference(f"person {n}", images, seed=2) for n in range(400)]

    # 100 expected of each; four standard deviations are 35.
    assert np.abs(np.bincount(draws, minlength=4) - 100).max() < 35
    assert draws != others
