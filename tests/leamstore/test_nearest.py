import numpy as np

from leamstore.geometry import scaling
from leamstore.nearest import nearest

PIXELS = np.array([[1, 2], [3, 4]], np.uint8)


def test_a_frame_equal_to_the_other_gives_the_same_pixels():
    same = np.array([[1.0, 0, 0], [0, 1, 0]])
    assert nearest(PIXELS, same, 2, 9).tolist() == PIXELS.tolist()


def test_a_finer_grid_repeats_each_pixel():
    assert nearest(PIXELS, scaling(4, 2), 4, 9).tolist() == [
        [1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]
    ]  # fmt: skip


def test_beyond_the_picture_the_value_is_that_of_the_outside():
    one_to_the_right = np.array([[1.0, 0, 1], [0, 1, 0]])
    assert nearest(PIXELS, one_to_the_right, 2, 9).tolist() == [[2, 9], [4, 9]]
