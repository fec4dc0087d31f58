import numpy as np

from analyses.rerun.fills import BLUR, FILLS, hide

COLOUR = np.array([10.0, 20.0, 30.0])


def test_black_and_the_mean_colour_stand_where_pixels_are_hidden_and_nowhere_else():
    chips = np.full((1, 2, 2, 3), 200, np.float32)
    masks = np.array([[[True, False], [False, False]]])
    for name, colour in (("black", [0, 0, 0]), ("mean colour", [10, 20, 30])):
        hidden = hide(chips, masks, FILLS[name](chips, COLOUR))
        np.testing.assert_array_equal(hidden[0, 0, 0], colour)
        assert (hidden[~masks] == 200).all()


def test_blur_is_a_gaussian_of_a_sixteenth_of_the_chip_in_each_colour_and_image_alone():
    chips = np.zeros((2, 65, 65, 3), np.float32)
    chips[0, 32, 32, 1] = 1000
    blurred = FILLS["blur"](chips, COLOUR)
    deviation = BLUR * 65
    distances = np.arange(65) - 32.0
    profile = np.exp(-(distances**2) / (2 * deviation**2))
    expected = 1000 * np.outer(profile, profile) / profile.sum() ** 2
    np.testing.assert_allclose(blurred[0, :, :, 1], expected, atol=2e-3)
    assert not blurred[1].any()
    assert not blurred[0, :, :, [0, 2]].any()


def test_blur_leaves_a_plain_face_as_it_is():
    chips = np.full((1, 16, 16, 3), 77, np.float32)
    np.testing.assert_allclose(FILLS["blur"](chips, COLOUR), 77, rtol=1e-6)


def test_hiding_does_not_touch_the_chips_themselves():
    chips = np.full((1, 4, 4, 3), 5, np.float32)
    hide(chips, np.ones((1, 4, 4), bool), FILLS["black"](chips, COLOUR))
    assert (chips == 5).all()
