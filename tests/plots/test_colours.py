import numpy as np
import pytest

from vitrail.plots import apply_colormap, magnified_difference, overlay
from vitrail.plots.colours import scaled

GREY = np.full((4, 4, 3), 90, np.uint8)


def test_a_map_is_shown_relative_to_its_largest_magnitude():
    values = np.array([[0.0, 1.0], [2.0, -4.0]], np.float32)
    np.testing.assert_allclose(scaled(values), values / 4, atol=0.02)
    np.testing.assert_array_equal(scaled(np.zeros((2, 2), np.float32)), 0)


def test_a_single_bright_pixel_does_not_darken_the_rest():
    values = np.full((40, 40), 0.5, np.float32)
    values[0, 0] = 1000
    assert scaled(values)[1, 1] == 1


def test_stronger_is_brighter_and_signs_have_colours_of_their_own():
    lightness = apply_colormap(np.linspace(0, 1, 50, dtype=np.float32)[None]).astype(int).sum(axis=2)[0]
    assert (np.diff(lightness) > 0).all()
    against, none, most = apply_colormap(np.array([[-1.0, 0.0, 1.0]], np.float32)).astype(int)[0]
    assert against[2] > against[0]
    assert most[0] > most[2]
    assert none.sum() < against.sum() / 4


def test_where_a_map_says_nothing_the_image_shows_in_grey():
    values = np.zeros((4, 4), np.float32)
    values[0, 0] = 1
    shown = overlay(np.stack([GREY[..., 0], GREY[..., 0] + 30, GREY[..., 0] - 30], axis=2), values)
    assert (shown[1] == 90).all()
    assert (shown[0, 0] != 90).any()


@pytest.mark.parametrize(("change", "shown"), [(0, 128), (3, 158), (-3, 98), (50, 255), (-50, 0)])
def test_differences_are_magnified_around_grey(change, shown):
    after = np.asarray(GREY.astype(int) + change, np.uint8)
    assert (magnified_difference(GREY, after, 10) == shown).all()
