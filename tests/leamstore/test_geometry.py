import numpy as np
import pytest

from leamstore import geometry

QUARTER_TURN = np.array([[0.0, -1.0, 10.0], [1.0, 0.0, 20.0]])
DOUBLE = np.array([[2.0, 0.0, 1.0], [0.0, 2.0, 3.0]])


def test_apply_turns_and_shifts_points():
    points = np.array([[1.0, 2.0], [0.0, 0.0]])

    assert geometry.apply(QUARTER_TURN, points).tolist() == [[8.0, 21.0], [10.0, 20.0]]


def test_compose_applies_the_inner_affine_first():
    point = np.array([[1.0, 2.0]])

    # (1, 2) is doubled to (3, 7), which the quarter turn takes to (-7 + 10, 3 + 20).
    composed = geometry.compose(QUARTER_TURN, DOUBLE)

    assert geometry.apply(composed, point).tolist() == [[3.0, 23.0]]


def test_compose_leaves_its_arguments_alone():
    outer, inner = QUARTER_TURN.copy(), DOUBLE.copy()

    geometry.compose(outer, inner)

    assert (outer == QUARTER_TURN).all()
    assert (inner == DOUBLE).all()


def test_invert_undoes_an_affine():
    affine = np.array([[2.0, 1.0, -3.0], [0.5, 4.0, 7.0]])

    there_and_back = geometry.compose(geometry.invert(affine), affine)

    np.testing.assert_allclose(there_and_back, [[1, 0, 0], [0, 1, 0]], atol=1e-15)


def test_what_flattens_the_plane_cannot_be_inverted():
    with pytest.raises(np.linalg.LinAlgError):
        geometry.invert(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0]]))


def test_scaling_keeps_the_outer_edges_of_the_frame():
    to_large = geometry.scaling(2, 8)

    # Edges -0.5 and 1.5 become -0.5 and 7.5; the first centre, 0, the middle of four pixels.
    points = np.array([[-0.5, 1.5], [0.0, 1.0]])
    assert geometry.apply(to_large, points).tolist() == [[-0.5, 7.5], [1.5, 5.5]]


def test_scaling_back_is_the_inverse():
    np.testing.assert_allclose(
        geometry.scaling(512, 150), geometry.invert(geometry.scaling(150, 512)), rtol=1e-14
    )


def test_stacks_of_affines_act_on_stacks_of_points():
    affines = np.stack([QUARTER_TURN, DOUBLE])
    points = np.arange(12.0).reshape(2, 3, 2)

    stacked = geometry.apply(geometry.compose(affines, geometry.invert(affines[::-1])), points)

    for position, (outer, inner) in enumerate([(QUARTER_TURN, DOUBLE), (DOUBLE, QUARTER_TURN)]):
        alone = geometry.apply(geometry.compose(outer, geometry.invert(inner)), points[position])
        np.testing.assert_allclose(stacked[position], alone, atol=1e-12)


def test_fit_similarity_finds_the_similarity_that_moved_the_points():
    angle, scale = 0.3, 2.5
    cosine, sine = scale * np.cos(angle), scale * np.sin(angle)
    moved_by = np.array([[cosine, -sine, 4.0], [sine, cosine, -7.0]])
    points = np.random.default_rng(0).normal(size=(3, 5, 2))

    found = geometry.fit_similarity(points, geometry.apply(moved_by, points))

    np.testing.assert_allclose(found, np.broadcast_to(moved_by, (3, 2, 3)), atol=1e-12)


def test_fit_similarity_is_the_least_squares_solution():
    rng = np.random.default_rng(1)
    points, targets = rng.normal(size=(2, 6, 2))

    # The normal equations of x' = a x - b y + c, y' = b x + a y + d, solved as they stand.
    x, y = points.T
    one, zero = np.ones(6), np.zeros(6)
    rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    (a, b, c, d), *_ = np.linalg.lstsq(rows, targets.T.ravel(), rcond=None)

    np.testing.assert_allclose(
        geometry.fit_similarity(points, targets), [[a, -b, c], [b, a, d]], atol=1e-12
    )


def test_resampling_interpolates_between_cell_centres():
    # Cells at chip pixels 1, 3, 5; the grid has the chip's own six pixels 0 to 5.
    weights = geometry.resample(cells=3, stride=2, offset=1, input_size=6, size=6).matrix

    expected = [
        [1, 0, 0],  # pixel 0 lies before the first centre: its value goes on
        [1, 0, 0],
        [0.5, 0.5, 0],
        [0, 1, 0],
        [0, 0.5, 0.5],
        [0, 0, 1],
    ]
    assert weights.tolist() == expected


def test_resampling_places_grid_pixels_by_their_centres():
    # A grid of 4 over a chip of 2: centres at chip pixels -0.25, 0.25, 0.75, 1.25.
    weights = geometry.resample(cells=2, stride=1, offset=0, input_size=2, size=4).matrix

    assert weights.tolist() == [[1, 0], [0.75, 0.25], [0.25, 0.75], [0, 1]]


def test_resampling_two_axes_reproduces_a_plane():
    # dlib's layers have cell centres off the grid's; a plane sampled there must come back.
    cells, stride, offset, chip, size = 72, 2, 3, 150, 512
    centres = stride * np.arange(cells) + offset
    plane = 3 * centres[:, None] + 5 * centres + 1
    weights = geometry.resample(cells, stride, offset, chip, size).matrix

    resampled = weights @ plane @ weights.T

    grid = np.clip((np.arange(size) + 0.5) * chip / size - 0.5, centres[0], centres[-1])
    # Positions are rounded to half a `SHARE_STEP`, on a plane that rises by 16 a cell.
    rounding = 16 * geometry.SHARE_STEP / 2
    np.testing.assert_allclose(resampled, 3 * grid[:, None] + 5 * grid + 1, atol=rounding)
    assert np.abs(weights.sum(axis=1) - 1).max() == 0
