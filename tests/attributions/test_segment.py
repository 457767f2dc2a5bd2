import sys

import pytest
import torch

from vitrail.attributions import segment
from vitrail.errors import BadSetting, MissingExtra


@pytest.fixture
def scene():
    """A red block on a green ground, and a map that is high in its middle only."""
    random = torch.Generator().manual_seed(0)
    image = torch.tensor([0.2, 0.7, 0.2])[:, None, None].expand(3, 48, 60).clone()
    image[:, 10:30, 20:44] = torch.tensor([0.9, 0.1, 0.1])[:, None, None]
    rows, columns = torch.arange(48)[:, None], torch.arange(60)
    heat = torch.exp(-((rows - 20) ** 2 + (columns - 32) ** 2) / 200) + 0.05 * torch.rand(48, 60, generator=random)
    return image + 0.02 * torch.rand(3, 48, 60, generator=random), heat


def test_a_region_grows_from_the_marked_part_to_the_whole_object(scene):
    image, heat = scene
    region = segment(image, heat)
    truth = torch.zeros(48, 60, dtype=torch.bool)
    truth[10:30, 20:44] = True
    assert region.mask.dtype == torch.bool
    assert (region.mask & truth).sum() / (region.mask | truth).sum() > 0.9
    assert region.box == pytest.approx((20, 10, 44, 30), abs=2)
    left, top, right, bottom = region.box
    assert region.mask[top:bottom, left:right].sum() == region.mask.sum()
    assert region.mask[top].any()
    assert region.mask[:, right - 1].any()


def test_signs_do_not_matter_and_nothing_is_changed(scene):
    image, heat = scene
    kept = image.clone(), heat.clone()
    assert torch.equal(segment(image, -heat).mask, segment(image, heat).mask)
    assert torch.equal(image, kept[0])
    assert torch.equal(heat, kept[1])


def test_a_constant_map_is_refused(scene):
    with pytest.raises(BadSetting, match="nearly everywhere"):
        segment(scene[0], torch.zeros(48, 60))


def test_an_image_of_one_colour_is_refused(scene):
    with pytest.raises(BadSetting, match="one colour"):
        segment(torch.zeros(3, 48, 60), scene[1])


def test_the_missing_extra_is_named(scene, monkeypatch):
    for name in [*sys.modules]:
        if name == "skimage" or name.startswith("skimage."):
            monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setitem(sys.modules, "skimage", None)
    with pytest.raises(MissingExtra, match=r"pip install 'vitrail\[demo\]'"):
        segment(*scene)
