"""Editing of images from Python: the same files as `vitrail gan edit`, see tests/tasks/test_gan_edit.py."""

import pytest
import torch
from gan_folders import SIDE, described, finished, trained_on_attributes

from vitrail import gan, read_image
from vitrail.backbones import DEFAULT_BACKBONE
from vitrail.errors import BadRun, BadSetting, UnknownName
from vitrail.gan_architectures.frozen_features import FrozenFeatures
from vitrail.gan_training import inversion
from vitrail.images import to_rgb, to_signed_range, to_unit


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return trained_on_attributes(tmp_path_factory.mktemp("edit"))


def test_an_edit_leads_from_the_image_to_one_with_another_attribute(home):
    generator = gan.load(home / "run")
    images = torch.stack([read_image(home / "data" / "images" / name) for name in ("01.png", "03.png")])
    result = generator.edit(images, {"bright": 0}, inversion_steps=5, steps=4)
    assert torch.equal(to_rgb(to_unit(result.original)), images)
    assert result.strip.shape == (2, 4, 3, SIDE, SIDE)
    assert torch.equal(result.strip[:, 0], result.original)
    assert torch.equal(result.strip[:, -1], result.edited)
    assert not torch.equal(result.edited, result.original)
    assert result.attributes.shape == (2, 2)
    assert float(result.attributes.abs().max()) <= 1


def test_images_of_another_size_are_resized_and_cropped(home):
    generator = gan.load(home / "run")
    wide = torch.rand(1, 3, 2 * SIDE, 5 * SIDE)
    result = generator.edit(wide, {"bright": 1}, inversion_steps=0, keep_details=False)
    assert result.original.shape == (1, 3, SIDE, SIDE)
    assert torch.equal(result.strip[:, 0], result.reconstruction)
    assert torch.equal(result.encoded, result.reconstruction)


@pytest.mark.parametrize(
    ("attributes", "error"), [({}, BadSetting), ({"bright": 2}, BadSetting), ({"b": 1}, UnknownName)]
)
def test_wrong_attributes_are_refused(home, attributes, error):
    with pytest.raises(error):
        gan.load(home / "run").edit(torch.zeros(1, 3, SIDE, SIDE), attributes)


def test_a_generator_without_attributes_or_encoders_is_refused(tmp_path):
    classes = gan.load(finished(tmp_path / "classes", described("classes", channels=3)))
    with pytest.raises(BadSetting):
        classes.edit(torch.zeros(1, 3, 16, 16), {"one": 1})
    attributes = gan.load(finished(tmp_path / "attributes", described("attributes", channels=3)))
    with pytest.raises(BadRun):
        attributes.edit(torch.zeros(1, 3, 16, 16), {"Male": 1})


def test_a_projected_generator_reproduces_what_its_discriminator_saw(tmp_path, monkeypatch):
    home = trained_on_attributes(tmp_path, size=32)
    generator = gan.load(home / "run")
    assert generator.description["arguments"]["backbone"] == DEFAULT_BACKBONE
    images = torch.stack([read_image(home / "data" / "images" / name) for name in ("01.png", "02.png")])
    features = FrozenFeatures(DEFAULT_BACKBONE, 32)  # mixed by others than those of the inversion

    def distance():
        result = generator.edit(images, {"bright": 0}, inversion_steps=15, keep_details=False)
        with torch.no_grad():
            maps = [features(to_signed_range(to_unit(each))) for each in (result.original, result.reconstruction)]
        return sum(float((ours - theirs).square().mean()) for ours, theirs in zip(*maps, strict=True)), result

    seen, result = distance()
    assert torch.equal(distance()[1].strip, result.strip)
    monkeypatch.setattr(inversion, "PERCEPTUAL", 0.0)
    assert seen < distance()[0]
