import numpy as np
import pytest

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


def test_in_the_identity_frame_every_images_eye_corners_are_level(landmarks):
    aligned = geometry.apply(pose.crop_to_identity(landmarks, reference=2), landmarks)

    np.testing.assert_allclose(aligned[:, RIGHT, 1], aligned[:, LEFT, 1], atol=1e-9)
    assert (aligned[:, RIGHT, 0] < aligned[:, LEFT, 0]).all()


def test_in_the_identity_frame_landmarks_are_nearer_to_the_reference(landmarks):
    reference = 2
    aligned = geometry.apply(pose.crop_to_identity(landmarks, reference), landmarks)

    before = distance(landmarks, landmarks[reference, pose.INNER])
    after = distance(aligned, aligned[reference, pose.INNER])
    others = np.arange(len(landmarks)) != reference
    assert (after[others] < before[others]).all()
    assert after[reference] == pytest.approx(0, abs=1e-9)
    assert (
        after.max() < 8
    )  # jitter of 2 pixels an axis on either side makes 4, the corners the rest


def test_the_reference_is_only_turned(landmarks):
    affine = pose.crop_to_identity(landmarks, reference=4)[4]

    np.testing.assert_allclose(affine[:, :2] @ affine[:, :2].T, np.eye(2), atol=1e-12)


def test_in_the_canonical_frame_faces_lie_on_the_mean_face(landmarks):
    aligned = geometry.apply(pose.crop_to_canonical(landmarks), landmarks)

    np.testing.assert_allclose(aligned[:, RIGHT, 1], aligned[:, LEFT, 1], atol=1e-9)
    assert (distance(aligned, pose.CANONICAL) < distance(landmarks, pose.CANONICAL)).all()


def test_the_mean_face_is_already_in_the_canonical_frame():
    face = np.concatenate([np.zeros((17, 2)), pose.CANONICAL])

    np.testing.assert_allclose(pose.crop_to_canonical(face), [[1, 0, 0], [0, 1, 0]], atol=1e-12)


def test_the_fit_of_scale_and_shift_is_the_least_squares_solution(landmarks):
    level = geometry.apply(pose.level(landmarks[0]), landmarks[0])[pose.INNER]
    targets = landmarks[1, pose.INNER]
    x, y = level.T
    one, zero = np.ones(51), np.zeros(51)
    rows = np.concatenate([np.stack([x, one, zero], 1), np.stack([y, zero, one], 1)])
    (scale, right, down), *_ = np.linalg.lstsq(rows, targets.T.ravel(), rcond=None)

    aligned = geometry.apply(pose.align(landmarks[0], targets), landmarks[0])[pose.INNER]

    np.testing.assert_allclose(aligned, scale * level + (right, down), atol=1e-9)


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
