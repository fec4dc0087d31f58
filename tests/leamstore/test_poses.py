import matplotlib.cbook
import numpy as np
import polars as pl
import pytest
import skimage.data
from PIL import Image, ImageOps

from ingest.faces import chips, detection
from leamstore import geometry, poses
from leamstore.layers import CellGrid
from leamstore.poses import Poses, carry

RIGHT, LEFT = poses.EYE_CORNERS


@pytest.fixture
def landmarks():
    """Landmarks in crops of six images of one face, each turned, scaled, shifted and jittered."""
    rng = np.random.default_rng(3)
    jaw = np.stack([np.linspace(60, 450, 17), 200 + 250 * np.sin(np.linspace(0, np.pi, 17))], -1)
    face = np.concatenate([jaw, poses.CANONICAL])
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
        to_image = np.stack([chips.chip_to_image(landmarks, "crop", 512) for landmarks in points])
        found.append(geometry.apply(geometry.invert(to_image), np.stack(points)))
    return found


def tilt(landmarks):
    """Absolute angle in degrees of the line through each image's outer eye corners."""
    across, down = (landmarks[:, LEFT] - landmarks[:, RIGHT]).T
    return np.abs(np.degrees(np.arctan2(down, across)))


def distance(landmarks, targets):
    """Root mean square distance in pixels of each image's inner landmarks to the targets."""
    return np.sqrt(((landmarks[:, poses.INNER] - targets) ** 2).sum(axis=-1).mean(axis=-1))


def test_level_turns_about_the_middle_of_the_eyes():
    landmarks = np.zeros((68, 2))
    landmarks[RIGHT], landmarks[LEFT] = (0, 0), (6, 8)
    landmarks[8] = (3, 4)

    levelled = geometry.apply(poses.level(landmarks), landmarks)

    # The corners are 10 apart around (3, 4), which stays.
    np.testing.assert_allclose(levelled[[RIGHT, LEFT, 8]], [(-2, 4), (8, 4), (3, 4)], atol=1e-12)


def test_in_the_identity_frame_the_references_eye_corners_are_level(landmarks):
    aligned = geometry.apply(poses.crop_to_identity(landmarks, reference=2), landmarks)

    assert aligned[2, RIGHT, 1] == pytest.approx(aligned[2, LEFT, 1], abs=1e-9)
    assert aligned[2, RIGHT, 0] < aligned[2, LEFT, 0]
    assert tilt(aligned).max() < 3  # the jitter's part in the others


def test_in_the_identity_frame_landmarks_are_nearer_to_the_reference(landmarks):
    reference = 2
    aligned = geometry.apply(poses.crop_to_identity(landmarks, reference), landmarks)

    before = distance(landmarks, landmarks[reference, poses.INNER])
    after = distance(aligned, aligned[reference, poses.INNER])
    others = np.arange(len(landmarks)) != reference
    assert (after[others] < before[others]).all()
    assert after[reference] == pytest.approx(0, abs=1e-9)
    assert after.max() < 5  # jitter of 2 pixels an axis on either side makes 4


def test_the_reference_is_only_turned(landmarks):
    affine = poses.crop_to_identity(landmarks, reference=4)[4]

    np.testing.assert_allclose(affine[:, :2] @ affine[:, :2].T, np.eye(2), atol=1e-12)


def test_in_the_canonical_frame_faces_lie_level_on_the_mean_face(landmarks):
    aligned = geometry.apply(poses.crop_to_canonical(landmarks), landmarks)

    assert (distance(aligned, poses.CANONICAL) < distance(landmarks, poses.CANONICAL)).all()
    assert distance(aligned, poses.CANONICAL).max() < 4
    assert tilt(aligned).max() < 3


def test_the_mean_face_is_level_and_already_in_the_canonical_frame():
    face = np.concatenate([np.zeros((17, 2)), poses.CANONICAL])[None]

    assert face[0, RIGHT, 1] == face[0, LEFT, 1]
    np.testing.assert_allclose(poses.crop_to_canonical(face), [[[1, 0, 0], [0, 1, 0]]], atol=1e-12)


def test_real_faces_come_level_and_nearer_to_their_reference(real_landmarks):
    for images in real_landmarks:
        aligned = geometry.apply(poses.crop_to_identity(images, reference=0), images)

        before = distance(images, images[0, poses.INNER])[1:]
        after = distance(aligned, aligned[0, poses.INNER])[1:]
        assert (after < before).all()
        assert tilt(aligned)[0] == pytest.approx(0, abs=1e-9)
        assert tilt(aligned).max() < 3


def test_the_reference_does_not_depend_on_the_order_of_the_images():
    images = [f"image {number}" for number in range(10)]

    drawn = images[poses.draw_reference("Ada", images)]

    assert images[::-1][poses.draw_reference("Ada", images[::-1])] == drawn


def test_a_new_image_changes_the_reference_only_by_becoming_it():
    images = [f"image {number}" for number in range(10)]
    before = [images[poses.draw_reference(f"person {n}", images)] for n in range(200)]
    images.append("new")
    after = [images[poses.draw_reference(f"person {n}", images)] for n in range(200)]

    changed = [new for old, new in zip(before, after, strict=True) if new != old]
    assert set(changed) == {"new"}


def test_references_are_drawn_evenly_and_by_seed():
    images = [f"image {number}" for number in range(4)]
    draws = [poses.draw_reference(f"person {n}", images, seed=1) for n in range(400)]
    others = [poses.draw_reference(f"person {n}", images, seed=2) for n in range(400)]

    # 100 expected of each; four standard deviations are 35.
    assert np.abs(np.bincount(draws, minlength=4) - 100).max() < 35
    assert draws != others


