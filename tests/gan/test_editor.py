"""Editing of images from Python: the same files as `vitrail gan edit`, see tests/tasks/test_gan_edit.py."""

import pytest
import torch
from gan_folders import SIDE, described, finished, trained_on_attributes
from torch import nn

from vitrail import gan, read_image
from vitrail.backbones import DEFAULT_BACKBONE
from vitrail.errors import BadRun, BadSetting, UnknownName
from vitrail.gan.editor import Editor
from vitrail.gan.encoders import Encoders
from vitrail.gan.generator_network import GeneratorNetwork
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


def last(steps):
    """What a generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            return ended.value


class Brightness(nn.Module):
    """A tenth of the attribute added to a latent: the image is as bright everywhere."""

    def __init__(self):
        super().__init__()
        self.tenth = nn.Parameter(torch.tensor(0.1))

    def forward(self, latents, labels):
        return (latents[:, :1] + self.tenth * labels)[:, :, None, None].expand(-1, 3, 8, 8)


class Mean(nn.Module):
    def __init__(self, times):
        super().__init__()
        self.times = times

    def forward(self, images):
        return self.times * images.mean(dim=(1, 2, 3))[:, None]


@pytest.mark.parametrize("value", [1.0, -1.0])
def test_the_least_strength_that_shows_is_taken(value):
    """The encoder sees the attribute from a mean of 0.055 on: tanh(20 m / 2) = 0.5."""
    arguments = {"latent_size": 1, "size": 8, "channels": 3}
    network = GeneratorNetwork(Brightness(), {"arguments": arguments, "names": ["bright"], "attributes": True})
    encoders = Encoders(Mean(1.0), Mean(20.0), {"arguments": arguments})
    means = value * torch.tensor([0.02, -0.15, -0.3, -0.6])
    pixels = (127.5 * (1 + means)).round().to(torch.uint8)[:, None, None, None].expand(-1, 3, 8, 8)
    result = last(Editor(network, encoders, {0: value}, inversion_steps=0, steps=2).edit(pixels))
    needed = (0.055 + means.abs() * torch.tensor([-1, 1, 1, 1])) / 0.1 + (value * means * 10).tanh()
    assert [float(each) for each in needed] == pytest.approx([0.55, 1.14, 2.55, 5.55], abs=0.01)
    assert result.strength.tolist() == [0.75, 1.5, 3.0, 4.0]  # the last never shows; 4 is nearest
    bright = (to_unit(result.edited).mean(dim=(1, 2, 3)) * 2 - 1) * value
    assert [float(each) > 0.055 for each in bright] == [True, True, True, False]
    assert result.seen.tolist() == [True, True, True, False]


@pytest.mark.parametrize("strength", [None, 0.5])
def test_an_image_that_has_the_attribute_already_keeps_it(strength):
    """Its estimate is 0.998: to set it to less would take some of the attribute away."""
    arguments = {"latent_size": 1, "size": 8, "channels": 3}
    network = GeneratorNetwork(Brightness(), {"arguments": arguments, "names": ["bright"], "attributes": True})
    encoders = Encoders(Mean(1.0), Mean(20.0), {"arguments": arguments})
    pixels = torch.full((1, 3, 8, 8), 172, dtype=torch.uint8)  # a mean of 0.35
    result = last(Editor(network, encoders, {0: 1.0}, inversion_steps=0, steps=2, strength=strength).edit(pixels))
    assert torch.equal(result.edited, pixels)
    assert result.seen.all()
