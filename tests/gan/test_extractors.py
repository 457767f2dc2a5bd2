"""Which networks generated images are measured with."""

import pytest
import torch

from vitrail.datasets.pixels import PixelSet
from vitrail.errors import MissingWeights
from vitrail.events import Note
from vitrail.gan import extractors
from vitrail.gan.extractors import open_extractors
from vitrail.gan_architectures import frozen_features
from vitrail.metrics.certificate import Certificate
from vitrail.metrics.feature_extractors import ClassifierFeatures
from vitrail.metrics.sample_classifier import SampleClassifier

LABELS = torch.arange(12) % 3


def images(channels, *, names=("a", "b", "c")):
    return PixelSet(torch.zeros(12, channels, 16, 16, dtype=torch.uint8), LABELS, names)


class Pretrained:
    def __init__(self, name):
        self.name = name


class Telling(Certificate):
    def refusal(self, metric):
        return ""


@pytest.fixture
def opening(monkeypatch):
    """`open_extractors`, without networks; it gives the names, and notes. `blind`: those that cannot tell."""
    blind, untried, opened = set(), set(), []

    def open_one(name, train, held_out, **_):
        yield from ()
        opened.append(name)
        if name != "judge":
            return Pretrained(name)
        network = SampleClassifier(size=16, channels=train.channels, names=3)
        return ClassifierFeatures(network, "0", 0.9, {}, 12)

    def certify(extractor, *_, **__):
        yield from ()
        if extractor.name in untried:
            return Certificate(0, 16, {}, {}, undefined="there are too few images")
        return (Certificate if extractor.name in blind else Telling)(64, 16, {}, {})

    class Anywhere:
        def __truediv__(self, _):
            return self

    monkeypatch.setattr(extractors, "open_feature_extractor", open_one)
    monkeypatch.setattr(extractors, "open_certificate", certify)

    def ask(name, data, **keywords):
        opened.clear()
        steps, notes = open_extractors(name, data, data, seed=0, device="cpu", cache=Anywhere(), **keywords), []
        while True:
            try:
                notes.append(next(steps))
            except StopIteration as ended:
                found = ended.value
                break
        of = [each.name for each, _ in (found.main, *found.others)]
        return of, found.judge is not None, [note.text for note in notes if isinstance(note, Note)]

    ask.blind, ask.untried, ask.opened = blind, untried, opened
    return ask


def test_colour_images_are_measured_with_a_pretrained_network_and_their_judge(opening):
    assert opening("auto", images(3)) == (["efficientnet-lite0", "judge"], True, [])
    assert opening("auto", images(3), labelled=False)[:2] == (["efficientnet-lite0"], False)
    assert opening("auto", images(3, names=()))[:2] == (["efficientnet-lite0"], False)


def test_never_with_the_network_that_a_discriminator_sees_through(opening):
    for seen in ("efficientnet-lite0", "efficientnet-lite0-320"):
        assert opening("auto", images(3), seen=seen)[0] == ["squeezenet", "judge"]
    assert opening("auto", images(3), seen="squeezenet")[0] == ["efficientnet-lite0", "judge"]


def test_digits_are_measured_with_their_judge(opening):
    assert opening("auto", images(1)) == (["judge"], True, [])
    assert opening.opened == ["judge"]
    assert opening("auto", images(1, names=()))[:2] == (["efficientnet-lite0"], False)


def test_grey_photographs_are_measured_as_colour_images_are(opening):
    pixels = torch.randint(256, (12, 1, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    assert opening("auto", PixelSet(pixels, LABELS, ("a", "b", "c")))[:2] == (["efficientnet-lite0", "judge"], True)
    pixels[..., :4] = 255  # a background of one value
    assert opening("auto", PixelSet(pixels, LABELS, ("a", "b", "c")))[:2] == (["judge"], True)


def test_a_network_that_cannot_tell_gives_way(opening):
    opening.blind.add("efficientnet-lite0")
    names, judge, notes = opening("auto", images(3))
    assert (names, judge) == (["judge"], True)
    assert notes == ["The Fréchet distance cannot tell in features of efficientnet-lite0: it was not tried on degraded "
                     "real images."]  # fmt: skip
    opening.blind.add("judge")
    names, judge, notes = opening("auto", images(3))
    assert (names, judge, len(notes)) == (["efficientnet-lite0"], True, 2)
    opening.blind.discard("efficientnet-lite0")
    names, judge, _ = opening("auto", images(1))
    assert (names, judge) == (["efficientnet-lite0"], True)  # the judge confirms labels still


def test_a_judge_that_nothing_has_tried_is_not_measured_with(opening):
    opening.untried |= {"efficientnet-lite0", "judge"}
    assert opening("auto", images(3)) == (["efficientnet-lite0"], True, [])


def test_a_name_is_taken_as_it_is(opening):
    opening.blind.add("squeezenet")
    names, judge, (warning,) = opening("squeezenet", images(3), seen="squeezenet")
    assert (names, judge) == (["squeezenet"], False)
    assert warning.startswith("The discriminator saw images through squeezenet")
    assert warning.endswith("Use --feature-extractor auto.")
    for name, seen in (
        ("efficientnet-lite0-320", "efficientnet-lite0"),
        ("efficientnet-lite0", "efficientnet-lite0-320"),
    ):
        assert len(opening(name, images(3), seen=seen)[2]) == 1
    assert opening("squeezenet", images(3), seen="efficientnet-lite0")[2] == []
    assert opening("judge", images(3)) == (["judge"], True, [])


@pytest.mark.parametrize(("accuracy", "majority", "refused"), [(0.9, 0.5, False), (0.52, 0.5, True), (0.5, 0.9, True)])
def test_a_judge_that_is_no_better_than_the_most_frequent_class_confirms_nothing(accuracy, majority, refused):
    judge = ClassifierFeatures(SampleClassifier(size=8, channels=1, names=2), "0", accuracy, {}, 100, majority=majority)
    assert bool(judge.refusal()) == refused
    assert not refused or "always naming the most frequent class" in judge.refusal()


def test_missing_weights_are_not_advised_to_be_given_by_an_option_that_there_is_not(tmp_path, monkeypatch):
    def missing(*_, **__):
        raise MissingWeights("The weights of 'vgg16' are not on this machine: name a file with --weights FILE.")

    monkeypatch.setattr(extractors, "open_network", missing)
    monkeypatch.setattr(frozen_features, "BACKBONES", {"vgg16": missing})
    opening = extractors.open_feature_extractor("vgg16", images(3), images(3), seed=0, device="cpu", cache=tmp_path)
    for attempt in (lambda: next(opening), lambda: frozen_features.FrozenFeatures("vgg16", 64)):
        with pytest.raises(MissingWeights, match="machine: use efficientnet-lite0 or squeezenet."):
            attempt()
