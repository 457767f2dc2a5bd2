"""A region stands out: itself as it was, the rest paler, a box around it."""

import numpy as np

from vitrail.plots import region
from vitrail.plots.regions import BOX

IMAGE = np.full((12, 10, 3), 100, np.uint8)


def test_the_region_stays_and_the_rest_is_paler():
    mask = np.zeros((12, 10), bool)
    mask[3:9, 2:8] = True
    shown = region(IMAGE, mask, (2, 3, 8, 9))
    assert (shown[5:7, 4:6] == 100).all()
    assert (shown[0] > 150).all()
    for row, column in ((3, 4), (8, 4), (5, 2), (5, 7)):
        assert tuple(shown[row, column]) == BOX
    assert tuple(shown[9, 4]) != BOX
    assert tuple(shown[5, 8]) != BOX
    assert (IMAGE == 100).all()


def test_a_box_of_one_pixel_stays_within_the_image():
    mask = np.zeros((12, 10), bool)
    mask[11, 9] = True
    shown = region(IMAGE, mask, (9, 11, 10, 12))
    assert tuple(shown[11, 9]) == BOX
    assert shown.shape == IMAGE.shape
    assert tuple(shown[10, 9]) != BOX
