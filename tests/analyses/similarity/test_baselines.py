import numpy as np
import pytest

from analyses.cohort import draw_images
from analyses.similarity.baselines import edges, lay_baselines, pixels
from analyses.similarity.canonical import SIZE, CanonicalFaces
from leamstore import geometry
from tests.analyses.planted import grey_chips, maps_at, plant_lake
from tests.analyses.planted_faces import Colours


def test_edges_are_found_where_brightness_steps_and_not_in_flat_parts():
    chip = np.zeros((1, 8, 8, 3), np.uint8)
    chip[:, :, 4:] = 255
    found = edges(chip)[0]
    assert (found[:, 3:5] > 0.5).all()
    assert found[:, :2].max() == found[:, 6:].max() == 0


def test_pixels_are_the_brightness_as_the_eye_weighs_colours():
    chips = np.array([[255, 0, 0], [0, 255, 0], [255, 255, 255]], np.uint8).reshape(3, 1, 1, 3)
    np.testing.assert_allclose(pixels(chips).ravel(), [0.2125, 0.7154, 1.0], atol=1e-4)


def test_baselines_lie_where_the_chips_do(tmp_path):
    chips = grey_chips(6, np.random.default_rng(0))
    lake = plant_lake(tmp_path / "a.lake", Colours, chips, {"NET": maps_at([0] * 6)})
    images = draw_images(lake, ["NET"], 0)
    faces = CanonicalFaces.of(images)
    laid = lay_baselines(lake, images, faces, ("crop", 16))["pixels"]
    # A grid pixel in the middle of a chip pixel shows that pixel: 112 / 16 is 7.
    assert geometry.scaling(SIZE, 16)[0, 0] == pytest.approx(1 / 7)
    np.testing.assert_allclose(laid[:, 3::7, 3::7], pixels(chips), atol=1e-2)