UNMOVED = np.eye(2, 3)[None]
NINE = np.arange(1.0, 10.0).reshape(1, 3, 3)
THREE = CellGrid.of_chip(3)


def shifted(x, y):
    return UNMOVED + np.array([[0, 0, x], [0, 0, y]])


def test_in_the_chips_own_frame_maps_are_carried_as_their_grid_resamples_them():
    maps = np.random.default_rng(0).random((3, 35, 35)).astype(np.float16)
    grid = CellGrid(35, 35, 4.0, 5.0, 150)
    own = Poses(*[np.repeat(UNMOVED, 3, axis=0)] * 4, np.zeros((3, 68, 2)))

    carried = own.carry(maps, grid, "chip", 112)

    resampled = grid.resample(maps.astype(np.float64), 112).astype(np.float32)
    np.testing.assert_array_equal(carried, resampled)


def test_a_shift_by_whole_cells_moves_values_and_leaves_zeros_beyond_the_chip():
    carried = carry(NINE, THREE, shifted(1, 0), 3, beyond="zero")

    assert carried[0].tolist() == [[2, 3, 0], [5, 6, 0], [8, 9, 0]]


def test_beyond_the_chip_the_nearest_cell_goes_on_where_that_is_the_rule():
    carried = carry(NINE, THREE, shifted(1, -1), 3, beyond="nearest")

    assert carried[0].tolist() == [[2, 3, 3], [2, 3, 3], [5, 6, 6]]


def test_between_four_cells_a_map_has_their_mean_in_the_precision_asked_for():
    third = np.full((1, 2, 2), 1 / 3)

    carried = carry(NINE, THREE, shifted(0.5, 0.5), 2, beyond="zero", dtype=np.float64)
    narrow, wide = (
        carry(third, CellGrid.of_chip(2), shifted(0, 0), 1, beyond="zero", dtype=dtype)
        for dtype in (np.float32, np.float64)
    )

    assert carried[0].tolist() == [[3, 4], [6, 7]]
    assert (narrow.item(), wide.item()) == (np.float32(1 / 3), 1 / 3)


def test_a_quarter_turn_turns_the_map():
    # Picture pixel (x, y) looks at chip pixel (y, 2 - x): the map turns clockwise.
    to_chip = np.array([[[0.0, 1.0, 0.0], [-1.0, 0.0, 2.0]]])

    carried = carry(NINE, THREE, to_chip, 3, beyond="zero")

    assert carried[0].tolist() == [[7, 4, 1], [8, 5, 2], [9, 6, 3]]


@pytest.mark.parametrize("frame", poses.FRAMES)
def test_a_point_of_the_chip_is_found_where_the_frame_has_it(frame):
    rng = np.random.default_rng(1)
    into = [np.eye(2, 3) + rng.normal(scale=0.1, size=(1, 2, 3)) for _ in range(3)]
    chip_to_crop, crop_to_identity, crop_to_canonical = into
    chain = {
        "chip": [],
        "crop": [chip_to_crop],
        "identity": [chip_to_crop, crop_to_identity],
        "canonical": [chip_to_crop, crop_to_canonical],
    }[frame]
    chip_point = np.array([[3.0, 5.0]])
    point = chip_point
    for affine in chain:
        point = geometry.apply(affine[0], point)
    side = 8 if frame == "chip" else 512

    grid_point = (point + 0.5) * 16 / side - 0.5

    to_chip = Poses(UNMOVED, *into, np.zeros((1, 68, 2))).grid_to_chip(frame, 16, 8)
    np.testing.assert_allclose(geometry.apply(to_chip[0], grid_point), chip_point)


@pytest.fixture
def images():
    """Two images: crops begin at (10, 20) of the photograph, chips are a fourth of the crop."""
    affines = {
        "crop_to_image": shifted(10, 20),
        "chip_to_crop": geometry.scaling(128, 512)[None],
        "crop_to_identity": shifted(1, 2),
        "crop_to_canonical": shifted(-3, 0),
    }
    return pl.DataFrame(
        {
            name: pl.Series(np.repeat(affine, 2, 0).tolist(), dtype=pl.Array(pl.Float32, (2, 3)))
            for name, affine in affines.items()
        }
        | {"landmarks": np.stack([np.full((68, 2), 110.0), np.full((68, 2), 210.0)])}
    )


@pytest.mark.parametrize(
    ("frame", "found"),
    [
        ("crop", [(100, 90), (200, 190)]),
        ("identity", [(101, 92), (201, 192)]),
        ("canonical", [(97, 90), (197, 190)]),
        # The chip's pixel g is centred at crop pixel 4 g + 1.5.
        ("chip", [(24.625, 22.125), (49.625, 47.125)]),
    ],
)
def test_landmarks_lie_in_every_frame_where_its_affines_put_them(images, frame, found):
    landmarks = Poses.of(images).landmarks_in(frame)

    assert landmarks.shape == (2, 51, 2)
    np.testing.assert_allclose(landmarks[:, 7], found)


def test_poses_of_some_images_are_theirs_alone(images):
    second = Poses.of(images)[np.array([1])]

    assert second.landmarks_in("crop")[0, 0].tolist() == [200, 190]
    assert second.crop_to("canonical").shape == (1, 2, 3)
