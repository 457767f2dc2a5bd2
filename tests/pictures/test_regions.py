"""A region stands out: itself as it was, the rest paler, a box around it."""

import numpy as np

from vitrail.pictures import region
from vitrail.pictures.regions import BOX

PICTURE = np.full((12, 10, 3), 100, np.uint8)


def test_the_region_stays_and_the_rest_is_paler():
    mask = np.zeros((12, 10), bool)
    mask[3:9, 2:8] = True
    shown = region(PICTURE, mask, (2, 3, 8, 9))
    assert (shown[5:7, 4:6] == 100).all()
    assert (shown[0] > 150).all()
    for row, column in ((3, 4), (8, 4), (5, 2), (5, 7)):
        assert tuple(shown[row, column]) == BOX
    assert tuple(shown[9, 4]) != BOX
    assert tuple(shown[5, 8]) != BOX
    assert (PICTURE == 100).all()


def test_a_box_of_one_pixel_stays_within_the_picture():
    mask = np.zeros((12, 10), bool)
    mask[11, 9] = True
    shown = region(PICTURE, mask, (9, 11, 10, 12))
    assert tuple(shown[11, 9]) == BOX
    assert shown.shape == PICTURE.shape
    assert tuple(shown[10, 9]) != BOX
