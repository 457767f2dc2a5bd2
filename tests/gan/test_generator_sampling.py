"""Samples and interpolations of a generator from Python: the images of the commands, as float32 in [0, 1]."""

import pytest
import torch
from gan_folders import described, finished, unfinished

from vitrail import gan
from vitrail.errors import BadRun, BadSetting, UnknownName
from vitrail.images import to_unit


@pytest.fixture(scope="module")
def generators(tmp_path_factory):
    home = tmp_path_factory.mktemp("generators")
    descriptions = {kind: described(kind) for kind in ("classes", "attributes")}
    descriptions["nothing"] = described("nothing", "dcgan", channels=3)
    return {kind: gan.load(finished(home / kind, about)) for kind, about in descriptions.items()}


def test_samples_are_rgb_in_the_unit_range_and_depend_on_their_own_seed(generators):
    images = generators["classes"].sample(5, seed=3, label="one")
    assert images.shape == (5, 3, 16, 16)
    assert images.dtype == torch.float32
    assert 0 <= images.min() < images.max() <= 1
    assert torch.equal(generators["classes"].sample(1, seed=7, label="one")[0], images[4])
    assert not torch.equal(generators["classes"].sample(5, seed=3, label="two"), images)


def test_labels_are_classes_texts_or_mappings(generators):
    generator = generators["attributes"]
    by_name = generator.sample(3, label={"Male": 1, "Young": 0})
    assert torch.equal(generator.sample(3, label=["Male=1", "Young=0"]), by_name)
    assert not torch.equal(generator.sample(3, label={"Male": 0, "Young": 0}), by_name)
    assert generators["nothing"].sample(2).shape == (2, 3, 16, 16)


def test_interpolations_pass_through_the_samples(generators):
    generator = generators["classes"]
    interpolation = generator.interpolate((2, 5, 9), label="two", steps=4)
    assert interpolation.images.shape == (1, 9, 3, 16, 16)
    for frame, seed in ((0, 2), (4, 5), (8, 9)):
        assert torch.equal(interpolation.images[0, frame], generator.sample(1, seed=seed, label="two")[0])
    assert torch.equal(to_unit(interpolation.pixels).expand_as(interpolation.images), interpolation.images)
    assert interpolation.caption(0, 4) == "two, seed 5"
    assert [row.name for row in generator.interpolate().rows] == ["zero", "one", "two"]


def test_a_generator_of_a_checkpoint_says_that_it_is_not_final(tmp_path):
    assert gan.load(finished(tmp_path / "ended", described())).is_final
    assert not gan.load(unfinished(tmp_path / "not-ended", described())).is_final


def test_wrong_labels_and_folders_are_refused(generators, tmp_path):
    with pytest.raises(UnknownName):
        generators["classes"].sample(1, label="three")
    with pytest.raises(BadSetting):
        generators["nothing"].sample(1, label="one")
    with pytest.raises(BadSetting):
        generators["classes"].interpolate((4,))
    with pytest.raises(BadSetting):
        generators["classes"].interpolate(to_label="one")
    with pytest.raises(BadRun):
        gan.load(tmp_path)
